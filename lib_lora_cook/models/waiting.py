"""Parts of a model that wait in main memory while others work, as under a WebUI's --medvram."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn

MAIN = torch.device("cpu")


@contextmanager
def waiting(parts: Sequence[nn.Module]) -> Iterator[None]:
    """The parts are in main memory; on the way out they go back to where each was."""
    homes = [(part, place_of(part)) for part in parts]
    for part in parts:
        part.to(MAIN)
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


def place_of(part: nn.Module) -> torch.device:
    """Where a part's weights are."""
    return next((it.device for it in part.parameters()), MAIN)
