"""LoRA files in memory, to be put on live layers one at a time without a file being read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from .attach import Network
from .targets import AdaptableLayer
from .weights import network_of_file


class LoraWardrobe:
    """LoRA files as networks of live layers; wearing one sets a pointer a layer."""

    def __init__(self, networks: Mapping[Path, Network]) -> None:
        self.networks = networks
        self.worn: tuple[Path | None, float | Sequence[float]] = (None, 0.0)
        """The file that is on, and its weight, or a weight for each picture of the next batch."""
        self._worn: Network | None = None
        for network in networks.values():
            network.eval()

    def wears_several(self, lora: Path) -> bool:
        """Whether `wear` takes a weight for each picture of the next batch.

        Every layer, the text encoder's too, has then to be given whole batches in their order.
        """
        return self.networks[lora].is_linear

    def wear(self, lora: Path | None, weight: float | Sequence[float]) -> None:
        """Put one on at a weight, and take off what was on; at weight 0 nothing is on."""
        if self._worn is not None:
            self._worn.__exit__(None, None, None)
            self._worn = None
        self.worn = (lora, weight)
        if lora is not None and weight != 0.0:
            self._worn = self.networks[lora]
            self._worn.set_multiplier(weight)
            self._worn.__enter__()


@contextmanager
def wardrobe_of(
    loras: Iterable[Path], layers: Sequence[AdaptableLayer], dtype: torch.dtype
) -> Iterator[LoraWardrobe]:
    """LoRA files for these layers, in the precision they compute in; nothing is on afterwards."""
    networks = {path: network_of_file(path, layers) for path in loras}
    for network in networks.values():
        network.to(dtype=dtype)
    wardrobe = LoraWardrobe(networks)
    try:
        yield wardrobe
    finally:
        wardrobe.wear(None, 0.0)
