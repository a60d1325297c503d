"""Every network, optimizer, schedule and family together: two steps, and the file read again."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel
from torch import Tensor
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from lib_lora_cook.config import LoopConfig, NetworkConfig, OptimizerConfig, TrainingConfig
from lib_lora_cook.models.diffusers import DiffusersModel
from lib_lora_cook.models.trainable import SD2, Layer, PictureSize
from lib_lora_cook.networks.attach import Network, make_network
from lib_lora_cook.networks.targets import network_targets
from lib_lora_cook.networks.weights import network_of_file, save_network
from lib_lora_cook.training.batches import Batch
from lib_lora_cook.training.optimizer_kinds import OPTIMIZERS
from lib_lora_cook.training.optimizers import averaged_weights, problems
from lib_lora_cook.training.train import Step, fixed_seed, make_trainer, train
from tests import tiny_models

FAMILIES = ("sd1", "sd2", "sdxl")
KINDS = ("LoRA", "LoCon", "LoHa", "LoKr", "DoRA")
STAND_INS = ("8bit", "32bit", "PagedAdamW")
"""Without a GPU these are AdamW, Lion and SGDNesterov, which are here by their own names."""
LEFT_OUT = ("ProdigyPlusScheduleFree", "DAdaptation")
"""Whose package the tests do not have; and another name of DAdaptAdamPreprint."""
OPTIMIZER_NAMES = [
    name for name in OPTIMIZERS if name not in LEFT_OUT and not name.endswith(STAND_INS)
]
REFUSED = ("DAdaptSGD", "constant_with_warmup")
"""The one pair that cannot be: this optimizer does not bear a first rate of 0."""
ARGUMENTS = {
    "Adafactor": ["relative_step=False"],  # else it has a schedule of its own
    "RAdamScheduleFree": ["silent_sgd_phase=False"],  # else it waits for more than two steps
}
OWN_SETTINGS: dict[str, dict[str, Any]] = {
    "constant_with_warmup": {"lr_warmup_steps": 1.0},
    "cosine_with_restarts": {"lr_scheduler_num_cycles": 3},
    "cosine_with_min_lr": {"lr_scheduler_min_lr_ratio": 0.1},
    "inverse_sqrt": {"lr_scheduler_timescale": 1},
    "warmup_stable_decay": {"lr_decay_steps": 0.5},
}
SCHEDULES = [
    name
    for item in fields(OptimizerConfig) if item.name == "lr_scheduler"
    for name in item.metadata["choices"] if name != "adafactor"
]  # fmt: skip
ADAPTED = (
    "layers_0_self_attn_q_proj", "layers_0_mlp_fc1", "attentions_0_proj_in", "attn2_to_k",
    "resnets_0_conv1", "1_1_proj_in", "1_0_in_layers_2",
)  # fmt: skip
"""Ends of names: a text encoder's two, a 1x1 convolution or linear, a cross-attention, a 3x3."""


class Toy:
    """A model of a family, so small that a step takes milliseconds, and one batch for it."""

    per_epoch = 2

    def __init__(self, family: str, folder: Path) -> None:
        torch.manual_seed(0)
        xl = family == "sdxl"
        words = tiny_models.tokenizer(folder)
        config = tiny_models.text_config(words, 8, layers=2)
        unet: Any = UNet2DConditionModel(
            sample_size=4, block_out_channels=(8,), layers_per_block=1, norm_num_groups=4,
            down_block_types=("CrossAttnDownBlock2D",), up_block_types=("UpBlock2D",),
            mid_block_type=None, cross_attention_dim=16 if xl else 8, attention_head_dim=2,
            use_linear_projection=family != "sd1",
            **XL_UNET if xl else {},
        )  # fmt: skip
        parts = SimpleNamespace(
            unet=unet, vae=torch.nn.Identity(), text_encoder=CLIPTextModel(config), tokenizer=words,
            scheduler=tiny_models.scheduler(),
        )  # fmt: skip
        if xl:
            parts.text_encoder_2 = CLIPTextModelWithProjection(config)
            parts.tokenizer_2 = tiny_models.tokenizer(folder, pad="!")
        self.model = DiffusersModel(parts, replace(RUN.model, max_token_length=75))
        if family == "sd2":
            self.model.family, self.model.v_prediction = SD2, True
        self.layers = [it for it in self.model.layers() if it.name.endswith(ADAPTED)]
        self.model.layers = lambda: self.layers  # type: ignore[method-assign]
        size = PictureSize((32, 32), (0, 0), (32, 32))
        self.batch = Batch(torch.randn(1, 4, 4, 4), ["red"], [size], torch.ones(1))

    def epoch(self, number: int, done: int = 0) -> Iterator[Batch]:
        """The batch, twice."""
        yield from [self.batch] * (self.per_epoch - done)

    def output(self, network: Network) -> Tensor:
        """What the model predicts with a network on its layers."""
        with network.eval(), torch.no_grad():
            told = self.model.encode_text(self.batch.captions, self.batch.sizes)
            return self.model.predict(self.batch.latents, torch.tensor([500]), told)


XL_UNET: dict[str, Any] = {
    "addition_embed_type": "text_time", "addition_time_embed_dim": 4,
    "projection_class_embeddings_input_dim": 8 + 6 * 4,
}  # fmt: skip
RUN = TrainingConfig(loop=LoopConfig(train_batch_size=1, max_train_epochs=1))


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Toy]:
    folder = tmp_path_factory.mktemp("words")
    return {family: Toy(family, folder) for family in FAMILIES}


def run_of(kind: str, optimizer: str, scheduler: str) -> TrainingConfig:
    """A run at rates that every optimizer bears."""
    rates = OptimizerConfig(
        optimizer_type=optimizer, optimizer_args=ARGUMENTS.get(optimizer, []),
        learning_rate=1.0 if optimizer.startswith(("Prodigy", "DAdapt")) else 1e-3,
        lr_scheduler=scheduler, **OWN_SETTINGS.get(scheduler, {}),
    )  # fmt: skip
    network = NetworkConfig(network_type=kind, network_dim=2, network_alpha=1.0)
    return replace(RUN, network=network, optimizer=rates)


def two_steps(toy: Toy, config: TrainingConfig) -> tuple[Any, list[float], set[str]]:
    """(the trainer behind its run, the losses, the adapters that have not moved)."""
    model: Any = toy.model
    batches: Any = toy
    with fixed_seed("network", model.device):
        network = make_network(
            network_targets(toy.layers, config.network, config.optimizer), config.network
        )
    before = {name: value.clone() for name, value in network.tensors().items()}
    trainer = make_trainer(config, model, network, batches, lambda message: None)
    with network:
        losses = [event.loss for event in train(trainer) if isinstance(event, Step)]
    after = network.tensors()
    moved = {name.split(".")[0] for name in after if not torch.equal(after[name], before[name])}
    assert all(value.isfinite().all() for value in after.values())
    return trainer, losses, {layer.name for layer in adapted(toy.layers, config)} - moved


def adapted(layers: list[Layer], config: TrainingConfig) -> list[Layer]:
    """A plain LoRA leaves the resnets alone."""
    return [it for it in layers if config.network.network_type != "LoRA" or it.place != "resnet"]


@pytest.mark.slow  # all together
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.parametrize("optimizer", OPTIMIZER_NAMES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_two_steps_of_every_schedule_and_the_file_read_again(
    toys: dict[str, Toy], tmp_path: Path, family: str, kind: str, optimizer: str
) -> None:
    toy = toys[family]
    for scheduler in SCHEDULES:
        run = run_of(kind, optimizer, scheduler)
        if (optimizer, scheduler) == REFUSED:
            assert problems(run.optimizer) != []
            continue
        trainer, losses, still = two_steps(toy, run)
        assert (len(losses), all(map(math.isfinite, losses))) == (2, True), scheduler
        assert still == set(), scheduler

    network = trainer.loop.network
    with averaged_weights(trainer.loop.optimizer):
        save_network(network, tmp_path / "a.safetensors", {}, "float")
        trained = toy.output(network)
    read = toy.output(network_of_file(tmp_path / "a.safetensors", toy.layers))
    torch.testing.assert_close(read, trained, rtol=1e-5, atol=1e-6)
    assert not torch.equal(trained, toy.output(Network([])))


def test_nothing_is_missing_from_the_matrix(toys: dict[str, Toy]) -> None:
    choices = next(it for it in fields(NetworkConfig) if it.name == "network_type").metadata
    assert set(KINDS) == set(choices["choices"])
    assert len(OPTIMIZER_NAMES) >= 16 and len(SCHEDULES) == 9
    for family, toy in toys.items():
        places = {(it.place, type(it.module).__name__) for it in toy.layers}
        expected = {("text", "Linear"), ("attention", "Linear"), ("resnet", "Conv2d")}
        assert places == expected | ({("attention", "Conv2d")} if family == "sd1" else set())
        assert {it.name.split("_")[1] for it in toy.layers} >= (
            {"te1", "te2"} if family == "sdxl" else {"te"}
        )
