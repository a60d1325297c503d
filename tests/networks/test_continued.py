"""Going on from a LoRA file: what is taken over, what is kept, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from lib_lora_cook.config import NetworkConfig, OptimizerConfig
from lib_lora_cook.errors import UserError
from lib_lora_cook.models.trainable import Layer
from lib_lora_cook.networks.attach import make_network
from lib_lora_cook.networks.continued import continued_network, with_ranks_of_file
from lib_lora_cook.networks.targets import network_targets
from lib_lora_cook.networks.weights import family_of_tensors, save_network
from tests.real_models import real_layers

BOTH = OptimizerConfig(unet_lr=0.1, text_encoder_lr=0.1)


def some_layers() -> list[Layer]:
    torch.manual_seed(0)
    attention = "lora_unet_{}_attentions_0_transformer_blocks_0_attn2_to_k"
    return [
        Layer("lora_te_text_model_a", nn.Linear(8, 8), "text_encoder", "text"),
        Layer(attention.format("down_blocks_0"), nn.Linear(8, 8), "unet", "attention"),
        Layer("lora_unet_down_blocks_0_resnets_0_conv1", nn.Conv2d(8, 8, 3), "unet", "resnet"),
        Layer(attention.format("up_blocks_1"), nn.Linear(8, 8), "unet", "attention"),
    ]


def write(path: Path, layers: list[Layer], **settings: Any) -> dict[str, torch.Tensor]:
    """A file as if trained; returns its tensors."""
    config = NetworkConfig(**{"network_dim": 3, "network_alpha": 1.5, **settings})
    network = make_network(network_targets(layers, config, BOTH), config)
    generator = torch.Generator().manual_seed(1)
    for parameter in network.parameters():
        parameter.data.copy_(torch.randn(parameter.shape, generator=generator))
    save_network(network, path, {}, "float")
    return network.tensors()


def config_for(path: Path, **settings: Any) -> NetworkConfig:
    return with_ranks_of_file(NetworkConfig(network_weights=str(path), **settings))


@pytest.mark.parametrize("kind", ["LoRA", "LoCon", "LoHa", "LoKr", "DoRA"])
def test_all_tensors_of_the_file_are_gone_on_from(tmp_path: Path, kind: str) -> None:
    layers, path = some_layers(), tmp_path / "a.safetensors"
    expected = write(path, layers, network_type=kind)
    network = continued_network(layers, config_for(path, network_type=kind), BOTH)
    found = network.tensors()
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        if not (kind == "LoKr" and name.endswith("alpha")):  # of no effect on a full matrix
            assert torch.equal(found[name], value), name
    assert network.frozen == set()


@pytest.mark.parametrize("kind", ["LoRA", "LoCon", "LoHa", "DoRA"])
def test_the_file_s_ranks_and_alphas_become_the_run_s(tmp_path: Path, kind: str) -> None:
    layers, path = some_layers(), tmp_path / "a.safetensors"
    write(path, layers, network_type=kind, conv_dim=2, conv_alpha=1.0)
    config = config_for(path, network_type=kind, network_dim=16, conv_dim=16)
    assert (config.network_dim, config.network_alpha) == (3, 1.5)
    assert (config.conv_dim, config.conv_alpha) == (2, 1.0)


@pytest.mark.parametrize(
    ("rates", "blocks", "kept"),
    [
        ({"text_encoder_lr": 0.0}, {}, {"lora_te_text_model_a"}),
        ({"unet_lr": 0.0}, {}, {it.name for it in some_layers()[1:]}),
        ({}, {"up_lr_weight": "zeros"}, {some_layers()[3].name}),
    ],
)
def test_what_has_a_learning_rate_of_0_is_kept_as_it_is(
    tmp_path: Path, rates: dict[str, float], blocks: dict[str, str], kept: set[str]
) -> None:
    layers, path = some_layers(), tmp_path / "a.safetensors"
    expected = write(path, layers, network_type="LoCon")
    optimizer = OptimizerConfig(**{"unet_lr": 0.1, "text_encoder_lr": 0.1, **rates})
    config = config_for(path, network_type="LoCon", **blocks)
    network = continued_network(layers, config, optimizer)
    assert network.frozen == kept
    assert network.tensors().keys() == expected.keys()
    assert all(
        it.requires_grad is (name.split(".")[1] not in kept)
        for name, it in network.named_parameters()
    )


def test_layers_that_the_file_lacks_get_fresh_adapters_unless_told_not_to(tmp_path: Path) -> None:
    layers, path = some_layers(), tmp_path / "a.safetensors"
    write(path, layers[1:2])
    network = continued_network(layers, config_for(path), BOTH)
    assert [it.name for it in network.targets] == [layers[i].name for i in (0, 1, 3)]
    assert {it.dim for it in network.targets} == {3}
    up = network.tensors()[f"{layers[0].name}.lora_up.weight"]
    assert not up.any()
    alone = continued_network(layers, config_for(path, dim_from_weights=True), BOTH)
    assert [it.name for it in alone.targets] == [layers[1].name]


def test_the_dropouts_of_the_run_hold(tmp_path: Path) -> None:
    layers, path = some_layers(), tmp_path / "a.safetensors"
    write(path, layers)
    config = config_for(path, network_dropout=0.1, rank_dropout=0.2, module_dropout=0.3)
    adapter: Any
    for adapter in continued_network(layers, config, BOTH).adapters.values():
        assert adapter.dropout.p == 0.1
        assert (adapter.rank_dropout, adapter.module_dropout) == (0.2, 0.3)


@pytest.mark.parametrize(
    ("made", "wanted"), [("LoHa", "LoRA"), ("LoRA", "LoHa"), ("DoRA", "LoRA"), ("LoKr", "LoCon")]
)
def test_a_file_of_another_kind_is_refused_by_name(tmp_path: Path, made: str, wanted: str) -> None:
    path = tmp_path / "a.safetensors"
    write(path, some_layers(), network_type=made)
    with pytest.raises(UserError, match=f"is a {made}, and network_type is {wanted}"):
        config_for(path, network_type=wanted)


def test_lora_and_locon_are_one_kind(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write(path, some_layers(), network_type="LoCon", conv_dim=2)
    assert config_for(path, network_type="LoRA").conv_dim == 2


@pytest.mark.parametrize(("family", "spoken"), [("sd1", "SD1"), ("sdxl", "SDXL")])
@pytest.mark.parametrize("kind", ["LoRA", "LoHa"])
def test_the_family_of_a_file_is_seen_by_its_names(family: str, spoken: str, kind: str) -> None:
    config = NetworkConfig(network_type=kind, network_dim=2)
    network = make_network(network_targets(real_layers(family), config, BOTH), config)
    assert family_of_tensors(network.tensors()) == spoken


def test_other_families_are_told_apart_too() -> None:
    key = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight"
    assert family_of_tensors({key: torch.ones(4, 1024)}) == "SD2"
    assert family_of_tensors({key: torch.ones(4, 16)}) == "SD1 or SD2"
    assert "not known" in family_of_tensors({"lora_unet_double_blocks_0_a.alpha": torch.ones(1)})


def test_a_file_of_another_family_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    layer = Layer("lora_te2_text_model_a", nn.Linear(8, 8), "text_encoder", "text")
    write(path, [layer])
    with pytest.raises(UserError, match="such as lora_te2_text_model_a: it is of SDXL"):
        continued_network(some_layers(), config_for(path), BOTH)
