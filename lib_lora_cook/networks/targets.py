"""Which layers get an adapter, of which rank."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from torch import nn

from ..config import NetworkConfig, OptimizerConfig, conv_rank, learning_rates


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
    """The layers that this run adapts; a part whose learning rate is 0 gets none."""
    rates = dict(zip(("unet", "text_encoder"), learning_rates(optimizer), strict=True))
    wanted = [layer for layer in layers if rates[layer.part] > 0]
    ranked = [(layer, *_rank(layer, network)) for layer in wanted]
    return [Target(it.name, it.module, it.part, dim, alpha) for it, dim, alpha in ranked if dim]


def _rank(layer: AdaptableLayer, network: NetworkConfig) -> tuple[int, float]:
    """(dim, alpha) of one layer, as sd-scripts `networks/lora.py` and LyCORIS' preset full.

    LoRA adapts text encoders and whole attention blocks; with a conv rank also the resnets and
    their resamplers; LyCORIS' kinds the layers outside the blocks too.
    """
    conv_dim, conv_alpha = conv_rank(network)
    if layer.place == "resnet" and not conv_dim:
        return 0, 0.0
    by_lycoris = network.network_type not in KOHYAS_OWN and _fits_lycoris(layer)
    if layer.place == "outer" and not by_lycoris:
        return 0, 0.0
    kernel = getattr(layer.module, "kernel_size", (1, 1))
    if tuple(kernel) != (1, 1):
        return conv_dim, conv_alpha
    return network.network_dim, network.network_alpha


def _fits_lycoris(layer: AdaptableLayer) -> bool:
    """LyCORIS' preset names outer layers by diffusers' names, so SDXL's are never met."""
    return layer.name.startswith(("lora_unet_conv_", "lora_unet_time_embedding_"))
