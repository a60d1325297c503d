"""Captions once more under the other ending that trainers know."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .captions import OTHER_ENDING, caption_path, read_caption
from .changes import Change
from .images import ImageFile


def plan_copies(images: Sequence[ImageFile], why: str) -> list[Change]:
    """The captions that there are, once more with the other ending."""
    made: dict[Path, Change] = {}
    for image in images:
        path = caption_path(image.path, OTHER_ENDING)
        before = read_caption(path)
        if image.caption and image.caption != before:
            made[path] = Change("caption", path, why, path, before=before, after=image.caption)
    return list(made.values())
