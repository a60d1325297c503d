"""What is trained at which rate, and that a missing gradient is found at the first step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from lib_lora_cook.config import TrainingConfig
from lib_lora_cook.config_file import config_of
from lib_lora_cook.errors import UserError
from lib_lora_cook.models.diffusers import DiffusersModel
from lib_lora_cook.training.groups import looks_for, parameter_groups, problems, unread_layers
from lib_lora_cook.training.train import Trainer, train
from tests.tiny_models import tiny_sd1, tiny_sdxl
from tests.tiny_runs import make_tiny_trainer, run_trainer, tiny_run

NOWHERE = Path("no checkpoint is read")


@pytest.fixture(scope="module")
def pipelines(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("models")
    return {"sd1": tiny_sd1(folder), "sdxl": tiny_sdxl(folder)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("run")


def trainer_of(folder: Path, pipeline: Any, **changes: Any) -> Trainer:
    return make_tiny_trainer(tiny_run(folder, NOWHERE, **changes), pipeline)


def rates_of(trainer: Trainer) -> dict[str, float]:
    groups = parameter_groups(trainer.config, trainer.loop.network)
    return {group["name"]: group["lr"] for group in groups}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"text_encoder_lr": 0.2}, {"text_encoder": 0.2, "unet": 0.01}),
        ({"text_encoder_lr": 0.0}, {"unet": 0.01}),
        ({"network_train_text_encoder_only": True}, {"text_encoder": 0.01}),
        (
            {"text_encoder_lr": [0.2, 0.3]},
            {"text_encoder": 0.2, "text_encoder_2": 0.3, "unet": 0.01},
        ),
        ({"text_encoder_lr": [0.2, 0.0]}, {"text_encoder": 0.2, "unet": 0.01}),
        (
            {"loraplus_lr_ratio": 4.0},
            {"text_encoder": 0.01, "text_encoder plus": 0.04, "unet": 0.01, "unet plus": 0.04},
        ),
        (
            {"loraplus_lr_ratio": 4.0, "loraplus_unet_lr_ratio": 16.0},
            {"text_encoder": 0.01, "text_encoder plus": 0.04, "unet": 0.01, "unet plus": 0.16},
        ),
        (
            {"loraplus_text_encoder_lr_ratio": 2.0},
            {"text_encoder": 0.01, "text_encoder plus": 0.02, "unet": 0.01},
        ),
    ],
)
def test_groups_and_rates_are_kohyas(
    folder: Path, pipelines: dict[str, Any], changes: dict[str, Any], expected: dict[str, float]
) -> None:
    trainer = trainer_of(folder, pipelines["sdxl"], **changes)
    assert rates_of(trainer) == pytest.approx(expected)
    in_groups = [it for group in trainer.loop.optimizer.param_groups for it in group["params"]]
    assert {id(it) for it in in_groups} == {id(it) for it in trainer.loop.network.parameters()}


def test_loraplus_speeds_up_the_up_weights_and_no_others(
    folder: Path, pipelines: dict[str, Any]
) -> None:
    trainer = trainer_of(folder, pipelines["sd1"], loraplus_lr_ratio=4.0)
    named = {id(it): name for name, it in trainer.loop.network.named_parameters()}
    for group in parameter_groups(trainer.config, trainer.loop.network):
        fast = {"lora_up" in named[id(it)] for it in group["params"]}
        assert fast == {group["name"].endswith(" plus")}


def test_every_block_is_a_group_with_its_share(folder: Path, pipelines: dict[str, Any]) -> None:
    changes = {"down_lr_weight": [0.0, 0.5], "mid_lr_weight": 0.25, "up_lr_weight": "zeros"}
    trainer = trainer_of(folder, pipelines["sd1"], text_encoder_lr=0.0, **changes)
    names = {target.name for target in trainer.loop.network.targets}
    assert not any("up_blocks" in name for name in names)
    assert rates_of(trainer) == pytest.approx({"unet_block1": 0.005, "unet_block12": 0.0025})
    before = {name: it.clone() for name, it in trainer.loop.network.tensors().items()}
    step: Any = run_trainer(trainer)[0]
    assert step.learning_rates["lr/unet_block1"] == pytest.approx(0.005)
    after = trainer.loop.network.tensors()
    assert not [n for n in before if "lora_up" in n and torch.equal(before[n], after[n])]


@pytest.mark.parametrize("family", ["sd1", "sdxl"])
@pytest.mark.parametrize("changes", [{}, {"clip_skip": 2}, {"network_type": "LoHa"}])
def test_a_sound_run_is_not_stopped(
    folder: Path, pipelines: dict[str, Any], family: str, changes: dict[str, Any]
) -> None:
    trainer = trainer_of(folder, pipelines[family], max_train_epochs=1, **changes)
    wanted = len(trainer.gradients.silent)
    run_trainer(trainer)
    assert wanted > 0 and trainer.gradients.silent == set()


@pytest.mark.parametrize(
    ("family", "clip_skip", "unread"),
    [
        ("sd1", None, set()),
        ("sd1", 2, {"te_2"}),
        ("sd1", 3, {"te_1", "te_2"}),
        ("sdxl", 2, {"te1_2"}),
    ],
)
def test_text_layers_that_no_one_reads_need_no_gradient(
    folder: Path, pipelines: dict[str, Any], family: str, clip_skip: int | None, unread: set[str]
) -> None:
    changes = {} if clip_skip is None else {"clip_skip": clip_skip}
    config = tiny_run(folder, NOWHERE, **changes)
    model = DiffusersModel(pipelines[family], config.model)
    names = unread_layers((layer.name for layer in model.layers()), model, config)
    assert {f"{it.split('_')[1]}_{it.split('_')[6]}" for it in names} == unread
    trainer = make_tiny_trainer(config, pipelines[family])
    run_trainer(trainer)
    without = {
        name for name, it in trainer.loop.network.adapters.items()
        if not any(
            value.any() for key, value in it.state_dict().items() if key.startswith("lora_up")
        )
    }  # fmt: skip
    assert without == names  # and these indeed have learnt nothing


def test_an_attention_without_a_gradient_stops_the_run_at_its_first_step(
    folder: Path, pipelines: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = trainer_of(folder, pipelines["sd1"], text_encoder_lr=0.0)
    attention = torch.nn.functional.scaled_dot_product_attention
    monkeypatch.setattr(
        torch.nn.functional, "scaled_dot_product_attention",
        lambda *given, **named: attention(*given, **named).detach(),
    )  # fmt: skip
    with pytest.raises(UserError) as caught:
        run_trainer(trainer)
    told = str(caught.value)
    assert "attn1_to_k" in told and "--opt-sdp-attention" in told
    assert "No gradient reaches 24 of 48 adapters" in told
    assert trainer.loop.step == 0


def test_other_layers_without_a_gradient_are_named(folder: Path, pipelines: dict[str, Any]) -> None:
    trainer = trainer_of(folder, pipelines["sd1"], text_encoder_lr=0.0)
    target = next(it for it in trainer.loop.network.targets if it.name.endswith("proj_in"))
    with pytest.raises(UserError, match=target.name), trainer.loop.network:
        target.module.forward = type(target.module).forward.__get__(target.module)
        next(train(trainer))


def test_skipped_modules_are_waited_for(folder: Path, pipelines: dict[str, Any]) -> None:
    assert [looks_for(rate) for rate in (0.0, 0.1, 0.5, 0.9, 1.0)] == [1, 9, 30, 197, 1]
    run_trainer(trainer_of(folder, pipelines["sd1"], module_dropout=0.5, max_train_epochs=1))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"network_type": "LoHa", "loraplus_lr_ratio": 16}, "nothing to work on in a LoHa"),
        ({"network_type": "LoKr", "network_dropout": 0.1}, "set rank_dropout or module_dropout"),
        ({"optimizer_type": "Prodigy", "loraplus_lr_ratio": 16}, "one learning rate for all"),
        ({"optimizer_type": "DAdaptAdam", "up_lr_weight": "sine"}, "one learning rate for all"),
        ({"down_lr_weight": "sin"}, "or one of cosine"),
        ({"rank_dropout": 1.0}, "rank_dropout is 1, so nothing would be left to train"),
        ({"network_type": "DoRA", "loraplus_lr_ratio": 16}, ""),
        ({"optimizer_type": "Prodigy"}, ""),
    ],
)
def test_what_does_not_fit_together_is_told(changes: dict[str, Any], says: str) -> None:
    config, wrong = config_of({**changes, "subsets": []}, Path())
    assert isinstance(config, TrainingConfig) and wrong == []
    found = problems(config)
    assert (len(found) == 1 and says in found[0]) if says else found == []
