"""Which files belong to a picture, so that they follow it."""

from __future__ import annotations

import os
import re
from pathlib import Path

from .images import MASK_ENDINGS, is_picture_name

_EXTENSIONS = frozenset({".txt", ".caption", ".json", ".npz"})
# kohya's latents cache: name.npz, or name_0512x0768_sd.npz
_CACHE = re.compile(r"(.+?)(_\d+x\d+_\w+)?\.npz", re.DOTALL)


class Sidecars:
    """What lies in a folder, by stem, as it was when this was made; names fold case."""

    def __init__(self, folder: Path) -> None:
        self.pictures: dict[str, set[str]] = {}
        self._sidecars: dict[str, list[str]] = {}
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries)
        for name in names:
            stem, extension = os.path.splitext(name)
            if is_picture_name(name):
                self.pictures.setdefault(stem.casefold(), set()).add(name)
            elif extension.lower() in _EXTENSIONS or stem.endswith(MASK_ENDINGS):
                self._sidecars.setdefault(self._stem(name).casefold(), []).append(name)

    def _stem(self, name: str) -> str:
        cache = _CACHE.fullmatch(name)
        stem = cache[1] if cache else os.path.splitext(name)[0]
        mask = next((ending for ending in MASK_ENDINGS if stem.endswith(ending)), "")
        return stem.removesuffix(mask)

    def of(self, picture: str) -> list[str]:
        """The names of a picture's captions and other sidecars."""
        return list(self._sidecars.get(os.path.splitext(picture)[0].casefold(), []))

    def shared(self, picture: str) -> bool:
        """Whether another picture has the same stem, and so the same sidecars."""
        stem = os.path.splitext(picture)[0].casefold()
        return bool(self.pictures.get(stem, set()) - {picture})

    def renamed(self, sidecar: str, picture: str, new_picture: str) -> str:
        """The sidecar's name once its picture has the new name."""
        return os.path.splitext(new_picture)[0] + sidecar[len(os.path.splitext(picture)[0]) :]


def is_cache(name: str) -> bool:
    """Whether a sidecar holds what was computed from the pixels, and is stale once they change."""
    return name.lower().endswith(".npz")
