"""The events that are kept with a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lib_lora_cook.cook.critic import Scored
from lib_lora_cook.cook.ledger import Ledger, event_line
from lib_lora_cook.jobs import Job
from lib_lora_cook.runs.history import read_history
from lib_lora_cook.training.train import EpochEnd, Step
from tests.tiny_runs import cook_tiny, tiny_run


def test_a_loss_that_is_no_number_is_null() -> None:
    assert json.loads(event_line(Step(1, 1, float("nan"), {})))["loss"] is None


def test_what_was_told_behind_the_state_is_told_again(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "a.jsonl", print)
    for event in (Step(1, 1, 0.5, {}), EpochEnd(1, 1), Scored(1, 1, 0.7, 0, {}, 1),
                  Step(2, 2, 0.4, {}), Scored(2, 2, 0.8, 0, {}, 2)):  # fmt: skip
        ledger.note(event)
    assert ledger.scores() == [(0.7, 1), (0.8, 2)]
    with open(ledger.path, "a", encoding="utf-8") as file:
        file.write('{"event": "Ste')
    ledger.begin(1)
    assert [it for it, _ in read_history(ledger.path).losses] == [1]
    assert ledger.scores() == [(0.7, 1)]
    ledger.begin(0)
    assert ledger.path.read_text(encoding="utf-8") == ""


def test_a_disk_that_takes_nothing_is_told_once(tmp_path: Path) -> None:
    told: list[str] = []
    ledger = Ledger(tmp_path / "gone" / "a.jsonl", told.append)
    (tmp_path / "gone").write_text("a file")
    for step in (1, 2):
        ledger.note(EpochEnd(1, step))
    assert len(told) == 1 and "a.jsonl" in told[0]


def test_a_run_keeps_what_it_told_and_a_resumed_one_goes_on(
    tmp_path: Path, host: Any, sd1_folder: Path
) -> None:
    class Stopping(Job):
        stop = False

        @property
        def cancelled(self) -> bool:
            return self.stop

    job = Stopping()

    def watch(event: Any) -> None:
        job.stop = event.step >= 3

    config = tiny_run(tmp_path, sd1_folder)
    first = cook_tiny(config, host, watch, job)
    assert first.cooked.stopped
    path = tmp_path / "loras" / "tiny.jsonl"
    begun = read_history(path)
    assert [it for _, it in begun.losses] == pytest.approx(first.losses, abs=0)
    second = cook_tiny(config, host, resume=True)
    history = read_history(path)
    assert [it for _, it in history.losses] == first.losses + second.losses
    assert [it for it, _ in history.losses] == list(range(1, second.cooked.steps + 1))
    told = [*first.events, *second.events]
    ends = [(it.step, it.epoch) for it in told if isinstance(it, EpochEnd)]
    assert history.epoch_ends == ends
    assert set(history.rates) == {"lr/unet", "lr/text_encoder"}


def test_prodigy_s_own_rate_is_kept(tmp_path: Path, host: Any, sd1_folder: Path) -> None:
    config = tiny_run(
        tmp_path, sd1_folder, optimizer_type="Prodigy", unet_lr=1.0, text_encoder_lr=1.0,
        max_train_epochs=1,
    )  # fmt: skip
    cook_tiny(config, host)
    rates = read_history(tmp_path / "loras" / "tiny.jsonl").rates
    assert rates["lr/d*lr/unet"][-1][1] < rates["lr/unet"][-1][1] == 1.0


def test_a_run_that_is_thrown_away_leaves_none(tmp_path: Path, host: Any, sd1_folder: Path) -> None:
    class Discarding(Job):
        stop = False
        discarding = True

        @property
        def cancelled(self) -> bool:
            return self.stop

    job = Discarding()

    def watch(event: Any) -> None:
        job.stop = True

    cook_tiny(tiny_run(tmp_path, sd1_folder), host, watch, job)
    assert list((tmp_path / "loras").glob("*")) == []
