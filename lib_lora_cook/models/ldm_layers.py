"""Layers of live LDM modules as adapters can take them, whatever class the host gave them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from .names import ldm_unet_layers, text_layers
from .trainable import Layer, ModelFamily

MHA_PROJECTIONS = ("q_proj", "k_proj", "v_proj")


class SharedLinear(nn.Linear):
    """An nn.Linear for a live layer that is one in all but class: same weight, same `forward`.

    Adapters ask for nn.Linear; Forge's linear layers are not. What is put on `forward` here is put
    on the live layer.
    """

    def __init__(self, live: Any) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features = live.in_features, live.out_features
        self.__dict__["live"], self.__dict__["before"] = live, []

    @property
    def weight(self) -> Tensor:  # type: ignore[override]
        """The live layer's own."""
        weight: Tensor = self.__dict__["live"].weight
        return weight

    @property
    def bias(self) -> Tensor | None:  # type: ignore[override]
        """The live layer's own."""
        bias: Tensor | None = self.__dict__["live"].bias
        return bias

    @property
    def forward(self) -> Callable[..., Tensor]:
        """The live layer's; setting it shadows that, deleting it takes the shadow away."""
        call: Callable[..., Tensor] = self.__dict__["live"].forward
        return call

    @forward.setter
    def forward(self, call: Callable[..., Tensor]) -> None:
        live = self.__dict__["live"]
        self.__dict__["before"].append(live.__dict__.get("forward"))
        live.forward = call

    @forward.deleter
    def forward(self) -> None:
        live, before = self.__dict__["live"], self.__dict__["before"].pop()
        del live.forward
        if before is not None:
            live.forward = before


class ProjectionSlice(nn.Linear):
    """One of the three projections that nn.MultiheadAttention keeps in one weight."""

    def __init__(self, live: nn.MultiheadAttention, place: int) -> None:
        nn.Module.__init__(self)
        self.in_features = self.out_features = live.embed_dim
        self.__dict__["live"] = live
        self.rows = slice(place * live.embed_dim, (place + 1) * live.embed_dim)

    @property
    def weight(self) -> Tensor:  # type: ignore[override]
        """[C, C], a view of the live weight."""
        weight: Tensor = self.__dict__["live"].in_proj_weight[self.rows]
        return weight

    @property
    def bias(self) -> Tensor | None:  # type: ignore[override]
        """[C], a view of the live bias."""
        bias = self.__dict__["live"].in_proj_bias
        return None if bias is None else bias[self.rows]

    def forward(self, x: Tensor) -> Tensor:
        """x W^T + b."""
        return F.linear(x, self.weight, self.bias)


class SplitAttention:
    """A live nn.MultiheadAttention whose four projections can each wear an adapter.

    Its fused kernel never calls them; while one wears an adapter, attention is computed from them.
    """

    def __init__(self, live: nn.MultiheadAttention) -> None:
        self.live, self.fused = live, live.forward
        self.before = live.__dict__.get("forward")
        self.projections = [ProjectionSlice(live, place) for place in range(3)]
        live.forward = self.forward  # type: ignore[method-assign]

    def layers(self) -> Iterator[tuple[str, nn.Module]]:
        """(kohya's name of a projection, its layer)."""
        yield from zip(MHA_PROJECTIONS, self.projections, strict=True)
        yield "out_proj", self.live.out_proj

    def release(self) -> None:
        """Give the live layer its own `forward` back."""
        del self.live.forward
        if self.before is not None:
            self.live.forward = self.before  # type: ignore[method-assign]

    def forward(self, query: Tensor, key: Tensor, value: Tensor, *rest: Any, **named: Any) -> Any:
        """(output, None), sequence first: [T, N, C]; the fused kernel while nothing is worn."""
        if not any("forward" in layer.__dict__ for _, layer in self.layers()):
            return self.fused(query, key, value, *rest, **named)
        length, batch, width = query.shape
        heads = self.live.num_heads
        split = [
            layer(it).view(-1, batch, heads, width // heads).permute(1, 2, 0, 3)
            for layer, it in zip(self.projections, (query, key, value), strict=True)
        ]
        mask = named.get("attn_mask")
        mask = mask if mask is None or mask.dtype == bool else mask.to(split[0].dtype)
        mixed = F.scaled_dot_product_attention(split[0], split[1], split[2], attn_mask=mask)
        return self.live.out_proj(mixed.permute(2, 0, 1, 3).reshape(length, batch, width)), None


def adaptable(module: nn.Module) -> nn.Module | None:
    """The module as an nn.Linear or nn.Conv2d; None where it is neither in any host's clothes."""
    if isinstance(module, (nn.Linear, nn.Conv2d)):
        return module
    linear = type(module).__name__ == "Linear" and hasattr(module, "in_features")
    return SharedLinear(module) if linear else None


def unet_layers(unet: nn.Module, family: ModelFamily) -> list[Layer]:
    """Every layer of an LDM UNet that can be adapted."""
    found = {path: adaptable(module) for path, module in unet.named_modules()}
    kept = {path: module for path, module in found.items() if module is not None}
    return ldm_unet_layers(kept, family)


def clip_layers(encoder: nn.Module, prefix: str) -> list[Layer]:
    """Every layer of a transformers CLIP text model that can be adapted."""
    return [
        Layer(it.name, adaptable(it.module) or it.module, it.part, it.place)
        for it in text_layers(encoder, prefix)
    ]


def open_clip_layers(model: Any, prefix: str, splits: list[SplitAttention]) -> list[Layer]:
    """The layers of open_clip's text model whose attention is split, that first, by layer."""
    named: list[Layer] = []
    for index, (block, split) in enumerate(zip(model.transformer.resblocks, splits, strict=False)):
        start = f"{prefix}_text_model_encoder_layers_{index}"
        inner = [(f"self_attn_{name}", layer) for name, layer in split.layers()]
        inner += [("mlp_fc1", block.mlp.c_fc), ("mlp_fc2", block.mlp.c_proj)]
        named += [Layer(f"{start}_{name}", it, "text_encoder", "text") for name, it in inner]
    return named
