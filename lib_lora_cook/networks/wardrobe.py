"""LoRA files in memory, to be put on live layers one at a time without a file being read."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from .attach import Network
from .targets import AdaptableLayer
from .weights import network_of_tensors, read_file


@dataclass(frozen=True)
class Outfit:
    """One LoRA file: adapters, which it may share with files of its layout, and its own weights."""

    network: Network
    weights: Sequence[Tensor]
    """In the order of the network's parameters."""

    def fit(self, weight: float | Sequence[float]) -> Network:
        """The network with this file's weights and at a strength, not yet on its layers."""
        for parameter, own in zip(self.network.parameters(), self.weights, strict=True):
            parameter.data = own
        self.network.set_multiplier(weight)
        return self.network


class LoraWardrobe:
    """LoRA files for live layers; wearing one sets a pointer a layer."""

    def __init__(self, outfits: Mapping[Path, Outfit]) -> None:
        self.outfits = outfits
        self.worn: tuple[Path | None, float | Sequence[float]] = (None, 0.0)
        """The file that is on, and its weight, or a weight for each picture of the next batch."""
        self._worn: Network | None = None
        for outfit in outfits.values():
            outfit.network.eval()

    def wears_several(self, lora: Path) -> bool:
        """Whether `wear` takes a weight for each picture of the next batch.

        Every layer, the text encoder's too, has then to be given whole batches in their order.
        """
        return self.outfits[lora].network.is_linear

    def wear(self, lora: Path | None, weight: float | Sequence[float]) -> None:
        """Put one on at a weight, and take off what was on; at weight 0 nothing is on."""
        if self._worn is not None:
            self._worn.__exit__(None, None, None)
            self._worn = None
        self.worn = (lora, weight)
        if lora is not None and weight != 0.0:
            self._worn = self.outfits[lora].fit(weight)
            self._worn.__enter__()


@contextmanager
def wardrobe_of(
    loras: Iterable[Path], layers: Sequence[AdaptableLayer], dtype: torch.dtype,
    device: torch.device | None = None,
) -> Iterator[LoraWardrobe]:  # fmt: skip
    """LoRA files for these layers, in the precision they compute in; nothing is on afterwards.

    device: where the layers will compute, if they wait elsewhere now.
    """
    with uncollected():
        wardrobe = LoraWardrobe(outfits_of(loras, layers, dtype, device))
    try:
        yield wardrobe
    finally:
        wardrobe.wear(None, 0.0)


def outfits_of(
    loras: Iterable[Path], layers: Sequence[AdaptableLayer], dtype: torch.dtype,
    device: torch.device | None,
) -> dict[Path, Outfit]:  # fmt: skip
    """Each file with its weights; the epochs of a run share the modules, which take the time."""
    networks: dict[object, Network] = {}
    outfits = {}
    for path in loras:
        tensors, _ = read_file(path)
        alike = layout(tensors)
        if alike not in networks:
            made = network_of_tensors(tensors, layers, str(path))
            networks[alike] = made.to(device=device, dtype=dtype)
        outfits[path] = Outfit(networks[alike], weights_for(networks[alike], tensors))
    return outfits


def layout(tensors: Mapping[str, Tensor]) -> object:
    """What two files have in common that differ in nothing but what was learnt."""
    return frozenset(
        (key, float(it) if key.endswith(".alpha") else tuple(it.shape))
        for key, it in tensors.items()
    )


def weights_for(network: Network, tensors: Mapping[str, Tensor]) -> list[Tensor]:
    """A file's weights in the order of a network's parameters, as those are kept."""
    own = ((tensors[name.partition(".")[2]], it) for name, it in network.named_parameters())
    return [tensor.to(it.device, it.dtype).reshape(it.shape) for tensor, it in own]


@contextmanager
def uncollected() -> Iterator[None]:
    """Many modules are made and none thrown away: a collector that looks takes half of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
