"""The page's pieces of HTML, with the texts that people would break it with."""

from __future__ import annotations

import pytest

from lib_lora_cook.ui import show

from .hostile import HOSTILE, is_plain, tags


def pieces(text: str) -> str:
    return "".join([show.problems([text]), show.note(text), show.problem(text), show.lead(text)])


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_becomes_markup(text: str) -> None:
    html = pieces(text)
    assert tags(html) == tags(pieces("harmless"))
    assert is_plain(html, text)


def test_no_problem_shows_nothing() -> None:
    assert show.problems([]) == ""
    assert show.note("") == ""


@pytest.mark.parametrize("text", HOSTILE)
def test_no_cell_of_a_table_becomes_markup(text: str) -> None:
    assert is_plain(show.table([text], [[text]]), text)
