"""The page's pieces of HTML, with the texts that people would break it with."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pytest

from lib_lora_cook.ui import show
from lib_lora_cook.ui.runner import Outcome, Snapshot

from .hostile import is_plain

HOSTILE = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", '" onmouseover="alert(1)',
    "'><svg/onload=alert(1)>", "</textarea><b>", "&lt;b&gt;", "{{7*7}}", "${alert(1)}",
    "javascript:alert(1)", "a\0b", "<!--", "]]>",
]  # fmt: skip


class Tags(HTMLParser):
    """The elements of a piece of HTML, with the names of their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, tuple[str, ...]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, tuple(name for name, _ in attrs)))


def tags(html: str) -> list[tuple[str, tuple[str, ...]]]:
    parser = Tags()
    parser.feed(html)
    return parser.seen


def pieces(text: str) -> str:
    failed = Snapshot(title=text, state="failed", error=text, details=text, text=text, stage=text)
    running = Snapshot(title=text, state="running", text=text, stage=text, done=1, total=2)
    done = Snapshot(title=text, state="done", outcome=Outcome(text, pick=text, sheet=Path("s")))
    shown = [show.now(it) for it in (failed, running, done)]
    return "".join([*shown, show.problems([text]), show.note(text), show.problem(text)])


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_becomes_markup(text: str) -> None:
    html = pieces(text)
    assert tags(html) == tags(pieces("harmless"))
    assert "${" not in html
    assert "{{" not in html


def test_what_goes_on_is_told_with_bar_speed_and_time_left() -> None:
    html = show.now(
        Snapshot(
            title="Cooking kafka", state="running", stage="cook", text="epoch 1/2 loss 0.123",
            done=25, total=100, rate=2.5, seconds_left=30.0,
        )
    )  # fmt: skip
    for part in ("Cooking kafka", 'aria-valuenow="25"', "25.0%", "loss 0.123", "25/100", "2.5/s"):
        assert part in html
    assert "0:30 left" in html


def test_a_bar_without_a_total_shows_no_figure() -> None:
    assert "aria-valuenow" not in show.bar(Snapshot(state="running"))


def test_slow_steps_are_told_in_seconds() -> None:
    assert "4.0 s each" in show.figures(Snapshot(state="running", total=9, rate=0.25))


@pytest.mark.parametrize("state", ["idle", "running", "stopping", "done", "stopped", "failed"])
def test_every_state_has_its_headline(state: str) -> None:
    assert '<strong role="status">' in show.now(Snapshot(title="Cooking", state=state))  # type: ignore[arg-type]


def test_no_problem_shows_nothing() -> None:
    assert show.problems([]) == ""
    assert show.note("") == ""


@pytest.mark.parametrize("text", HOSTILE)
def test_no_cell_of_a_table_becomes_markup(text: str) -> None:
    assert is_plain(show.table([text], [[text]]) + show.lead(text) + show.note(text), text)
