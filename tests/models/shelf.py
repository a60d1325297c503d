"""A stand-in for main memory, where there is no GPU that blocks could wait beside."""

from __future__ import annotations

import weakref
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lib_lora_cook.models import swapping, waiting


class Shelf:
    """Keeps the true weights of what waits, while those in the blocks are no numbers.

    Whatever computes with a weight that has not come gives no number either.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.weights: dict[int, Tensor] = {}
        """Of what is away, by the identity of the weight that stands for it."""
        self.alive = self.most = self.copies = 0
        real = nn.Module.to

        def go(part: nn.Module, *where: Any, **how: Any) -> nn.Module:
            if type(part).__name__ != swapping.BLOCK or not isinstance(where[0], torch.device):
                return real(part, *where, **how)
            (self.put_away if where[0].type == "meta" else self.bring_back)(part)
            return part

        monkeypatch.setattr(nn.Module, "to", go)
        monkeypatch.setattr(waiting, "MAIN", torch.device("meta"))
        monkeypatch.setattr(swapping, "is_away", lambda block, device: self.has(block))
        monkeypatch.setattr(swapping, "copied", self.copied)

    def has(self, block: nn.Module) -> bool:
        """Whether a block is away."""
        return any(id(it) in self.weights for it in block.parameters())

    def put_away(self, block: nn.Module) -> None:
        """As `.to` main memory."""
        for it in block.parameters():
            self.weights[id(it)] = it.data
            it.data = torch.full_like(it, torch.nan)

    def bring_back(self, block: nn.Module) -> None:
        """As `.to` the device."""
        for it in block.parameters():
            it.data = self.weights.pop(id(it))

    def copied(self, weight: Tensor, device: torch.device) -> Tensor:
        """A copy, counted while it lives."""
        copy = self.weights[id(weight)].clone()
        self.alive, self.copies = self.alive + 1, self.copies + 1
        self.most = max(self.most, self.alive)
        weakref.finalize(copy.untyped_storage(), self.gone)
        return copy

    def gone(self) -> None:
        """A copy is no more."""
        self.alive -= 1
