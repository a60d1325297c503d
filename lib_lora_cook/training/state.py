"""The whole loop on disk, for a resume that ends in the same tensors."""

from __future__ import annotations

import io
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..errors import UserError
from ..networks.attach import Network
from ..networks.weights import write_atomically

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
    refused: int = 0
    """Steps in a row that were not applied because the loss was not finite."""


def save_loop(loop: Loop, path: Path, fingerprint: str) -> None:
    """Write the loop whole or not at all; `fingerprint` names the settings it belongs to."""
    stream = io.BytesIO()
    state = {
        "fingerprint": fingerprint,
        "network": {key: value.cpu() for key, value in loop.network.tensors().items()},
        "optimizer": loop.optimizer.state_dict(),
        "scaler": loop.scaler.state_dict(),
        "place": (loop.step, loop.epoch, loop.batch, loop.refused),
    }
    torch.save(state, stream)
    write_atomically(path, stream.getvalue())


def load_loop(loop: Loop, path: Path, fingerprint: str) -> None:
    """Take a loop up where it was saved; UserError where the file is another run's or broken."""
    try:
        state = torch.load(io.BytesIO(path.read_bytes()), weights_only=True, map_location="cpu")
        belongs_to = state["fingerprint"]
    except BROKEN as error:
        raise UserError(
            f"The saved state cannot be read ({error})", str(path), "Start the run afresh."
        ) from None
    if belongs_to != fingerprint:
        raise UserError(
            "The saved state belongs to a run with other settings", str(path),
            "Put the settings back, or start afresh under another output_name.",
        )  # fmt: skip
    loop.network.load_tensors(state["network"])
    loop.optimizer.load_state_dict(state["optimizer"])
    loop.scaler.load_state_dict(state["scaler"])
    loop.step, loop.epoch, loop.batch, loop.refused = state["place"]
