"""Which files belong to a picture, so that they follow it."""

from __future__ import annotations

import os
import re
from pathlib import Path

from .images import MASK_ENDINGS, is_picture_name

_EXTENSIONS = frozenset(
    {".txt", ".caption", ".cap", ".tags", ".json", ".npz", ".yaml", ".yml", ".toml", ".csv", ".xml",
     ".xmp", ".md", ".html"}
)  # fmt: skip
"""Text about a picture, and caches. Not what may be the picture's source, as .psd."""
# kohya's caches: name.npz, name_0512x0768_sd.npz, name_te_outputs.npz, name_flux_te.npz
_CACHE = re.compile(r"(.+?)(_\d+x\d+_\w+|(_[a-z0-9]+)?_te(_outputs)?)\.npz", re.DOTALL)


class Sidecars:
    """What lies in a folder, by stem, as it was when this was made; names fold case."""

    def __init__(self, folder: Path) -> None:
        self.pictures: dict[str, set[str]] = {}
        self._sidecars: dict[str, list[str]] = {}
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries)
        for name in filter(is_picture_name, names):
            self.pictures.setdefault(_stem(name), set()).add(name)
        for name in names:
            stem, extension = os.path.splitext(name)
            if extension.lower() in _EXTENSIONS or stem.endswith(MASK_ENDINGS):
                self._sidecars.setdefault(self._owner(name), []).append(name)

    def _owner(self, name: str) -> str:
        """The folded stem of the picture that a sidecar belongs to, or its name with extension."""
        stem = os.path.splitext(name)[0]
        folded = stem.casefold()
        if folded in self.pictures:
            return folded
        if is_picture_name(stem):  # x.png.json, as booru downloaders write it
            return folded
        if cache := _CACHE.fullmatch(name):
            stem = cache[1]
        mask = next((ending for ending in MASK_ENDINGS if stem.endswith(ending)), "")
        return stem.removesuffix(mask).casefold()

    def of(self, picture: str) -> list[str]:
        """The names of a picture's captions and other sidecars."""
        return [
            *self._sidecars.get(_stem(picture), []),
            *self._sidecars.get(picture.casefold(), []),
        ]

    def shared(self, picture: str, sidecar: str) -> bool:
        """Whether another picture has the same stem, and so the same sidecar."""
        others = self.pictures.get(_stem(picture), set()) - {picture}
        return bool(others) and not is_named_twice(sidecar, picture)

    def renamed(self, sidecar: str, picture: str, new_picture: str) -> str:
        """The sidecar's name once its picture has the new name."""
        if is_named_twice(sidecar, picture):
            return new_picture + sidecar[len(picture) :]
        return os.path.splitext(new_picture)[0] + sidecar[len(os.path.splitext(picture)[0]) :]


def _stem(name: str) -> str:
    return os.path.splitext(name)[0].casefold()


def is_named_twice(sidecar: str, picture: str) -> bool:
    """Whether a sidecar is named by the picture with its extension, as x.png.json."""
    return os.path.splitext(sidecar)[0].casefold() == picture.casefold()


def is_cache(name: str) -> bool:
    """Whether a sidecar holds what was computed from the pixels, and is stale once they change."""
    return name.lower().endswith(".npz")


def is_mask(name: str) -> bool:
    """Whether a sidecar says of each pixel of its picture how much it counts."""
    return os.path.splitext(name)[0].endswith(MASK_ENDINGS)
