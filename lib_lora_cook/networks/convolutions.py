"""Convolutions of few places on a CPU: one matrix product, with the weight as it lies."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

MOST = 128
"""Places of all pictures of a batch; from about 200 on torch's own convolution is as quick."""
PAIRS = ("stride", "padding", "dilation")


class Columns:
    """The places that a kernel is laid on, [in * kh * kw, places]: what im2col and col2im need.

    x: [B, in, H, W]; kernel: (kh, kw); geometry: stride, padding and dilation as pairs.
    """

    def __init__(self, x: torch.Size, kernel: Sequence[int], geometry: Mapping[str, Any]) -> None:
        self.batch, self.inner, self.kernel = x[0], x[2:], tuple(kernel)
        self.geometry = {name: geometry[name] for name in PAIRS}
        steps, pads, gaps = self.geometry.values()
        self.outer = tuple(
            (side + 2 * pad - gap * (size - 1) - 1) // step + 1
            for side, size, step, pad, gap in zip(
                self.inner, self.kernel, steps, pads, gaps, strict=True
            )
        )
        self.places = self.batch * self.outer[0] * self.outer[1]

    def of(self, x: Tensor) -> Tensor:
        """[B, in, H, W] -> [in * kh * kw, places]."""
        return F.unfold(x, self.kernel, **self.geometry).transpose(0, 1).flatten(1)

    def back(self, columns: Tensor) -> Tensor:
        """The gradient of `of`: what lies on a pixel is summed, [B, in, H, W]."""
        apart = columns.unflatten(1, (self.batch, -1)).transpose(0, 1)
        return F.fold(apart, self.inner, self.kernel, **self.geometry)

    def rows(self, pictures: Tensor) -> Tensor:
        """[B, out, h, w] -> [out, places]."""
        return pictures.transpose(0, 1).flatten(1)

    def pictures(self, rows: Tensor) -> Tensor:
        """[out, places] -> [B, out, h, w]."""
        return rows.unflatten(1, (self.batch, *self.outer)).transpose(0, 1).contiguous()


def quick_columns(x: Tensor, kernel: Sequence[int], geometry: Mapping[str, Any]) -> Columns | None:
    """The columns of x where a product of matrices is quicker than torch's convolution.

    torch's (oneDNN's) brings the weight into an order of its own at each call, forward and
    backward. In the deepest layers of a UNet that takes up to five times as long as the arithmetic.
    """
    pairs = all(isinstance(geometry[name], tuple) for name in PAIRS)  # padding may be a word
    if x.device.type != "cpu" or x.ndim != 4 or not pairs or geometry["groups"] != 1:
        return None
    columns = Columns(x.shape, kernel, geometry)
    return columns if 0 < columns.places <= MOST else None


def convolution(
    x: Tensor, weight: Tensor, bias: Tensor | None, geometry: Mapping[str, Any]
) -> Tensor:
    """F.conv2d with a weight that is not trained, [B, in, H, W] -> [B, out, h, w]."""
    columns = quick_columns(x, weight.shape[2:], geometry)
    if columns is None:
        return F.conv2d(x, weight, bias, **geometry)
    laid, flat = columns.of(x), weight.flatten(1)
    rows = flat @ laid if bias is None else torch.addmm(bias[:, None], flat, laid)
    return columns.pictures(rows)


@contextmanager
def quick_convolutions(layers: Iterable[nn.Module]) -> Iterator[None]:
    """These layers compute as `convolution` does, for this thread: a host may draw in another.

    Only what a layer's `forward`, torch's or a host's, hands its weight to is shadowed.
    """
    shadowed: list[Any] = [it for it in layers if isinstance(it, nn.Conv2d) and is_bare(it)]
    for layer in shadowed:
        layer._conv_forward = _quick_forward(layer)
    try:
        yield
    finally:
        for layer in shadowed:
            del layer._conv_forward


def is_quick(layer: nn.Module) -> bool:
    """Whether a layer computes so at the moment, for this thread."""
    own = vars(layer).get("_conv_forward")
    return getattr(own, "thread", None) == threading.get_ident()


def is_bare(layer: nn.Conv2d) -> bool:
    """Whether nobody has patched how it convolves, and it pads with zeros."""
    own = type(layer)._conv_forward is nn.Conv2d._conv_forward
    return own and "_conv_forward" not in vars(layer) and layer.padding_mode == "zeros"


def _quick_forward(layer: Any) -> Callable[..., Tensor]:
    """What stands in for a layer's own; others' threads get the bits that they always had."""
    own, thread = layer._conv_forward, threading.get_ident()
    geometry = {name: getattr(layer, name) for name in (*PAIRS, "groups")}

    def forward(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if weight.requires_grad or threading.get_ident() != thread:
            made: Tensor = own(x, weight, bias)
            return made
        return convolution(x, weight, bias, geometry)

    vars(forward)["thread"] = thread
    return forward
