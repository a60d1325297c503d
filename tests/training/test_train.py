"""The loop: what a step does, what it leaves alone, and that it can be broken off anywhere."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lib_lora_cook.errors import UserError
from lib_lora_cook.networks.attach import delta_weight
from lib_lora_cook.training import train as module
from lib_lora_cook.training.learning_rate import schedule
from lib_lora_cook.training.train import (
    PATIENCE,
    EpochEnd,
    Step,
    Trainer,
    fixed_seed,
    optimizer_step,
    train,
)
from tests.tiny_models import tiny_sd1, tiny_sdxl
from tests.tiny_runs import make_tiny_trainer, run_trainer, tiny_run

NOWHERE = Path("no checkpoint is read")


@pytest.fixture(scope="module")
def pipelines(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("models")
    return {"sd1": tiny_sd1(folder), "sdxl": tiny_sdxl(folder)}


@pytest.fixture
def sd1(pipelines: dict[str, Any]) -> Any:
    return pipelines["sd1"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("run")


def trainer_of(folder: Path, pipeline: Any, **changes: Any) -> Trainer:
    return make_tiny_trainer(tiny_run(folder, NOWHERE, **changes), pipeline)


def weights(trainer: Trainer) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in trainer.loop.network.tensors().items()}


def same(one: dict[str, Tensor], two: dict[str, Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def steps_of(events: list[Any]) -> list[Step]:
    return [event for event in events if isinstance(event, Step)]


def test_events_are_steps_and_epoch_ends_in_order(folder: Path, sd1: Any) -> None:
    events = run_trainer(trainer_of(folder, sd1))
    told = [
        (event.step, event.epoch) if isinstance(event, Step) else ("end", event.epoch, event.step)
        for event in events
    ]
    assert told == [
        (1, 1), (2, 1), (3, 1), (4, 1), ("end", 1, 4),
        (5, 2), (6, 2), (7, 2), (8, 2), ("end", 2, 8),
    ]  # fmt: skip
    assert all(math.isfinite(step.loss) for step in steps_of(events))


def test_max_train_steps_ends_in_the_middle_of_an_epoch(folder: Path, sd1: Any) -> None:
    config = tiny_run(folder, NOWHERE, max_train_steps=5)
    config = replace(config, loop=replace(config.loop, max_train_epochs=None))
    events = run_trainer(make_tiny_trainer(config, sd1))
    assert len(steps_of(events)) == 5
    assert [it for it in events if isinstance(it, EpochEnd)] == [EpochEnd(1, 4), EpochEnd(2, 5)]


def test_training_changes_every_adapter_and_no_weight_of_the_model(folder: Path, sd1: Any) -> None:
    parts = (sd1.unet, sd1.vae, sd1.text_encoder)
    before = [{name: it.clone() for name, it in part.state_dict().items()} for part in parts]
    trainer = trainer_of(folder, sd1)
    at_first = weights(trainer)
    run_trainer(trainer)
    after = weights(trainer)
    # SD1 reads all layers of its text encoder, so each of its adapters has a gradient.
    still = [name for name in at_first if torch.equal(at_first[name], after[name])]
    assert {name.rpartition(".")[2] for name in still} == {"alpha"}
    for part, state in zip(parts, before, strict=True):
        assert same(state, part.state_dict())


def test_the_same_run_twice_is_the_same_bit_for_bit(folder: Path, sd1: Any) -> None:
    runs = [trainer_of(folder, sd1, network_dropout=0.2) for _ in range(2)]
    losses = []
    for number, trainer in enumerate(runs):
        torch.manual_seed(number)  # What others have drawn does not matter.
        losses.append([step.loss for step in steps_of(run_trainer(trainer))])
    assert losses[0] == losses[1]
    assert same(*map(weights, runs))


def test_another_seed_is_another_run(folder: Path, sd1: Any) -> None:
    one, two = (trainer_of(folder, sd1, seed=seed, max_train_epochs=1) for seed in (1, 2))
    assert not same(weights(one), weights(two))
    assert [it.loss for it in steps_of(run_trainer(one))] != [
        it.loss for it in steps_of(run_trainer(two))
    ]


def test_the_loss_falls(folder: Path, sd1: Any) -> None:
    trainer = trainer_of(folder, sd1, max_train_epochs=25, loss_type="l2")
    losses = [step.loss for step in steps_of(run_trainer(trainer))]
    assert sum(losses[-20:]) < sum(losses[:20])


@pytest.mark.parametrize("stop", range(1, 10))
def test_a_run_broken_off_after_any_event_goes_on_as_if_nothing_had_been(
    folder: Path, sd1: Any, stop: int
) -> None:
    changes = {"network_dropout": 0.2, "rank_dropout": 0.1, "module_dropout": 0.1}
    straight, broken = (trainer_of(folder, sd1, **changes) for _ in range(2))
    expected = run_trainer(straight)
    with broken.loop.network:
        first = list(islice(train(broken), stop))
    torch.rand(3)
    second = run_trainer(broken)
    assert [*first, *second] == expected
    assert same(weights(straight), weights(broken))


def test_a_step_leaves_pytorch_s_own_randomness_as_it_was(folder: Path, sd1: Any) -> None:
    trainer = trainer_of(folder, sd1, network_dropout=0.5, scale_weight_norms=1.0)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    with trainer.loop.network:
        next(train(trainer))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_fixed_seed_is_made_of_its_key_alone() -> None:
    def drawn(key: str) -> tuple[float, float, float]:
        with fixed_seed(key, torch.device("cpu")) as (generator, rng):
            return float(torch.rand(1)), float(torch.rand(1, generator=generator)), rng.random()

    one = drawn("1:5")
    torch.rand(1)
    assert drawn("1:5") == one
    assert drawn("1:6") != one
    assert len(set(one)) == 3


def batches_of(trainer: Trainer, count: int) -> list[Any]:
    return list(islice(trainer.batches.epoch(1), count))


def test_accumulated_batches_make_one_step_of_their_mean(
    folder: Path, sd1: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = trainer_of(folder, sd1, max_grad_norm=0.0, optimizer_type="SGD", unet_lr=0.0)
    losses: list[float] = []
    inner = module.losses

    def listened(*arguments: Any) -> Tensor:
        loss = inner(*arguments)
        losses.append(float(loss.detach().mean()))
        return loss

    monkeypatch.setattr(module, "losses", listened)
    before = weights(trainer)
    with trainer.loop.network:
        trainer.loop.network.train()
        total = optimizer_step(trainer, batches_of(trainer, 3))
    gradients = {
        name.removeprefix("adapters."): it.grad
        for name, it in trainer.loop.network.named_parameters()
    }
    assert total == pytest.approx(sum(losses) / 3)
    for name, value in weights(trainer).items():
        if not name.endswith("alpha"):
            torch.testing.assert_close(value, before[name] - 0.01 * gradients[name])  # type: ignore[operator]


@pytest.mark.parametrize(("accumulated", "steps"), [(1, 8), (2, 4), (3, 4), (9, 2)])
def test_an_epoch_s_last_step_may_sum_up_fewer_batches(
    folder: Path, sd1: Any, accumulated: int, steps: int
) -> None:
    trainer = trainer_of(folder, sd1, gradient_accumulation_steps=accumulated)
    events = run_trainer(trainer)
    assert len(steps_of(events)) == trainer.total_steps == steps
    assert sum(isinstance(event, EpochEnd) for event in events) == 2


def test_gradients_are_clipped(folder: Path, sd1: Any) -> None:
    changes = {"optimizer_type": "SGD", "unet_lr": 1.0, "text_encoder_lr": 1.0}
    trainer = trainer_of(folder, sd1, max_grad_norm=0.001, **changes)
    before = weights(trainer)
    with trainer.loop.network:
        optimizer_step(trainer, batches_of(trainer, 1))
    moved = [(value - before[name]).square().sum() for name, value in weights(trainer).items()]
    assert float(torch.stack(moved).sum().sqrt()) == pytest.approx(0.001, rel=0.01)


def test_norms_stay_below_their_limit(folder: Path, sd1: Any) -> None:
    trainer = trainer_of(folder, sd1, scale_weight_norms=0.01, unet_lr=0.1, text_encoder_lr=0.1)
    run_trainer(trainer)
    with torch.no_grad():
        norms = [float(delta_weight(it).norm()) for it in trainer.loop.network.adapters.values()]
    assert max(norms) == pytest.approx(0.01, rel=1e-4)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_step_without_a_finite_loss_is_not_applied(
    folder: Path, sd1: Any, monkeypatch: pytest.MonkeyPatch, value: float
) -> None:
    trainer = trainer_of(folder, sd1)
    with trainer.loop.network:
        loop = train(trainer)
        next(loop)
        before = weights(trainer)
        state = repr(trainer.loop.optimizer.state_dict()["state"])
        inner = module.losses
        monkeypatch.setattr(module, "losses", lambda *it: inner(*it) * value)
        bad = next(loop)
        assert isinstance(bad, Step) and not math.isfinite(bad.loss)
        assert same(weights(trainer), before)
        assert repr(trainer.loop.optimizer.state_dict()["state"]) == state
        assert trainer.loop.refused == 1

        monkeypatch.undo()
        next(loop)
        assert trainer.loop.refused == 0
        assert not same(weights(trainer), before)
        assert all(torch.isfinite(it).all() for it in weights(trainer).values())


def test_a_run_gives_up_after_too_many_such_steps(
    folder: Path, sd1: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = trainer_of(folder, sd1, max_train_epochs=20)
    inner = module.losses
    monkeypatch.setattr(module, "losses", lambda *it: inner(*it) * float("nan"))
    before, steps = weights(trainer), 0
    with pytest.raises(UserError, match=f"{PATIENCE} steps in a row"), trainer.loop.network:
        for event in train(trainer):
            steps += isinstance(event, Step)
    assert steps == PATIENCE - 1
    assert same(weights(trainer), before)


def test_a_gradient_that_is_not_finite_is_not_applied(folder: Path, sd1: Any) -> None:
    trainer = trainer_of(folder, sd1)
    before = weights(trainer)
    parameter = next(trainer.loop.network.parameters())
    handle = parameter.register_hook(lambda gradient: gradient * float("inf"))
    with trainer.loop.network:
        optimizer_step(trainer, batches_of(trainer, 1))
    handle.remove()
    assert same(weights(trainer), before)
    assert trainer.loop.refused == 1


@pytest.mark.parametrize(
    ("changes", "parts"),
    [({"text_encoder_lr": 0.0}, {"unet"}), ({"unet_lr": 0.0}, {"te"}), ({}, {"te", "unet"})],
)
def test_one_part_alone_is_trained(
    folder: Path, sd1: Any, changes: dict[str, float], parts: set[str]
) -> None:
    trainer = trainer_of(folder, sd1, max_train_epochs=1, **changes)
    before = weights(trainer)
    events = run_trainer(trainer)
    assert {name.split("_")[1] for name in before} == parts
    assert not same(weights(trainer), before)
    assert len(steps_of(events)[0].learning_rates) == len(parts)


def test_captions_are_encoded_once_where_the_text_encoder_is_not_trained(
    folder: Path, sd1: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached, plain = (trainer_of(folder, sd1, text_encoder_lr=0.0) for _ in range(2))
    asked: list[str] = []
    encode = cached.model.encode_text

    def listened(captions: Any, sizes: Any = None) -> Any:
        asked.extend(captions)
        return encode(captions, sizes)

    cached.model.encode_text = listened  # type: ignore[method-assign]
    losses = [step.loss for step in steps_of(run_trainer(cached))]
    assert len(asked) == len({picture.caption for picture in cached.batches.pictures})

    monkeypatch.setattr(
        module, "conditioning",
        lambda trainer, captions, sizes: trainer.model.encode_text(captions, sizes),
    )  # fmt: skip
    expected = [step.loss for step in steps_of(run_trainer(plain))]
    assert losses == pytest.approx(expected, rel=1e-5)


def test_encoded_captions_do_not_pile_up(folder: Path, sd1: Any) -> None:
    trainer = trainer_of(folder, sd1, text_encoder_lr=0.0, max_train_epochs=1)
    trainer.texts.most_bytes = 1
    run_trainer(trainer)
    assert len(trainer.texts.kept) == 1


def test_a_trained_text_encoder_is_asked_at_every_step(folder: Path, sd1: Any) -> None:
    trainer = trainer_of(folder, sd1, max_train_epochs=1)
    run_trainer(trainer)
    assert trainer.texts.kept == {}


@pytest.mark.parametrize(
    "changes",
    [
        {"lr_scheduler": "constant"},
        {"lr_scheduler": "constant_with_warmup", "lr_warmup_steps": 3},
        {"lr_scheduler": "linear", "lr_warmup_steps": 0.25},
        {"lr_scheduler": "cosine"},
        {"lr_scheduler": "cosine_with_restarts", "lr_scheduler_num_cycles": 2},
        {"lr_scheduler": "polynomial", "lr_scheduler_power": 2.0},
    ],
    ids=lambda it: str(it["lr_scheduler"]),
)
def test_every_step_has_the_learning_rate_of_its_schedule(
    folder: Path, sd1: Any, changes: dict[str, Any]
) -> None:
    trainer = trainer_of(folder, sd1, unet_lr=0.01, text_encoder_lr=0.002, **changes)
    factor = schedule(trainer.config.optimizer, 8)
    rates = [step.learning_rates for step in steps_of(run_trainer(trainer))]
    assert [it["lr/unet"] for it in rates] == pytest.approx([0.01 * factor(s) for s in range(8)])
    assert [it["lr/text_encoder"] for it in rates] == pytest.approx(
        [0.002 * factor(s) for s in range(8)]
    )


@pytest.mark.parametrize("kind", ["LoRA", "LoCon", "LoHa"])
@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_every_network_trains_on_every_family(
    folder: Path, pipelines: dict[str, Any], family: str, kind: str
) -> None:
    trainer = trainer_of(folder, pipelines[family], network_type=kind, text_encoder_lr=0.001)
    before = weights(trainer)
    with trainer.loop.network:
        steps = list(islice(train(trainer), 2))
    assert all(isinstance(it, Step) and math.isfinite(it.loss) for it in steps)
    after = weights(trainer)
    assert all(torch.isfinite(it).all() for it in after.values())
    moved = [name for name in before if not torch.equal(before[name], after[name])]
    assert {name.split("_")[1] for name in moved} == {name.split("_")[1] for name in before}


@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_bf16_trains_and_keeps_the_adapters_in_fp32(
    folder: Path, pipelines: dict[str, Any], family: str
) -> None:
    runs = [
        trainer_of(folder, pipelines[family], mixed_precision=it, max_train_epochs=1)
        for it in ("no", "bf16")
    ]
    full, half = ([step.loss for step in steps_of(run_trainer(it))] for it in runs)
    assert full != half
    assert half == pytest.approx(full, rel=0.05)
    assert {it.dtype for it in runs[1].loop.network.parameters()} == {torch.float32}
    assert not same(*map(weights, runs))


def test_checkpointing_changes_nothing_but_the_memory(folder: Path, tmp_path: Path) -> None:
    sd1, changes = tiny_sd1(tmp_path), {"network_dropout": 0.2, "max_train_epochs": 1}
    plain = trainer_of(folder, sd1, **changes)
    losses = [step.loss for step in steps_of(run_trainer(plain))]
    checkpointed = trainer_of(folder, sd1, gradient_checkpointing=True, **changes)
    again = [step.loss for step in steps_of(run_trainer(checkpointed))]
    assert again == pytest.approx(losses, rel=1e-4)
    for name, value in weights(plain).items():
        # Adam's first steps divide a gradient by itself, so rounding counts where it is tiny
        torch.testing.assert_close(weights(checkpointed)[name], value, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    "changes",
    [
        {"loss_type": "l1"}, {"loss_type": "huber"}, {"loss_type": "smooth_l1"},
        {"min_snr_gamma": 0.1}, {"noise_offset": 0.1}, {"multires_noise_iterations": 6},
        {"ip_noise_gamma": 0.1}, {"zero_terminal_snr": True}, {"v_parameterization": True},
        {"debiased_estimation_loss": True}, {"min_timestep": 900},
    ],
    ids=lambda it: next(iter(it)) + str(next(iter(it.values()))),
)  # fmt: skip
def test_every_setting_of_the_loss_reaches_it(
    folder: Path, sd1: Any, changes: dict[str, Any]
) -> None:
    plain, other = (trainer_of(folder, sd1, max_train_epochs=1, **it) for it in ({}, changes))
    losses = [[step.loss for step in steps_of(run_trainer(trainer))] for trainer in (plain, other)]
    assert losses[0] != losses[1]
    assert all(map(math.isfinite, losses[1]))
