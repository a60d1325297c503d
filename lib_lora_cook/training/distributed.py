"""One run by several processes: each computes its share of every batch, all hold the same weights.

They are started by torchrun, on one machine or several; a run file means the same however many
there are. Each process draws the whole batch's noise and timesteps, so that a share is the same
rows with the same noise as in a run of one process, and the gradients are summed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from ..errors import UserError

PATIENCE = timedelta(hours=1)
"""How long the others wait for one that saves files or draws samples."""


@dataclass(frozen=True)
class Crew:
    """The processes of a run, seen by one of them; a run of one process is a crew of one."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes the files and tells how far the run is."""
        return self.rank == 0

    def rows(self, before: int, count: int, most: int) -> Iterator[slice]:
        """This process' rows of a batch of `count`, at most `most` at once; `before` it in the
        same step came other batches' rows, which are dealt out in turn with its own."""
        own = range((self.rank - before) % self.size, count, self.size)
        for start in range(0, len(own), most):
            part = own[start : start + most]
            yield slice(part[0], part[-1] + 1, self.size)

    def sum_gradients(self, parameters: Sequence[nn.Parameter], loss: Tensor) -> Tensor:
        """Make every gradient the sum over all processes; returns the sum of their losses.

        What has no gradient in any process has none behind this either.
        """
        if self.size == 1:
            return loss
        there = torch.tensor([it.grad is not None for it in parameters], device=loss.device).float()
        told = torch.cat([there, loss.detach().float().reshape(1)])
        self._sum(told)
        for number, parameter in zip(told[:-1].tolist(), parameters, strict=True):
            if number and parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        gradients = [it.grad for it in parameters if it.grad is not None]
        flat = torch.cat([it.flatten() for it in gradients])
        self._sum(flat)
        parts = flat.split([it.numel() for it in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))
        return told[-1]

    def any(self, flag: bool) -> bool:
        """Whether it holds in any process."""
        if self.size == 1:
            return flag
        told = torch.tensor([float(flag)], device=device())
        self._sum(told)
        return bool(told.item())

    def told(self, value: Any) -> Any:
        """The first process' value, in all of them."""
        if self.size == 1:
            return value
        values = [value]
        with ended_together():
            dist.broadcast_object_list(values, src=0, device=device())
        return values[0]

    def _sum(self, values: Tensor) -> None:
        with ended_together():
            dist.all_reduce(values)


ALONE = Crew()


def crew_of(environment: Mapping[str, str]) -> Crew:
    """What torchrun's RANK and WORLD_SIZE tell; ALONE without them."""
    size = int(environment.get("WORLD_SIZE", "1"))
    return Crew(int(environment["RANK"]), size) if size > 1 else ALONE


@contextmanager
def joined() -> Iterator[Crew]:
    """The crew that torchrun has started, met for as long as the block lasts.

    UserError where the others do not come.
    """
    crew = crew_of(os.environ)
    if crew is ALONE:
        yield crew
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    with ended_together():
        backend = "nccl" if torch.cuda.is_available() else "gloo"
        dist.init_process_group(backend, timeout=PATIENCE)
    try:
        yield crew
    finally:
        dist.destroy_process_group()


@contextmanager
def ended_together() -> Iterator[None]:
    """torch's error where another process is gone, as a UserError."""
    try:
        yield
    except RuntimeError as error:
        raise UserError(
            f"Another process of this run has ended ({str(error).splitlines()[0]})",
            "torch.distributed",
            "See what it said, start all of them again, and go on with --resume.",
        ) from error


def device() -> torch.device:
    """Where this process' share is computed."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
