"""The loop where memory is short: smaller parts with the same result, and lower precision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from lib_lora_cook.errors import UserError
from lib_lora_cook.training import train as module
from lib_lora_cook.training.memory import OUT_OF_MEMORY
from lib_lora_cook.training.train import (
    PATIENCE,
    Step,
    Trainer,
    accumulate,
    optimizer_step,
)
from tests.tiny_models import tiny_sd1
from tests.tiny_runs import make_tiny_trainer, run_trainer, tiny_run, write_pictures

NOWHERE = Path("no checkpoint is read")


@pytest.fixture(scope="module")
def sd1(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return tiny_sd1(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    write_pictures(folder / "pictures", 8)
    return folder


def trainer_of(folder: Path, pipeline: Any, **changes: Any) -> Trainer:
    changes = {"train_batch_size": 4, "enable_bucket": False, **changes}
    return make_tiny_trainer(tiny_run(folder, NOWHERE, **changes), pipeline)


def gradients(trainer: Trainer) -> list[torch.Tensor]:
    """Of the first step; weights are set so that every adapter has some."""
    torch.manual_seed(0)
    for parameter in trainer.loop.network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    with trainer.loop.network:
        accumulate(trainer, list(trainer.batches.epoch(1))[:1])
    return cloned_gradients(trainer)


def cloned_gradients(trainer: Trainer) -> list[torch.Tensor]:
    return [it.grad.clone() for it in trainer.loop.network.parameters() if it.grad is not None]


def short_of_memory(monkeypatch: pytest.MonkeyPatch, most: int) -> list[int]:
    """More than `most` pictures at a time run out of memory; returns how many were tried."""
    inner, tried = module.losses, []

    def losses(trainer: Trainer, mixed: Any, rows: slice) -> Any:
        count = len(mixed.noisy[rows])
        tried.append(count)
        if count > most:
            raise OUT_OF_MEMORY("not enough")
        return inner(trainer, mixed, rows)

    monkeypatch.setattr(module, "losses", losses)
    return tried


@pytest.mark.parametrize(("most", "tried"), [(2, [4, 2, 2]), (1, [4, 2, 1, 1, 1, 1])])
def test_short_memory_gives_the_same_gradients_in_smaller_parts(
    folder: Path, sd1: Any, monkeypatch: pytest.MonkeyPatch, most: int, tried: list[int]
) -> None:
    """The batch, its noise and its timesteps stay the same: the sum differs by rounding only."""
    whole = gradients(trainer_of(folder, sd1))
    told: list[str] = []
    trainer = trainer_of(folder, sd1)
    trainer.warn = told.append
    asked = short_of_memory(monkeypatch, most)
    parts = gradients(trainer)
    assert asked == tried
    assert trainer.part == most
    assert f"computed {most} pictures at a time" in told[-1]
    assert len(whole) == len(parts)
    for one, two in zip(whole, parts, strict=True):
        torch.testing.assert_close(two, one, rtol=1e-3, atol=1e-6)


def test_a_run_that_ran_out_of_memory_goes_on_in_parts_to_its_end(
    folder: Path, sd1: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run_trainer(trainer_of(folder, sd1, unet_lr=1e-4, text_encoder_lr=1e-4))
    tried = short_of_memory(monkeypatch, 2)
    parts = run_trainer(trainer_of(folder, sd1, unet_lr=1e-4, text_encoder_lr=1e-4))
    assert tried == [4, *[2] * 8]
    losses = [[it.loss for it in run if isinstance(it, Step)] for run in (whole, parts)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)


def test_one_picture_that_does_not_fit_is_told_with_what_to_do(
    folder: Path, sd1: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    short_of_memory(monkeypatch, 0)
    with pytest.raises(UserError, match="one picture at a time.*gradient_checkpointing"):
        run_trainer(trainer_of(folder, sd1))


def test_accumulated_steps_are_those_of_a_bigger_batch(folder: Path, sd1: Any) -> None:
    """Two batches of two against one of four, of the same pictures, noise aside."""
    trainer = trainer_of(folder, sd1)
    (batch, *_) = trainer.batches.epoch(1)
    halves = [
        module.Batch(batch.latents[it], batch.captions[it], batch.sizes[it], batch.weights[it])
        for it in (slice(0, 2), slice(2, 4))
    ]

    def fixed(trainer: Trainer, batch: Any, *randomness: Any) -> Any:
        noise = batch.latents.flip(-1) * 0.5 + 0.1
        timesteps = torch.full((len(noise),), 400)
        return module.Mixed(batch, batch.latents + noise, noise, timesteps)

    found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "mix", fixed)
        for batches in ([batch], halves):
            torch.manual_seed(0)
            for parameter in trainer.loop.network.parameters():
                torch.nn.init.normal_(parameter, std=0.1)
            with trainer.loop.network:
                loss = accumulate(trainer, batches)
            grads = [
                it.grad.clone() for it in trainer.loop.network.parameters() if it.grad is not None
            ]
            found.append((loss, grads))
    assert float(found[0][0]) == pytest.approx(float(found[1][0]), rel=1e-5)
    for one, two in zip(found[0][1], found[1][1], strict=True):
        torch.testing.assert_close(two, one, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("network", ["LoRA", "LoHa"])
def test_full_bf16_trains_the_adapters_in_it(folder: Path, sd1: Any, network: str) -> None:
    changes = {"mixed_precision": "bf16", "network_type": network, "unet_lr": 1e-3}
    trainer = trainer_of(folder, sd1, full_bf16=True, **changes)
    before = {name: it.clone() for name, it in trainer.loop.network.tensors().items()}
    losses = [it.loss for it in run_trainer(trainer) if isinstance(it, Step)]
    plain = trainer_of(folder, sd1, **changes)
    wanted = [it.loss for it in run_trainer(plain) if isinstance(it, Step)]
    assert {it.dtype for it in trainer.loop.network.parameters()} == {torch.bfloat16}
    assert {it.dtype for it in plain.loop.network.parameters()} == {torch.float32}
    assert losses == pytest.approx(wanted, rel=0.05)
    after = trainer.loop.network.tensors()
    assert any(not torch.equal(after[name], before[name]) for name in before)


@pytest.mark.skipif(
    not hasattr(torch.amp, "GradScaler"), reason="before torch 2.3 only a GPU has a scaler"
)
def test_the_scaler_leaves_out_steps_that_overflow_but_not_for_ever(folder: Path, sd1: Any) -> None:
    """It halves its scale at each one; where that does not help, the run says so and ends."""
    trainer = trainer_of(folder, sd1, mixed_precision="fp16")
    parameter = next(trainer.loop.network.parameters())
    handle = parameter.register_hook(lambda gradient: gradient * float("inf"))
    batches, steps = list(trainer.batches.epoch(1))[:1], 0
    before = {name: it.clone() for name, it in trainer.loop.network.tensors().items()}
    with trainer.loop.network:
        optimizer_step(trainer, batches)
        assert (trainer.loop.scaler.get_scale(), trainer.loop.refused) == (32768.0, 0)
        with pytest.raises(UserError, match=f"{PATIENCE} steps in a row"):
            while steps < 40:
                optimizer_step(trainer, batches)
                steps += 1
    handle.remove()
    assert steps == 15 + PATIENCE - 1
    after = trainer.loop.network.tensors()
    assert all(torch.equal(after[name], before[name]) for name in before)
