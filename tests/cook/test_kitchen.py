"""A run at work: what a stop, a kill, a full disk and broken numbers leave behind."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from lib_lora_cook.cook import kitchen, larder
from lib_lora_cook.errors import UserError
from lib_lora_cook.jobs import Job
from lib_lora_cook.networks import atomic
from lib_lora_cook.networks.weights import read_file
from lib_lora_cook.training import train as training
from lib_lora_cook.training.train import Step
from tests.tiny_runs import cook_tiny, kill_at, snapshot, tiny_run


def assert_same_tensors(one: Path, two: Path) -> None:
    first, second = read_file(one)[0], read_file(two)[0]
    assert [key for key in first if not first[key].equal(second[key])] == []


class Hand(Job):
    """A job that is stopped, paused or thrown away behind a step."""

    def __init__(self, stop: int = 99, pause: int = 99, *, discard: bool = False) -> None:
        self.stop_at, self.pause_at, self.discarding_, self.step = stop, pause, discard, 0
        self.paused_ = False

    cancelled = property(lambda self: self.step >= self.stop_at)  # type: ignore[assignment]
    discarding = property(lambda self: self.discarding_)  # type: ignore[assignment]
    paused = property(lambda self: self.paused_)  # type: ignore[assignment]

    def watch(self, event: Any) -> None:
        self.step = event.step
        self.paused_ = self.step == self.pause_at


def test_a_run_under_the_same_name_overwrites_nothing(
    tmp_path: Path, host: Any, sd1_folder: Path
) -> None:
    told: list[str] = []
    cook_tiny(tiny_run(tmp_path, sd1_folder, max_train_epochs=1), host)
    before = snapshot(tmp_path / "loras")
    config = tiny_run(tmp_path, sd1_folder, max_train_epochs=1, unet_lr=0.5)
    again = cook_tiny(config, host, log=told.append)
    assert [it.name for it in again.cooked.loras] == ["tiny-2.safetensors"]
    assert read_file(again.cooked.loras[0])[1]["ss_output_name"] == "tiny-2"
    assert {**snapshot(tmp_path / "loras"), **before} == snapshot(tmp_path / "loras")
    assert any("named tiny-2" in line for line in told)


def test_the_watchdog_is_asked_behind_every_step_and_its_word_is_told(
    tmp_path: Path, host: Any, sd1_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(kitchen.Watchdog, "look", lambda dog, seconds: f"{dog.device} {seconds}")
    meal = cook_tiny(tiny_run(tmp_path, sd1_folder, max_train_epochs=1), host, log=told.append)
    barks = [float(it.split()[1]) for it in told if it.startswith("cpu ")]
    assert len(barks) == meal.cooked.steps
    assert 0 < sum(barks) <= meal.cooked.seconds


def test_a_stop_leaves_the_file_of_its_step(tmp_path: Path, host: Any, sd1_folder: Path) -> None:
    hand = Hand(stop=3)
    meal = cook_tiny(tiny_run(tmp_path, sd1_folder), host, hand.watch, hand)
    assert [it.name for it in meal.cooked.loras] == ["tiny-step00000003.safetensors"]
    metadata = read_file(meal.cooked.loras[0])[1]
    assert (metadata["ss_steps"], metadata["ss_epoch"]) == ("3", "1")


def test_what_is_thrown_away_is_gone_and_nothing_else(
    tmp_path: Path, host: Any, sd1_folder: Path
) -> None:
    cook_tiny(tiny_run(tmp_path, sd1_folder, max_train_epochs=1), host)
    before, hand = snapshot(tmp_path / "loras"), Hand(stop=6, discard=True)
    config = tiny_run(
        tmp_path, sd1_folder, sample_prompts=["star --s 1"], sample_at_first=True,
        save_every_n_steps=2, sample_sampler="euler",
    )  # fmt: skip
    meal = cook_tiny(config, host, hand.watch, hand)
    assert (meal.cooked.stopped, meal.cooked.loras) == ("cancelled", [])
    assert snapshot(tmp_path / "loras") == before


def test_a_pause_waits_with_its_state_kept_and_lets_the_host_work(
    tmp_path: Path, host: Any, sd1_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand, asked, states = Hand(pause=2), [], []
    config = tiny_run(tmp_path, sd1_folder, max_train_epochs=1)
    inner = type(host).interrupted

    def interrupted(self: Any) -> bool:
        asked.append(hand.step)
        states.append((tmp_path / "loras" / "tiny.state").exists())
        if asked.count(2) == 3:
            hand.paused_ = False
        return bool(inner(self))

    monkeypatch.setattr(type(host), "interrupted", interrupted)
    monkeypatch.setattr(kitchen, "REST", 0.0)
    meal = cook_tiny(config, host, hand.watch, hand)
    assert len(meal.losses) == 4
    assert asked.count(2) == 3
    assert [kept for step, kept in zip(asked, states, strict=True) if step == 2] == [True] * 3


@pytest.mark.parametrize("every", [{"save_state_every_n_steps": 2}, {"save_every_n_steps": 2}])
def test_a_kill_inside_an_epoch_costs_the_steps_since_the_last_state(
    tmp_path: Path, host: Any, sd1_folder: Path, every: dict[str, int]
) -> None:
    config = tiny_run(tmp_path, sd1_folder, network_dropout=0.2, output_dir="killed", **every)
    done = kill_at(config, tmp_path, host, 7)
    assert done.returncode == 9, done.stderr[-2000:]
    resumed = cook_tiny(config, host, resume=True)
    assert next(it.step for it in resumed.events if isinstance(it, Step)) == 7
    straight = cook_tiny(tiny_run(tmp_path, sd1_folder, network_dropout=0.2), host)
    assert resumed.losses == straight.losses[6:]
    assert_same_tensors(resumed.cooked.loras[-1], straight.cooked.loras[-1])
    assert [it.name for it in (tmp_path / "killed").iterdir() if "part" in it.name] == []


def test_a_state_is_kept_by_the_clock_too(
    tmp_path: Path, host: Any, sd1_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[int] = []
    inner = larder.Larder.keep_state
    monkeypatch.setattr(
        larder.Larder, "keep_state",
        lambda self: (kept.append(self.trainer.loop.step), inner(self))[1],
    )  # fmt: skip
    config = tiny_run(tmp_path, sd1_folder, max_train_epochs=1, save_state_every_n_minutes=1e-9)
    cook_tiny(config, host)
    assert kept == [1, 2, 3, 4, 4]


def full_while(monkeypatch: pytest.MonkeyPatch, full: Callable[[Path], bool], at: str) -> None:
    """Writing, syncing or moving a file fails as on a full disk, as long as `full` says so."""
    inner = atomic.write_atomically
    real = {"open": open, "fsync": os.fsync, "replace": os.replace}[at]

    def write(path: Path, data: bytes) -> None:
        def fails(*arguments: Any) -> Any:
            if full(path):
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(*arguments)

        with pytest.MonkeyPatch.context() as patch:
            if at == "open":
                patch.setattr(atomic, "open", fails, raising=False)
            else:
                patch.setattr(os, at, fails)
            inner(path, data)

    for module in ("networks.weights", "training.state"):
        monkeypatch.setattr(f"lib_lora_cook.{module}.write_atomically", write)


@pytest.mark.parametrize("at", ["open", "fsync", "replace"])
def test_a_full_disk_keeps_the_run_alive_and_the_next_save_tries_again(
    tmp_path: Path, host: Any, sd1_folder: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    """Epochs 1 and 2 go to the other folder, 3 to the first again; then a resume finds all."""
    told: list[str] = []
    first = tmp_path / "loras"
    now = {"step": 0}
    full_while(monkeypatch, lambda path: path.parent == first and now["step"] < 9, at)
    config = tiny_run(
        tmp_path, sd1_folder, output_dir_fallback="other", max_train_epochs=3, save_precision="fp16"
    )
    hand = Hand(stop=12)

    def watch(event: Any) -> None:
        now["step"] = event.step
        hand.watch(event)

    meal = cook_tiny(config, host, watch, hand, log=told.append)
    assert [it.relative_to(tmp_path).as_posix() for it in meal.cooked.loras] == [
        "other/tiny-000001.safetensors", "other/tiny-000002.safetensors", "loras/tiny.safetensors",
    ]  # fmt: skip
    assert sum("No space left" in line for line in told) == 4  # two files, two states
    assert (first / "tiny.state").exists()
    assert not (tmp_path / "other" / "tiny.state").exists()
    assert not list(tmp_path.rglob("*.part"))
    assert cook_tiny(config, host, resume=True).cooked.loras == meal.cooked.loras


def test_the_last_file_waits_for_room(
    tmp_path: Path, host: Any, sd1_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[Path] = []

    def full(path: Path) -> bool:
        tries.append(path)
        return len(tries) < 3

    full_while(monkeypatch, full, "open")
    monkeypatch.setattr(larder, "AGAIN", 0.0)
    meal = cook_tiny(tiny_run(tmp_path, sd1_folder, max_train_epochs=1), host)
    assert [it.name for it in meal.cooked.loras] == ["tiny.safetensors"]
    monkeypatch.setattr(larder, "INSIST", 0.0)
    tries.clear()
    with pytest.raises(UserError, match="The last file could not be written"):
        cook_tiny(tiny_run(tmp_path, sd1_folder, max_train_epochs=1, output_name="b"), host)


def test_broken_weights_are_never_published_and_the_good_files_stay(
    tmp_path: Path, host: Any, sd1_folder: Path
) -> None:
    """As if the optimizer itself had made a NaN behind the second epoch's first step."""
    good: dict[str, bytes | None] = {}

    def breaks(event: Any) -> None:
        if isinstance(event, Step) and event.step == 5:
            good.update(snapshot(tmp_path / "loras"))
            torch.nn.init.constant_(parameters[0], float("nan"))

    parameters: list[Any] = []
    inner = training.train

    def train(trainer: Any) -> Any:
        parameters.extend(trainer.loop.network.parameters())
        return inner(trainer)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kitchen, "train", train)
        with pytest.raises(UserError) as caught:
            cook_tiny(tiny_run(tmp_path, sd1_folder), host, breaks)
    assert "no finite numbers" in str(caught.value) or "no number" in str(caught.value)
    after = snapshot(tmp_path / "loras")
    told = good.pop("tiny.jsonl")
    assert after.pop("tiny.jsonl", b"").startswith(told)  # type: ignore[union-attr, arg-type]
    assert after == good
    assert "tiny-000001.safetensors" in good


def test_a_run_that_fails_by_a_mistake_keeps_what_it_reached(
    tmp_path: Path, host: Any, sd1_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory that is too small with one picture at a time: less is asked for, and it goes on."""
    config, inner = tiny_run(tmp_path, sd1_folder), training.accumulate
    lock = threading.Event()

    def runs_out(trainer: Any, batches: Any) -> float:
        if trainer.loop.step == 2 and not lock.is_set():
            raise UserError("Memory ran out with one picture at a time")
        return inner(trainer, batches)

    monkeypatch.setattr(training, "accumulate", runs_out)
    with pytest.raises(UserError, match="Memory ran out"):
        cook_tiny(config, host)
    lock.set()
    resumed = cook_tiny(tiny_run(tmp_path, sd1_folder, gradient_checkpointing=True), host,
                        resume=True)  # fmt: skip
    assert next(it.step for it in resumed.events if isinstance(it, Step)) == 3
