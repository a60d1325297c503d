"""The whole loop on disk, for a resume that ends in the same tensors."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..errors import UserError
from ..networks.atomic import write_atomically
from ..networks.attach import Network
from ..networks.weights import refuse_broken
from .distributed import Crew

BROKEN = (
    OSError, RuntimeError, EOFError, ValueError, KeyError, TypeError, pickle.UnpicklingError,
)  # fmt: skip
"""What torch.load raises over a file that is no saved state, or half of one."""


@dataclass
class Loop:
    """What changes from step to step. All randomness is a function of the seed and `step`."""

    network: Network
    optimizer: torch.optim.Optimizer
    scaler: Any
    """torch.amp.GradScaler, for fp16."""
    step: int = 0
    """Optimizer steps done."""
    epoch: int = 1
    """The epoch that is running, from 1."""
    batch: int = 0
    """Batches of this epoch done."""
    ended: int = 0
    """The step behind which an epoch's end was told last."""
    refused: int = 0
    """Steps in a row that were not applied because the loss was not finite."""


def save_loop(loop: Loop, path: Path, identity: str) -> None:
    """Write the loop whole or not at all; `identity` tells the run that it belongs to.

    UserError when a weight is not finite, so that the last good state stays.
    """
    refuse_broken({key: value.cpu() for key, value in loop.network.tensors().items()}, path)
    write_atomically(path, loop_bytes(loop, identity))


def loop_bytes(loop: Loop, identity: str = "") -> bytes:
    """All that changes from step to step, as `take_state` takes it."""
    network = {key: value.cpu() for key, value in loop.network.tensors().items()}
    stream = io.BytesIO()
    state = {
        "identity": identity,
        "network": network,
        "optimizer": loop.optimizer.state_dict(),
        "scaler": loop.scaler.state_dict(),
        "place": (loop.step, loop.epoch, loop.batch, loop.ended, loop.refused),
    }
    torch.save(state, stream)
    return stream.getvalue()


def load_loop(loop: Loop, path: Path, check: Callable[[str], None]) -> None:
    """Take a loop up where it was saved; UserError where the file is broken.

    `check` is given the saved identity before anything is taken over, and raises where it is
    another run's.
    """
    try:
        state = torch.load(io.BytesIO(path.read_bytes()), weights_only=True, map_location="cpu")
        identity = state["identity"]
    except BROKEN as error:
        raise UserError(
            f"The saved state cannot be read ({error})", str(path),
            "Start the run without resume: it gets a new name, and nothing is overwritten.",
        ) from None  # fmt: skip
    check(identity)
    take_state(loop, state)


def take_state(loop: Loop, state: dict[str, Any]) -> None:
    """Take over what `loop_bytes` has written."""
    loop.network.load_tensors(state["network"])
    loop.optimizer.load_state_dict(state["optimizer"])
    loop.scaler.load_state_dict(state["scaler"])
    loop.step, loop.epoch, loop.batch, loop.ended, loop.refused = state["place"]


def share_loop(loop: Loop, crew: Crew) -> None:
    """Give every process of a run the first one's weights, optimizer and place."""
    told = crew.told(loop_bytes(loop) if crew.leads else None) if crew.size > 1 else None
    if told and not crew.leads:
        take_state(loop, torch.load(io.BytesIO(told), weights_only=True, map_location="cpu"))
