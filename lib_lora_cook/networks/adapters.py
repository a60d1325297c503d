"""What an adapter computes, without work that its layer does already."""

from __future__ import annotations

from typing import Any

import torch
from lycoris.modules.locon import LoConModule
from lycoris.modules.loha import LohaModule
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn import grad

from .convolutions import convolution, is_quick, quick_columns


class LowRank(LoConModule):
    """LyCORIS' LoCon as a low-rank branch, with the dropouts of sd-scripts' networks.lora.

    dropout drops features behind `down`; rank_dropout drops ranks by picture and makes up for them.
    """

    def bypass_forward_diff(self, x: Tensor, scale: float = 1) -> Tensor:
        """(up * alpha / dim * scale)(down(x)), [B, ..., out]: `up` is smaller than any output."""
        casts, factor = is_autocasting(x.device.type), self.scale * scale
        inner = self.lora_down(x if casts else x.to(self.lora_down.weight.dtype))
        if self.tucker:
            inner = self.lora_mid(inner)
        if self.training and isinstance(self.dropout, nn.Dropout):
            inner = self.dropout(inner)
        if self.training and self.rank_dropout:
            kept = torch.rand(len(inner), self.lora_dim, device=inner.device) > self.rank_dropout
            ranks = (-1, 1, 1) if inner.ndim == 4 else (*[1] * (inner.ndim - 2), -1)
            inner = inner * kept.view(len(inner), *ranks)
            factor = factor / (1 - self.rank_dropout)
        up = self.lora_up.weight * factor
        made = F.linear(inner, up) if up.ndim == 2 else F.conv2d(inner, up)
        return made if casts else made.to(x.dtype)

    def bypass_forward(self, x: Tensor, scale: float = 1) -> Tensor:
        """The layer's output with the branch's, [B, ..., out]."""
        return self.added_to(self.org_forward(x), x, scale)

    def added_to(self, plain: Tensor, x: Tensor, scale: float | Tensor) -> Tensor:
        """plain + bypass_forward_diff(x) * scale, [B, ..., out]; a tensor has a factor a picture.

        Where nothing is trained and nothing cast, without what a call of a host's layers costs:
        pictures of a sheet are small, and a branch is mostly that.
        """
        down, up = self.lora_down.weight, self.lora_up.weight
        one_kind = x.dtype == plain.dtype == down.dtype and not is_autocasting(x.device.type)
        if self.training or self.tucker or not one_kind:
            if isinstance(scale, Tensor):
                return torch.addcmul(plain, self.bypass_forward_diff(x), scale)
            return plain + self.bypass_forward_diff(x, scale)
        factor = scale * self.scale
        if up.ndim == 4:
            inner = F.conv2d(x, down, None, **self.kw_dict) * factor
            return plain + F.conv2d(inner, up)
        inner = F.linear(x, down) * factor
        flat = torch.addmm(plain.flatten(0, -2), inner.flatten(0, -2), up.T)
        return flat.view_as(plain)


class Hadamard(LohaModule):
    """LyCORIS' LoHa as one layer with a merged weight, which no one keeps.

    LyCORIS runs the layer, then the change of its weight, and keeps several copies of the whole
    weight for the backward pass.
    """

    def forward(self, x: Tensor, *args: Any, **options: Any) -> Tensor:
        """op(x, W + (w1_a w1_b) * (w2_a w2_b) * alpha / dim * strength)."""
        dropped = self.training and self.rank_dropout  # of rows of the whole weight
        if args or options or dropped or self.wd or self.tucker:
            whole: Tensor = super().forward(x, *args, **options)
            return whole
        if self.training and self.module_dropout and torch.rand(1) < self.module_dropout:
            return self.org_forward(x)
        factors = self.hada_w1_a, self.hada_w1_b, self.hada_w2_a, self.hada_w2_b
        layer, dtype = self.org_module[0], compute_dtype(x)
        factor = self.scale * self.multiplier
        call = Call(self.op, self.shape, self.kw_dict, factor, is_quick(layer))
        # In half precision the sum would round away what is small beside the weight.
        if is_plain(self.org_forward, layer) and dtype == layer.weight.dtype == torch.float32:
            return HadamardLayer.apply(x, layer.weight, layer.bias, call, *factors)
        made: Tensor = HadamardLayer.apply(x.to(dtype), None, None, call, *factors)
        base: Tensor = self.org_forward(x)
        return base + made.to(base.dtype)


OURS: dict[Any, Any] = {LoConModule: LowRank, LohaModule: Hadamard}
"""What stands in for LyCORIS' own."""


class Call:
    """How a layer is computed: linear or conv2d, its weight's shape and geometry, the strength.

    is_quick: as the layer itself at the moment, so that without a strength its bits are the same.
    """

    def __init__(
        self, op: Any, shape: tuple[int, ...], geometry: Any, factor: float, is_quick: bool
    ) -> None:
        self.op, self.shape, self.geometry, self.factor = op, shape, geometry, factor
        self.is_quick = is_quick

    def weight(self, base: Tensor | None, one: Tensor, two: Tensor) -> Tensor:
        """base + one * two * factor in the layer's shape; without a base only what is added."""
        delta = (one * two).view(self.shape)
        if base is None:
            return delta.mul_(self.factor)
        return torch.add(base, delta, alpha=self.factor)

    def output(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """What the layer makes of x."""
        if self.op is F.linear:
            return F.linear(x, weight, bias)
        if self.is_quick:
            return convolution(x, weight, bias, self.geometry)
        return F.conv2d(x, weight, bias, **self.geometry)

    def input_gradient(self, x: Tensor, weight: Tensor, gradient: Tensor) -> Tensor:
        """The gradient of the layer's input x."""
        if self.op is F.linear:
            return gradient @ weight
        if columns := quick_columns(x, self.shape[2:], self.geometry):
            return columns.back(weight.flatten(1).T @ columns.rows(gradient))
        return grad.conv2d_input(x.shape, weight, gradient, **self.geometry)

    def weight_gradient(self, x: Tensor, gradient: Tensor) -> Tensor:
        """The gradient of the layer's weight, [out, in * kernel], in fp32."""
        if self.op is F.linear:
            whole = gradient.flatten(0, -2).T @ x.flatten(0, -2)
        elif columns := quick_columns(x, self.shape[2:], self.geometry):
            whole = columns.rows(gradient) @ columns.of(x).T
        else:
            whole = grad.conv2d_weight(x, self.shape, gradient, **self.geometry).flatten(1)
        return whole.float()


class HadamardLayer(torch.autograd.Function):
    """A layer whose weight is made of LoHa's factors, once forward and once more backward."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, base: Tensor | None, bias: Tensor | None, call: Call, *factors: Tensor
    ) -> Tensor:
        """The layer's output; keeps x and the factors."""
        ctx.call = call
        ctx.save_for_backward(x, base, *factors)
        a, b, c, d = factors
        with torch.autocast(x.device.type, enabled=False):
            weight = call.weight(base, a @ b, c @ d).to(x.dtype)
            return call.output(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of x and of the four factors."""
        call, gradient = ctx.call, gradients[0]
        x, base, a, b, c, d = ctx.saved_tensors
        one, two, of_x = a @ b, c @ d, None
        if ctx.needs_input_grad[0]:
            weight = call.weight(base, one, two).to(x.dtype)
            of_x = call.input_gradient(x, weight, gradient)
            del weight
        whole = call.weight_gradient(x, gradient).mul_(call.factor).to(a.dtype)
        two.mul_(whole)
        one.mul_(whole)
        return of_x, None, None, None, two @ b.T, a.T @ two, one @ d.T, c.T @ one


def compute_dtype(x: Tensor) -> torch.dtype:
    """What a layer computes x in: autocast's precision where that is on."""
    kind = x.device.type
    if not is_autocasting(kind):
        return x.dtype
    if hasattr(torch, "get_autocast_dtype"):
        return torch.get_autocast_dtype(kind)
    return torch.get_autocast_cpu_dtype() if kind == "cpu" else torch.get_autocast_gpu_dtype()


def is_autocasting(device: str) -> bool:
    """Whether autocast is on for a kind of device; before torch 2.4 it is asked otherwise."""
    try:
        return torch.is_autocast_enabled(device)
    except TypeError:
        return torch.is_autocast_cpu_enabled() if device == "cpu" else torch.is_autocast_enabled()


def is_plain(forward: Any, layer: Any) -> bool:
    """Whether a layer's forward is torch's own, not a host's or another adapter's."""
    own = getattr(forward, "__func__", None)
    from_torch = str(getattr(own, "__module__", "")).startswith("torch.nn.modules.")
    return from_torch and getattr(layer, "padding_mode", "zeros") == "zeros"
