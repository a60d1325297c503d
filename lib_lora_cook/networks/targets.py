"""Which layers get an adapter, of which rank."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from torch import nn

from ..config import NetworkConfig, OptimizerConfig, conv_rank, learning_rates
from .blocks import Blocks, blocks_of, group_of


class AdaptableLayer(Protocol):
    """What a model tells of a layer; see `models.trainable.Layer`."""

    @property
    def name(self) -> str:
        """kohya's module name."""

    @property
    def module(self) -> nn.Module:
        """The live layer."""

    @property
    def part(self) -> str:
        """`unet` or `text_encoder`."""

    @property
    def place(self) -> str:
        """`text`, `attention`, `resnet` or `outer`."""


KOHYAS_OWN = ("LoRA", "LoCon")
"""The kinds that sd-scripts' own networks.lora makes; the others come by LyCORIS' preset full."""


@dataclass(frozen=True)
class Target:
    """One layer and the rank and alpha of its adapter."""

    name: str
    module: nn.Module
    part: str
    dim: int
    alpha: float


def network_targets(
    layers: Iterable[AdaptableLayer], network: NetworkConfig, optimizer: OptimizerConfig
) -> list[Target]:
    """The layers that this run adapts; where the learning rate is 0 there is none."""
    layers, rates = list(layers), learning_rates(optimizer)
    blocks = blocks_of(network, (layer.name for layer in layers))
    wanted = [it for it in layers if group_of(it.name, it.part, rates, blocks)[1] > 0]
    ranked = [(layer, *_rank(layer, network, blocks)) for layer in wanted]
    return [Target(it.name, it.module, it.part, dim, alpha) for it, dim, alpha in ranked if dim]


def _rank(layer: AdaptableLayer, network: NetworkConfig, blocks: Blocks) -> tuple[int, float]:
    """(dim, alpha) of one layer, as sd-scripts `networks/lora.py` and LyCORIS' preset full.

    LoRA adapts text encoders and whole attention blocks; with a conv rank also the resnets and
    their resamplers; LyCORIS' kinds the layers outside the blocks too.
    """
    convs = conv_rank(network)
    if layer.place == "resnet" and not (convs[0] or blocks.conv_dims):
        return 0, 0.0
    by_lycoris = network.network_type not in KOHYAS_OWN and _fits_lycoris(layer)
    if layer.place == "outer" and not by_lycoris:
        return 0, 0.0
    conv = tuple(getattr(layer.module, "kernel_size", (1, 1))) != (1, 1)
    usual = convs if conv else (network.network_dim, network.network_alpha)
    return blocks.rank(layer.name, conv, usual)


def _fits_lycoris(layer: AdaptableLayer) -> bool:
    """LyCORIS' preset names outer layers by diffusers' names, so SDXL's are never met."""
    return layer.name.startswith(("lora_unet_conv_", "lora_unet_time_embedding_"))
