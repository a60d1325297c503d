"""What a run will take, by one step that is tried, against what it takes."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch

from lib_lora_cook.cook import preflight, run
from lib_lora_cook.cook.preflight import check_fit, forecast, largest_batch, smaller
from lib_lora_cook.errors import UserError
from lib_lora_cook.hosts.standalone import StandaloneHost
from lib_lora_cook.jobs import null_job
from lib_lora_cook.training.batches import Batch
from lib_lora_cook.training.memory import most_taken
from lib_lora_cook.training.pictures import read_pictures
from lib_lora_cook.training.train import Step, Trainer, train
from tests.tiny_models import tiny_sd1, tiny_sdxl
from tests.tiny_runs import Telling, cook_tiny, make_tiny_trainer, snapshot, tiny_run


def trainer_of(folder: Path, make: Any = tiny_sd1, **settings: Any) -> Trainer:
    pipeline = make(folder)
    alike = {"resolution": 64, "enable_bucket": False, "max_train_epochs": 1}
    return make_tiny_trainer(tiny_run(folder, folder, **{**alike, **settings}), pipeline)


def batch_of(trainer: Trainer) -> Batch:
    return next(iter(trainer.batches.epoch(1)))


def steps(trainer: Trainer) -> list[float]:
    return [event.loss for event in train(trainer) if isinstance(event, Step)]


@pytest.mark.parametrize(
    ("make", "settings"),
    [
        (tiny_sd1, {}),
        (tiny_sd1, {"gradient_checkpointing": True, "network_dim": 32}),
        (tiny_sd1, {"network_type": "LoHa", "optimizer_type": "Lion", "unet_lr": 1e-4}),
        (tiny_sd1, {"network_type": "LoKr", "train_batch_size": 4, "text_encoder_lr": 0.0}),
        (tiny_sd1, {"optimizer_type": "Prodigy", "unet_lr": 1.0, "text_encoder_lr": 1.0}),
        (tiny_sdxl, {"gradient_checkpointing": True, "gradient_accumulation_steps": 2}),
        (tiny_sdxl, {"network_type": "LoCon", "conv_dim": 4, "train_batch_size": 1}),
    ],
)
def test_the_peak_is_told_to_within_a_tenth(
    tmp_path: Path, make: Any, settings: dict[str, Any]
) -> None:
    trainer = trainer_of(tmp_path, make, **settings)
    with trainer.loop.network:
        found = forecast(trainer, batch_of(trainer))
        model = sum(
            it.nbytes
            for part in trainer.model.movable().values()
            for p in part
            for it in p.parameters()
        )
        with most_taken(trainer.model.device) as taken:
            steps(trainer)
    assert model + found.on_top == pytest.approx(model + taken.most, rel=0.1)
    assert found.peak == found.held + found.on_top


def test_what_is_tried_changes_no_loss(tmp_path: Path) -> None:
    losses = []
    for tries in (0, 2):
        trainer = trainer_of(tmp_path)
        with trainer.loop.network:
            for _ in range(tries):
                forecast(trainer, batch_of(trainer))
            losses.append(steps(trainer))
    assert losses[0] == losses[1] and len(losses[0]) == 3


def test_a_card_that_holds_fewer_pictures_gets_fewer_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    trainer = trainer_of(tmp_path, train_batch_size=4)
    trainer.warn = told.append
    with trainer.loop.network:
        whole = forecast(trainer, batch_of(trainer))
        monkeypatch.setattr(preflight, "free_bytes", lambda device: whole.on_top - 1)
        check_fit(trainer, batch_of(trainer), Telling(told.append))
    assert trainer.part == 2
    assert "2 pictures at a time" in told[0] and "MiB were free" in told[1]


def test_a_card_that_holds_none_is_refused_with_what_to_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = trainer_of(tmp_path, network_dim=64)
    monkeypatch.setattr(preflight, "free_bytes", lambda device: 1000)
    with trainer.loop.network, pytest.raises(UserError, match="does not fit") as caught:
        check_fit(trainer, batch_of(trainer), null_job)
    for setting in ("gradient_checkpointing = true", "medvram", "blocks_to_swap", "network_dim"):
        assert setting in str(caught.value)
    assert all(it.grad is None for it in trainer.loop.network.parameters())


@pytest.mark.parametrize("fits", [True, False])
def test_a_run_is_tried_before_its_first_step_and_writes_nothing_where_it_does_not_fit(
    tmp_path: Path, sd1_folder: Path, monkeypatch: pytest.MonkeyPatch, fits: bool
) -> None:
    monkeypatch.setattr(run, "is_tried", lambda device: True)
    monkeypatch.setattr(preflight, "free_bytes", lambda device: 10**12 if fits else 1000)
    config, told = tiny_run(tmp_path, sd1_folder, max_train_epochs=1), list[str]()
    host, before = StandaloneHost(tmp_path / "home"), snapshot(tmp_path / "loras")
    with nullcontext() if fits else pytest.raises(UserError, match="does not fit"):
        meal = cook_tiny(config, host, log=told.append)
        assert meal.losses and any("of the graphics card" in it for it in told)
    assert (snapshot(tmp_path / "loras") == before) is not fits


def test_what_is_wrong_with_the_model_is_told_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(checkpointing: bool) -> None:
        raise UserError("The attention kernel in use gives no gradient")

    trainer = trainer_of(tmp_path)
    monkeypatch.setattr(trainer.model, "train", refuse)
    with trainer.loop.network, pytest.raises(UserError, match="gives no gradient"):
        check_fit(trainer, batch_of(trainer), null_job)


def test_what_changing_a_setting_saves_is_what_it_saves(tmp_path: Path) -> None:
    found = {}
    for on in (False, True):
        trainer = trainer_of(tmp_path, gradient_checkpointing=on, train_batch_size=1)
        with trainer.loop.network:
            found[on] = forecast(trainer, batch_of(trainer)).step
            if not on:
                told = dict(preflight.saved(trainer, batch_of(trainer)))
    assert told["gradient_checkpointing = true"] == pytest.approx(
        found[False] - found[True], rel=0.3
    )


def test_a_corner_stands_for_a_picture() -> None:
    size: Any = None
    batch = Batch(torch.zeros(2, 4, 64, 48), ["a", "b"], [size] * 2, torch.ones(2),
                  torch.ones(2, 64, 48))  # fmt: skip
    corner, times = smaller(batch)
    assert corner.latents.shape == (1, 4, 32, 24) and corner.captions == ["a"]
    assert corner.masks is not None and corner.masks.shape == (1, 32, 24)
    assert times == 4


@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_a_batch_of_the_largest_bucket_is_full(
    tmp_path: Path, sd1_folder: Path, batch_size: int
) -> None:
    pictures = read_pictures(tiny_run(tmp_path, sd1_folder))
    tried = largest_batch(pictures, batch_size)
    sizes = [it.fit.bucket[0] * it.fit.bucket[1] for it in pictures]
    assert len({it.fit.bucket for it in tried}) == 1
    assert sum(it.subset.num_repeats or 1 for it in tried) >= batch_size
    assert tried[0].fit.bucket[0] * tried[0].fit.bucket[1] == max(sizes)
