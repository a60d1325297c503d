"""Files of one layout share their adapters; each is worn with its own weights."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from lib_lora_cook.config import NetworkConfig
from lib_lora_cook.networks.attach import attached, make_network
from lib_lora_cook.networks.targets import Target
from lib_lora_cook.networks.wardrobe import uncollected, wardrobe_of
from lib_lora_cook.networks.weights import network_of_file, save_network
from tests.networks.test_attach import LAYERS, picture_for


class Placed:
    """A layer as a model tells of it."""

    def __init__(self, module: nn.Module) -> None:
        self.name, self.module, self.part, self.place = "lora_unet_a", module, "unet", "attention"


def write(path: Path, layer: nn.Module, kind: str, dim: int, alpha: float) -> Path:
    """A LoRA file of random weights for one layer."""
    config = NetworkConfig(network_type=kind, network_dim=dim, conv_dim=dim)
    network = make_network([Target("lora_unet_a", layer, "unet", dim, alpha)], config)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.3)
    save_network(network, path, {}, "float")
    return path


@pytest.mark.parametrize("kind", ["LoRA", "LoHa", "LoKr", "DoRA"])
@pytest.mark.parametrize("made", LAYERS.values(), ids=LAYERS.keys())
@torch.no_grad()
def test_each_file_draws_as_if_it_were_the_only_one(
    tmp_path: Path, kind: str, made: Callable[[], nn.Module]
) -> None:
    layer = made()
    loras = [
        write(tmp_path / f"{name}.safetensors", layer, kind, dim, alpha)
        for name, dim, alpha in (("a", 2, 2.0), ("b", 2, 2.0), ("c", 2, 1.0), ("d", 3, 3.0))
    ]
    x, placed = picture_for(layer), [Placed(layer)]
    bare = layer(x)
    with wardrobe_of(loras, placed, torch.float32) as wardrobe:
        outfits = wardrobe.outfits
        shared = [outfits[it].network is outfits[loras[0]].network for it in loras]
        assert shared == [True, True, False, False], "another alpha or rank is another network"
        for lora in (*loras, loras[0]):
            wardrobe.wear(lora, 0.7)
            worn = layer(x)
            wardrobe.wear(None, 0.0)
            with attached(network_of_file(lora, placed).eval(), 0.7):
                assert torch.allclose(worn, layer(x), atol=1e-5)
            assert not torch.allclose(worn, bare, atol=1e-3)
    assert torch.equal(layer(x), bare)


@pytest.mark.parametrize(("dtype", "near"), [(torch.float32, 1e-5), (torch.bfloat16, 0.05)])
@pytest.mark.parametrize("made", LAYERS.values(), ids=LAYERS.keys())
@torch.no_grad()
def test_a_weight_a_picture_is_that_weight_alone(
    tmp_path: Path, made: Callable[[], nn.Module], dtype: torch.dtype, near: float
) -> None:
    """Adapters of another precision than the layer's are cast, those of the same are not."""
    layer = made()
    lora = write(tmp_path / "a.safetensors", layer, "LoCon", 2, 1.0)
    x, weights = picture_for(layer), [0.3, 1.0]
    x = torch.cat([x[:1], x[:1]])
    with wardrobe_of([lora], [Placed(layer)], dtype) as wardrobe:
        wardrobe.wear(lora, weights)
        together = layer(x)
        for place, weight in enumerate(weights):
            wardrobe.wear(lora, weight)
            assert torch.allclose(together[place], layer(x)[place], atol=near)
    assert not torch.allclose(together[0], together[1], atol=0.1)


def test_the_collector_goes_on_as_it_was() -> None:
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError), uncollected():
        assert not gc.isenabled()
        raise ZeroDivisionError
    assert gc.isenabled()
    gc.disable()
    try:
        with uncollected():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
