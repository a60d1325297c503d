"""What the page's script says: read as it is meant, and never as more than that."""

from __future__ import annotations

import json

import pytest

from lib_lora_cook.ui.said import Said, press, read_said

from .hostile import HOSTILE, is_plain


@pytest.mark.parametrize("text", ["", "no json", "[]", "null", '"text"'])
def test_what_cannot_be_read_says_nothing(text: str) -> None:
    assert read_said(text) == Said("", {})


def test_a_press_is_read() -> None:
    said = read_said(json.dumps({"act": "drop", "name": "a.png", "page": 2, "floods": ["1", 2]}))
    assert (said.act, said.text("name"), said.number("page")) == ("drop", "a.png", 2)
    assert said.texts("floods") == ["1"]
    odd = read_said('{"act": 1, "name": {}, "page": "x", "floods": "1,2"}')
    assert (odd.act, odd.text("name"), odd.number("page"), odd.texts("floods")) == ("", "", 0, [])


@pytest.mark.parametrize("text", HOSTILE)
def test_a_button_holds_no_markup(text: str) -> None:
    assert is_plain(press("gallery", "drop", text, name=text), text)
