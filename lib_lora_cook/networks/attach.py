"""Adapters on live layers: put on, scaled, taken off without a trace."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from lycoris.modules.locon import LoConModule
from lycoris.modules.lokr import LokrModule
from torch import Tensor, nn

from ..config import NetworkConfig
from .adapters import Hadamard, LowRank
from .targets import Target

Forward = Callable[..., Tensor]


KINDS: dict[str, tuple[Any, dict[str, Any]]] = {
    "LoRA": (LowRank, {"bypass_mode": True}),
    "LoCon": (LowRank, {"bypass_mode": True}),
    "LoHa": (Hadamard, {"bypass_mode": False}),
    "LoKr": (LokrModule, {"bypass_mode": False}),
    # AUTOMATIC1111 knows only the first form of DoRA, with norms along the inputs
    "DoRA": (LoConModule, {"bypass_mode": False, "weight_decompose": True, "wd_on_out": False}),
}
"""LyCORIS' module and options of each kind of adapter."""


class Network(nn.Module):
    """The adapters of one LoRA; `with network:` puts them on the layers they were made for.

    A layer's own `forward` is shadowed by an attribute of the instance, so that taking it off
    leaves the layer exactly as it was, and patches of the class below stay in force.
    """

    def __init__(self, adapters: Iterable[tuple[Target, nn.Module]]) -> None:
        super().__init__()
        self.targets: list[Target] = []
        self.adapters = nn.ModuleDict()
        for target, adapter in adapters:
            self.targets.append(target)
            self.adapters[target.name] = adapter
        self.frozen: set[str] = set()
        """Names of adapters that stay as they are: on their layers and in the file, not trained."""
        self._shadowed: list[tuple[Any, Forward | None]] = []
        self._each: Each | None = None

    def freeze(self, names: Iterable[str]) -> None:
        """Leave these adapters out of the training."""
        self.frozen.update(names)
        for name in self.frozen:
            self.adapters[name].requires_grad_(False).eval()

    def train(self, mode: bool = True) -> Network:
        """Switch the dropouts on; what is frozen has none."""
        super().train(mode)
        for name in self.frozen:
            self.adapters[name].eval()
        return self

    def trained(self) -> list[tuple[Target, nn.Module]]:
        """The adapters that are trained, each with its target."""
        return [(it, self.adapters[it.name]) for it in self.targets if it.name not in self.frozen]

    def __enter__(self) -> Network:
        for target in self.targets:
            layer: Any = target.module
            adapter: Any = self.adapters[target.name]
            self._shadowed.append((layer, layer.__dict__.get("forward")))
            adapter.org_forward = layer.forward
            each = self._each
            layer.forward = adapter.forward if each is None else weighed(adapter, each)
        return self

    def __exit__(self, *exception: object) -> None:
        for layer, before in reversed(self._shadowed):
            del layer.forward
            if before is not None:
                layer.forward = before
        self._shadowed.clear()

    def set_multiplier(self, weight: float | Sequence[float]) -> None:
        """Scale every adapter by the strength in `<lora:name:weight>`, before it is put on.

        Several are one for each picture of a batch, and need a network that `is_linear`.
        """
        if isinstance(weight, Sequence):
            self._each = Each(weight)
            return
        self._each = None
        adapter: Any
        for adapter in self.adapters.values():
            adapter.multiplier = weight

    @property
    def is_linear(self) -> bool:
        """Whether the weight only scales what is added to an output; DoRA's norms depend on it."""
        return not any(getattr(adapter, "wd", False) for adapter in self.adapters.values())

    def tensors(self) -> dict[str, Tensor]:
        """The weights under kohya's keys, as trained: `<name>.lora_down.weight`, `.alpha`, ..."""
        named: dict[str, Tensor] = {}
        for name, adapter in self.adapters.items():
            for key, value in adapter.state_dict().items():
                named[f"{name}.{key}"] = value.detach().contiguous()
        return named

    def load_tensors(self, tensors: dict[str, Tensor]) -> None:
        """Take over weights saved by `tensors()`, in place."""
        for name, adapter in self.adapters.items():
            start = name + "."
            own = {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}
            adapter.load_state_dict(own)

    @torch.no_grad()
    def limit_norms(self, longest: float) -> None:
        """Shrink adapters whose weight norm exceeds `longest` (kohya's scale_weight_norms).

        LyCORIS' own keeps the shrinking beside the weights until they are saved, so that a resumed
        run would go on from other weights than one that was never stopped.
        """
        for _, adapter in self.trained():
            ratio = (longest / delta_weight(adapter).norm()).clamp(max=1.0)
            # DoRA's norms are no factor of what it adds.
            factors = [it for name, it in adapter.named_parameters() if name != "dora_scale"]
            for factor in factors:
                factor.mul_(ratio ** (1 / len(factors)))


class Each:
    """A weight for each picture of a batch."""

    def __init__(self, weights: Sequence[float]) -> None:
        self.weights = torch.tensor(weights)
        self._tiled: dict[tuple[Any, ...], Tensor] = {}

    def beside(self, made: Tensor) -> Tensor:
        """The weights as a factor of [B, ...]; all layers of a step ask for a few shapes.

        Guidance lays the same pictures behind each other: B is a multiple of the number of weights.
        """
        key = (len(made), made.ndim, made.dtype, made.device)
        if key not in self._tiled:
            tiled = self.weights.to(made).repeat(len(made) // len(self.weights))
            self._tiled[key] = tiled.view(-1, *[1] * (made.ndim - 1))
        return self._tiled[key]


def weighed(adapter: Any, each: Each) -> Forward:
    """A layer's forward with a weight for each picture, [B, ...] -> [B, ...]."""

    def forward(x: Tensor, *more: Any, **named: Any) -> Tensor:
        plain: Tensor = adapter.org_forward(x, *more, **named)
        factor = each.beside(plain)
        if isinstance(adapter, LowRank):
            return adapter.added_to(plain, x, factor)
        return torch.addcmul(plain, added_by(adapter, x), factor)

    return forward


def added_by(adapter: Any, x: Tensor) -> Tensor:
    """What a LoHa or LoKr adds to its layer's output at strength 1, [B, ...] -> [B, ...].

    LyCORIS 3.4's own bypass of LoKr leaves alpha / dim out, and fails at convolutions.
    """
    added: Tensor = adapter.op(x, delta_weight(adapter).to(x.dtype), **adapter.kw_dict)
    return added


def make_network(targets: Iterable[Target], config: NetworkConfig) -> Network:
    """A fresh network: its output is zero until it is trained."""
    return Network((target, make_adapter(target, config)) for target in targets)


def make_adapter(target: Target, config: NetworkConfig) -> nn.Module:
    """One adapter in fp32 on its layer's device.

    LoRA and LoCon add up(down(x)) * alpha / dim to the layer's output (LyCORIS calls this the
    bypass; rebuilding the weight instead takes 4 to 20 times the time of a step).
    """
    make, options = KINDS[config.network_type]
    adapter = make(target.name, target.module, 1.0, target.dim, target.alpha, **options)
    set_dropouts(adapter, config)
    weight: Any = target.module.weight
    made: nn.Module = adapter.to(device=weight.device, dtype=torch.float32)
    return made


def set_dropouts(adapter: Any, config: NetworkConfig) -> None:
    """The dropouts of a run on an adapter; only LoRA and LoCon know that of inner features."""
    adapter.rank_dropout, adapter.module_dropout = config.rank_dropout, config.module_dropout
    if isinstance(adapter, LowRank) and config.network_dropout:
        adapter.dropout = nn.Dropout(config.network_dropout)


def delta_weight(adapter: Any) -> Tensor:
    """What an adapter adds to its layer's weight at strength 1, without any dropout."""
    mode = adapter.training
    adapter.eval()
    try:
        if isinstance(adapter, LoConModule):
            return adapter.make_weight() * adapter.scale
        return adapter.get_weight(adapter.shape)  # with alpha / dim in it
    finally:
        adapter.train(mode)


@contextmanager
def attached(network: Network, weight: float = 1.0) -> Iterator[Network]:
    """The network on its layers at a strength, as long as the block lasts."""
    network.set_multiplier(weight)
    with network:
        yield network
