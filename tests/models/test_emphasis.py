"""Emphasis as sd-scripts reads it."""

from __future__ import annotations

import pytest

from lib_lora_cook.models.emphasis import weighted_parts


@pytest.mark.parametrize(
    ("caption", "parts"),
    [
        ("normal text", [("normal text", 1.0)]),
        ("an (important) word", [("an ", 1.0), ("important", 1.1), (" word", 1.0)]),
        ("(unbalanced", [("unbalanced", 1.1)]),
        (r"\(literal\]", [("(literal]", 1.0)]),
        ("(unnecessary)(parens)", [("unnecessaryparens", 1.1)]),
        ("a [less] b", [("a ", 1.0), ("less", 1 / 1.1), (" b", 1.0)]),
        ("a:b) c]", [("a:b) c]", 1.0)]),
        ("(a:1.2.3)", [("a:1.2.3", 1.1)]),
        ("()", [("", 1.0)]),
        ("", [("", 1.0)]),
    ],
)
def test_parts(caption: str, parts: list[tuple[str, float]]) -> None:
    assert weighted_parts(caption) == parts


def test_nested_brackets_multiply() -> None:
    found = dict(weighted_parts("a (((house:1.3)) [on] a (hill:0.5), sun, (((sky)))."))
    expected = {"a ": 1.0, "house": 1.573, "on": 1.0, "hill": 0.55, "sky": 1.4641}
    assert {text: found[text] for text in expected} == pytest.approx(expected)
