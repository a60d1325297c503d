"""Transformer blocks of a UNet that wait in main memory and come to the GPU one after another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from .waiting import place_of

BLOCK = "BasicTransformerBlock"
"""Their class in diffusers and in every WebUI: they hold 0.85 of SDXL's UNet, 0.39 of SD1.5's."""


def blocks_of(unet: nn.Module) -> list[nn.Module]:
    """A UNet's transformer blocks, in the order of their calls."""
    named = [(name, it) for name, it in unet.named_modules() if type(it).__name__ == BLOCK]
    # down, mid, up in diffusers; input, middle, output in LDM: the way through is the alphabet's
    return [it for _, it in sorted(named, key=lambda pair: pair[0].partition(".")[0])]


def spread(blocks: Sequence[nn.Module], count: int) -> list[nn.Module]:
    """`count` of the blocks, evenly spread and the first among them; all where there are fewer."""
    count = min(count, len(blocks))
    return [blocks[number * len(blocks) // count] for number in range(count)]


class Swapping:
    """Frozen blocks that wait, and whose weights are copied to the device for each of their calls.

    Nothing is copied back, and the copies live as long as autograd wants them: with checkpointing,
    until the block's own backward pass is over. While one block computes the next is on its way.
    """

    def __init__(self, blocks: Sequence[nn.Module], device: torch.device) -> None:
        self.blocks, self.device = list(blocks), device
        self.side = torch.cuda.Stream(device) if device.type == "cuda" else None
        self._before: list[Any] = []
        self._last = 0
        self._ahead: tuple[int, list[Tensor]] | None = None

    def put_on(self) -> None:
        """From here on a call of a block brings its weights."""
        for place, block in enumerate(self.blocks):
            self._before.append(block.__dict__.get("forward"))
            block.forward = partial(self._call, place, block.forward)

    def take_off(self) -> None:
        """The blocks are called as before."""
        self._catch_up()
        self._ahead = None
        for block, before in zip(self.blocks, self._before, strict=False):
            del block.forward
            if before is not None:
                block.forward = before
        self._before.clear()

    def first_at_hand(self) -> AbstractContextManager[None]:
        """The first block's weights are on the device, for who calls one of its layers alone."""
        away = self.blocks and is_away(self.blocks[0], self.device)
        return self._at_hand(0) if away else nullcontext()

    def _call(self, place: int, forward: Callable[..., Any], *inputs: Any, **named: Any) -> Any:
        if not is_away(self.blocks[place], self.device):
            return forward(*inputs, **named)
        with self._at_hand(place):
            return forward(*inputs, **named)

    @contextmanager
    def _at_hand(self, place: int) -> Iterator[None]:
        """The block's weights are copies on the device; afterwards those that wait, as before."""
        slots = _slots(self.blocks[place])
        waiting = [held[name] for held, name in slots]
        copies = self._take(place)
        for (held, name), copy in zip(slots, copies, strict=True):
            held[name] = nn.Parameter(copy, requires_grad=False)
        del copies
        try:
            yield
        finally:
            for (held, name), weight in zip(slots, waiting, strict=True):
                held[name] = weight

    def _take(self, place: int) -> list[Tensor]:
        """A block's weights on the device, and those of the block that is likely next sent for.

        Up through the blocks forward, down in the backward pass; those at the ends come twice.
        """
        sent, copies = self._ahead or (-1, [])
        if sent != place:
            copies = self._send(place)
        self._catch_up()
        upward = place > self._last or place == self._last == 0
        following = min(max(place + (1 if upward else -1), 0), len(self.blocks) - 1)
        self._last = place
        self._ahead = (following, self._send(following))
        return copies

    def _send(self, place: int) -> list[Tensor]:
        """Copies of a block's weights, on their way beside what is computed."""
        weights = [held[name] for held, name in _slots(self.blocks[place])]
        if self.side is None:
            return [copied(it, self.device) for it in weights]
        # The memory is the computing stream's, which may still read what was in it before.
        copies = [torch.empty_like(it, device=self.device) for it in weights]
        self.side.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(self.side), torch.no_grad():
            for copy, weight in zip(copies, weights, strict=True):
                copy.copy_(weight, non_blocking=True)
        return copies

    def _catch_up(self) -> None:
        """What is computed from here on waits for all that was sent for."""
        if self.side is not None:
            torch.cuda.current_stream(self.device).wait_stream(self.side)


def is_away(block: nn.Module, device: torch.device) -> bool:
    """Whether a block's weights are elsewhere."""
    return place_of(block).type != device.type


def copied(weight: Tensor, device: torch.device) -> Tensor:
    """A weight on the device."""
    return weight.detach().to(device)


def _slots(block: nn.Module) -> list[tuple[dict[str, Any], str]]:
    """Where a block's modules hold their weights: (holder, name)."""
    return [
        (module._parameters, name)
        for module in block.modules()
        for name, weight in module._parameters.items()
        if weight is not None
    ]
