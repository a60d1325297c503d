"""What the dataset doctor looks at, and what it finds."""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..jobs import Job, null_job
from .changes import Change
from .duplicates import Group, find_duplicates
from .images import Failure, ImageFile, scan_subset

_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong; `fix` says in words what `changes` do, "" where only a person can.

    Of copies the first file is the one to keep.
    """

    name: str
    files: tuple[Path, ...]
    why: str
    fix: str = ""
    changes: tuple[Change, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The finding as other programs are shown it."""
        files = [str(path) for path in self.files]
        return {"name": self.name, "files": files, "why": self.why, "fix": self.fix}


@dataclass(frozen=True)
class Look:
    """A dataset as the checks see it; `below` is the least side of a picture in pixels."""

    folder: Path
    images: tuple[ImageFile, ...]
    broken: tuple[Failure, ...] = ()
    groups: tuple[Group, ...] = ()
    misread: frozenset[Path] = frozenset()
    names: tuple[str, ...] = ()
    below: int = 768

    @property
    def captioned(self) -> list[ImageFile]:
        """The pictures whose caption says something."""
        return [image for image in self.images if image.caption]

    @property
    def taken(self) -> list[Path]:
        """Every file in the folder, and in the one for small pictures."""
        return [self.folder / name for name in self.names]

    def with_captions(self, made: Iterable[Change]) -> Look:
        """The same once these changes of captions are made."""
        texts = {change.path: change.after for change in made if change.kind == "caption"}
        images = (
            replace(image, caption=texts[image.caption_path])
            if image.caption_path in texts
            else image
            for image in self.images
        )
        return replace(self, images=tuple(images))


def look_at(folder: Path, below: int = 768, job: Job = null_job) -> Look:
    """Read the whole folder, every picture decoded; UserError if there is none."""
    broken: list[Failure] = []
    images = scan_subset(folder, broken)
    groups = find_duplicates(images, job=job, failed=broken, folder=folder)
    bad = {path for path, _ in broken}
    images = [image for image in images if image.path not in bad]
    names = sorted(os.listdir(folder))
    if (folder / "small").is_dir():
        names += [os.path.join("small", name) for name in sorted(os.listdir(folder / "small"))]
    paths = {image.caption_path for image in images if image.caption_path}
    misread = frozenset(path for path in paths if is_misread(path.read_bytes()))
    return Look(folder, tuple(images), tuple(broken), tuple(groups), misread, tuple(names), below)


def is_misread(data: bytes) -> bool:
    """Whether a caption's bytes are anything but UTF-8 without a mark, all that trainers read."""
    if data.startswith(_MARKS) or b"\0" in data:
        return True
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return True
    return False
