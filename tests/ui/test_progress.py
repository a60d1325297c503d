"""How work is going, in HTML: bar, figures, headline, and no markup out of texts."""

from __future__ import annotations

from pathlib import Path

import pytest

from lib_lora_cook.ui import progress
from lib_lora_cook.ui.runner import Outcome, Snapshot

from .hostile import HOSTILE, is_plain, tags


def pieces(text: str) -> str:
    failed = Snapshot(title=text, state="failed", error=text, details=text, text=text, stage=text)
    running = Snapshot(title=text, state="running", text=text, stage=text, done=1, total=2)
    done = Snapshot(title=text, state="done", outcome=Outcome(text, pick=text, sheet=Path("s")))
    return "".join(progress.now(it) for it in (failed, running, done))


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_becomes_markup(text: str) -> None:
    html = pieces(text)
    assert tags(html) == tags(pieces("harmless"))
    assert is_plain(html, text)


def test_what_goes_on_is_told_with_bar_speed_and_time_left() -> None:
    html = progress.now(
        Snapshot(
            title="Cooking kafka", state="running", stage="cook", text="epoch 1/2 loss 0.123",
            done=25, total=100, rate=2.5, seconds_left=30.0,
        )
    )  # fmt: skip
    for part in ("Cooking kafka", 'aria-valuenow="25"', "25.0%", "loss 0.123", "25/100", "2.5/s"):
        assert part in html
    assert "0:30 left" in html


def test_a_bar_without_a_total_shows_no_figure() -> None:
    assert "aria-valuenow" not in progress.bar(Snapshot(state="running"))


def test_slow_steps_are_told_in_seconds() -> None:
    assert "4.0 s each" in progress.figures(Snapshot(state="running", total=9, rate=0.25))


@pytest.mark.parametrize("state", ["idle", "running", "stopping", "done", "stopped", "failed"])
def test_every_state_has_its_headline(state: str) -> None:
    assert '<strong role="status">' in progress.now(Snapshot(title="Cooking", state=state))  # type: ignore[arg-type]
