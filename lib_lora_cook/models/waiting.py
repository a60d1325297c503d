"""Parts of a model that wait in main memory while others work, as under a WebUI's --medvram."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress

import torch
from torch import Tensor, nn

MAIN = torch.device("cpu")


@contextmanager
def waiting(parts: Sequence[nn.Module], *, pinned: bool = False) -> Iterator[None]:
    """The parts are in main memory; on the way out they go back to where each was.

    Pinned memory a GPU reads by itself, beside its work.
    """
    homes = [(part, place_of(part)) for part in parts]
    for part, home in homes:
        part.to(MAIN)
        if pinned and home.type == "cuda":
            pin(part.parameters())
    try:
        yield
    finally:
        for part, home in homes:
            part.to(home)


@contextmanager
def at_hand(parts: Sequence[nn.Module], device: torch.device) -> Iterator[None]:
    """Those of the parts that wait are on the device for the block."""
    away = [part for part in parts if place_of(part).type != device.type]
    for part in away:
        part.to(device)
    try:
        yield
    finally:
        for part in away:
            part.to(MAIN)


def bring(part: nn.Module, device: torch.device, but: Sequence[nn.Module] = ()) -> None:
    """A part's weights and buffers to a device, but for the weights of what stays where it is."""
    stay = {id(it) for module in but for it in module.parameters()}
    part._apply(lambda it: it if id(it) in stay else it.to(device))  # as nn.Module.to does


def pin(weights: Iterable[Tensor]) -> None:
    """Lock them in main memory, as many as the system allows."""
    with suppress(RuntimeError):
        for it in weights:
            it.data = it.data.pin_memory()


def place_of(part: nn.Module) -> torch.device:
    """Where a part's weights are."""
    return next((it.device for it in part.parameters()), MAIN)
