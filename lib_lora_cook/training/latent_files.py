"""The folder of encoded pictures. It saves time and nothing else: whatever fails in it, a run goes
on without it."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from ..networks.atomic import write_atomically

MOST_BYTES = 8 * 1024**3
"""What the folder may hold: the latents of some 30,000 pictures of 1024x1024."""


class LatentFiles:
    """Tensors by name in a folder, or nowhere where the folder is None."""

    def __init__(self, folder: Path | None, warn: Callable[[str], None]) -> None:
        self.folder, self.warn = folder, warn
        self._used: set[Path] = set()

    def read(self, name: str) -> dict[str, Tensor] | None:
        """What is kept under a name; None where there is nothing, or nothing whole."""
        if self.folder is None:
            return None
        path = self.folder / name
        try:
            tensors = safetensors.torch.load(path.read_bytes())
            whole = tensors["latents"].ndim == 3 and bool(tensors["latents"].isfinite().all())
        except (OSError, SafetensorError, KeyError):
            return None
        if not whole:
            return None
        self._used.add(path)
        with suppress(OSError):
            os.utime(path)  # `trim` takes what was not used for longest
        return tensors

    def write(self, name: str, tensors: dict[str, Tensor]) -> None:
        """Keep tensors under a name; tells once where the disk refuses, and leaves off then."""
        if self.folder is None:
            return
        try:
            write_atomically(self.folder / name, safetensors.torch.save(tensors))
        except OSError as error:
            why = error.strerror or type(error).__name__
            self.warn(f"encoded pictures are not kept for the next run: {self.folder}: {why}")
            self.folder = None
        else:
            self._used.add(self.folder / name)

    def trim(self, most: int = MOST_BYTES) -> None:
        """Remove the files that were not used for longest until `most` bytes are left.

        What this run has used stays.
        """
        if self.folder is None:
            return
        files = []
        for path in self.folder.glob("??/*.safetensors"):
            with suppress(OSError):
                status = path.stat()
                files.append((status.st_mtime, status.st_size, path))
        room = most - sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if room >= 0:
                break
            if path not in self._used:
                with suppress(OSError):
                    path.unlink()
                    room += size
