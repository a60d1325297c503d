"""How much memory the run has taken, how much there is, and how much a block of code takes."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from ..errors import UserError

OUT_OF_MEMORY = getattr(torch, "OutOfMemoryError", torch.cuda.OutOfMemoryError)
"""What torch raises where a GPU has no more; torch 2.1 has CUDA's."""


class TooLargeError(UserError):
    """Not even one picture at a time fits into memory."""


def peak_bytes() -> int:
    """The most bytes in use so far: on the GPU if there is one, else of the process; 0 unknown."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)


def forget_peak(device: torch.device) -> None:
    """What a GPU did before this does not count in `peak_bytes`."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def free_bytes(device: torch.device) -> int | None:
    """Bytes that a run on a device can still take; None where nobody tells (CPU, not Linux)."""
    if device.type == "cuda":
        ours = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + ours
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    told = dict(line.split(":", 1) for line in lines)
    return int(told["MemAvailable"].split()[0]) * 1024 if "MemAvailable" in told else None


def bytes_in_use(device: torch.device) -> int:
    """Bytes that tensors hold on a GPU; on a CPU those of the process, 0 where nobody tells."""
    if device.type == "cuda":
        return int(torch.cuda.memory_allocated(device))
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    except OSError:
        return 0
    return int(pages) * 4096


@dataclass
class Taken:
    """What a block of code has taken at most, in bytes beyond what was in use before it."""

    most: int = 0


@contextmanager
def most_taken(device: torch.device) -> Iterator[Taken]:
    """Measures a block: by the allocator on a GPU, by counting the tensors made on a CPU."""
    taken = Taken()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        yield taken
        taken.most = int(torch.cuda.max_memory_allocated(device)) - before
        return
    with Living() as living:
        yield taken
    taken.most = living.most


class Living(TorchDispatchMode):
    """Counts the bytes of all storages that are alive, and the most that there were."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = self.most = 0
        self.known: set[int] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        """Run an operator, and note what it made; a view of what was there is nothing new."""
        made = func(*args, **(kwargs or {}))
        given = {id(it.untyped_storage()) for it in tree_flatten((args, kwargs))[0]
                 if isinstance(it, Tensor)}  # fmt: skip
        for it in tree_flatten(made)[0]:
            if isinstance(it, Tensor) and id(it.untyped_storage()) not in given:
                self.note(it.untyped_storage())
        return made

    def note(self, storage: Any) -> None:
        """Count a storage from now to its end."""
        if id(storage) in self.known:
            return
        self.known.add(id(storage))
        self.bytes += (size := storage.nbytes())
        self.most = max(self.most, self.bytes)
        weakref.finalize(storage, self.forget, id(storage), size)

    def leave_out(self, weights: Iterable[Tensor]) -> None:
        """These are in main memory."""
        for it in weights:
            self.bytes -= it.untyped_storage().nbytes()

    def forget(self, name: int, size: int) -> None:
        """A storage is gone."""
        self.known.discard(name)
        self.bytes -= size
