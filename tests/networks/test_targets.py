"""Which layers get an adapter: against the lists that sd-scripts and LyCORIS themselves give."""

from __future__ import annotations

import json
import lzma
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from lib_lora_cook.config import NetworkConfig, OptimizerConfig
from lib_lora_cook.models.trainable import Layer
from lib_lora_cook.networks.attach import make_network
from lib_lora_cook.networks.targets import network_targets
from tests.real_models import real_layers

KEYS = json.loads(lzma.decompress((Path(__file__).parent / "keys.json.xz").read_bytes()))
"""{family-kind: settings, and modules: [[{tensor: shape, "=": alpha}, [module name, ...]], ...]}.

Read off networks that sd-scripts v0.10.1 (LoRA, LoCon) and LyCORIS 3.4 (LoHa, preset full) build.
"""
MODULES = {
    "sd1-LoRA": 264, "sd1-LoCon": 350, "sd1-LoHa": 354,
    "sdxl-LoRA": 986, "sdxl-LoCon": 1052, "sdxl-LoHa": 1052,
}  # fmt: skip


@cache
def layers(family: str) -> list[Layer]:
    return real_layers(family)


def config_of(case: str) -> NetworkConfig:
    facts = KEYS[case]
    return NetworkConfig(
        network_type=case.split("-")[1], network_dim=facts["network_dim"],
        network_alpha=facts["network_alpha"], conv_dim=facts["conv_dim"],
        conv_alpha=facts["conv_alpha"],
    )  # fmt: skip


@pytest.mark.parametrize("case", MODULES)
def test_keys_and_shapes_are_those_of_sd_scripts(case: str) -> None:
    expected: dict[str, tuple[int, ...]] = {}
    alphas: dict[str, float] = {}
    for facts, names in KEYS[case]["modules"]:
        shapes: dict[str, Any] = {key: tuple(shape) for key, shape in facts.items() if key != "="}
        for name in names:
            alphas[name] = float(facts["="])
            expected |= {f"{name}.{key}": shape for key, shape in shapes.items()}
    assert len(alphas) == MODULES[case]

    targets = network_targets(layers(case.split("-")[0]), config_of(case), OptimizerConfig())
    network = make_network(targets, config_of(case))

    ours = {key: tuple(value.shape) for key, value in network.tensors().items()}
    assert ours == expected
    assert {target.name: target.alpha for target in targets} == alphas


def test_modules_are_made_text_encoder_first_as_sd_scripts_makes_them() -> None:
    targets = network_targets(layers("sdxl"), NetworkConfig(), OptimizerConfig())
    order = [target.name.split("_")[1] for target in targets]
    assert sorted(set(order), key=order.index) == ["te1", "te2", "unet"]
    assert order == sorted(order)


@pytest.mark.parametrize(
    ("rates", "parts"),
    [
        ({"unet_lr": 0.0}, {"text_encoder"}),
        ({"text_encoder_lr": 0.0}, {"unet"}),
        ({}, {"unet", "text_encoder"}),
        ({"learning_rate": 0.0, "unet_lr": 1e-4}, {"unet"}),
        ({"unet_lr": 0.0, "text_encoder_lr": 0.0}, set()),
    ],
)
def test_a_part_at_learning_rate_0_gets_no_adapter(
    rates: dict[str, float], parts: set[str]
) -> None:
    targets = network_targets(layers("sd1"), NetworkConfig(), OptimizerConfig(**rates))
    assert {target.part for target in targets} == parts


def test_lora_with_a_conv_dim_is_a_locon() -> None:
    plain = NetworkConfig(network_type="LoRA", conv_dim=8, conv_alpha=4.0)
    locon = NetworkConfig(network_type="LoCon", conv_dim=8, conv_alpha=4.0)
    of = [network_targets(layers("sd1"), it, OptimizerConfig()) for it in (plain, locon)]
    assert of[0] == of[1]
    assert len(of[0]) == 350


def test_a_locon_without_conv_dim_takes_the_dim_and_alpha_of_the_network() -> None:
    config = NetworkConfig(network_type="LoCon", network_dim=16, network_alpha=8.0)
    targets = network_targets(layers("sd1"), config, OptimizerConfig())
    assert len(targets) == 350
    assert {(target.dim, target.alpha) for target in targets} == {(16, 8.0)}


def test_a_1x1_convolution_takes_the_network_dim() -> None:
    config = NetworkConfig(network_type="LoCon", network_dim=16, conv_dim=4)
    made = [
        Layer("lora_unet_a", nn.Conv2d(8, 8, 1), "unet", "resnet"),
        Layer("lora_unet_b", nn.Conv2d(8, 8, 3), "unet", "resnet"),
        Layer("lora_unet_c", nn.Linear(8, 8), "unet", "resnet"),
    ]
    assert [it.dim for it in network_targets(made, config, OptimizerConfig())] == [16, 4, 16]
