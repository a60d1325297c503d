"""What is read of a run's events, and the marks on its curves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lib_lora_cook.errors import UserError
from lib_lora_cook.runs.history import (
    EpochScore,
    Pictures,
    epoch_near,
    history_path,
    lowest_near,
    read_history,
    smoothed,
)

EVENTS = [
    {"event": "Step", "step": 1, "epoch": 1, "loss": 0.5, "learning_rates": {"lr/unet": 1.0}},
    {"event": "Step", "step": 2, "epoch": 1, "loss": None, "learning_rates": {"lr/unet": 0.5}},
    {"event": "EpochEnd", "step": 2, "epoch": 1},
    {"event": "Sampled", "step": 2, "epoch": 1, "pictures": ["a.png"]},
    {"event": "Scored", "step": 2, "epoch": 1, "merit": 0.7, "spread": 0.1,
     "measures": {"recovery": 0.7}, "best": 1},
    {"event": "Tasted by a later version", "step": 2},
]  # fmt: skip


def write(path: Path, text: str = "") -> Path:
    path.write_text(text or "".join(json.dumps(it) + "\n" for it in EVENTS), encoding="utf-8")
    return path


def test_every_event_is_read_and_a_half_written_line_left_out(tmp_path: Path) -> None:
    whole = read_history(write(tmp_path / "a.jsonl"))
    assert whole.losses == [(1, 0.5)]
    assert whole.rates == {"lr/unet": [(1, 1.0), (2, 0.5)]}
    assert whole.epoch_ends == [(2, 1)]
    assert whole.samples == [Pictures(2, 1, (Path("a.png"),))]
    assert whole.scores == [EpochScore(2, 1, 0.7, 0.1, {"recovery": 0.7})]
    text = (tmp_path / "a.jsonl").read_text(encoding="utf-8")
    assert read_history(write(tmp_path / "b.jsonl", text + '{"event": "St')) == whole


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone\.jsonl"):
        read_history(tmp_path / "gone.jsonl")
    with pytest.raises(UserError, match="no run"):
        read_history(write(tmp_path / "other.jsonl", '{"loss": 1}\n'))
    with pytest.raises(UserError, match="no run"):
        read_history(write(tmp_path / "other.jsonl", "[1]\n"))


def test_the_events_of_a_run_file_lie_beside_it(tmp_path: Path) -> None:
    for name in ("a.toml", "a.jsonl", "a.safetensors"):
        assert history_path(tmp_path / name) == tmp_path / "a.jsonl"


def test_a_smoothed_curve_begins_at_its_first_point_and_lags_behind() -> None:
    found = smoothed([1.0, 0.0, 0.0])
    assert found[0] == 1.0
    assert found[0] > found[1] > found[2] > 0.0


def test_the_lowest_loss_is_looked_for_near_the_step_only() -> None:
    valley = [(step, 0.1 + abs(step - 850) / 1000) for step in range(1, 1601)]
    step, value = lowest_near(valley)
    assert 850 <= step <= 900  # a smoothed curve lags behind
    assert value > 0.1
    falling = [(step, 1 - step / 1600) for step in range(1, 1601)]
    assert lowest_near(falling)[0] == 1000
    assert lowest_near(falling, 800, 50)[0] == 850


def test_a_short_run_is_looked_at_near_its_end() -> None:
    assert lowest_near([(step, 1.0 / step) for step in range(1, 51)])[0] == 50
    assert lowest_near([(500, 0.5)]) == (500, 0.5)
    with pytest.raises(ValueError, match="no step"):
        lowest_near([])


def test_the_nearest_file_to_a_step(tmp_path: Path) -> None:
    history = read_history(write(tmp_path / "a.jsonl"))
    history.epoch_ends = [(40, 1), (80, 2), (120, 3)]
    assert [epoch_near(history, step) for step in (1, 59, 61, 800)] == [1, 1, 2, 3]
    history.epoch_ends = []
    assert epoch_near(history, 1) is None
