"""What the dataset doctor looks at, and what it finds."""

from __future__ import annotations

import codecs
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from ..jobs import Job, null_job
from .caption_edits import Tokenize
from .changes import Change
from .duplicates import Group, find_duplicates
from .images import (
    OWN_FOLDER,
    Failure,
    ImageFile,
    is_picture_name,
    picture_folders,
    repeats_of_folder,
    scan_subset,
)
from .pruned import read_pruned
from .quality import Quality, measure_qualities

_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
ASIDE = ("small", "extreme_aspect", "blurred", "compressed")
"""Folders that pictures are set aside into."""


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
class Asked:
    """What a person tells the doctor beside the folder.

    trigger "": the one that is evident. known: a tagger's list of tags. tokenize: counts tokens,
    without it they are estimated. see: a tagger's tags of these pictures, as captions spell them.
    """

    trigger: str = ""
    max_tokens: int = 225
    known: tuple[str, ...] = ()
    tokenize: Tokenize | None = None
    see: Callable[[list[ImageFile]], Mapping[Path, list[str]]] | None = None


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
    asked: Asked = Asked()
    pruned: Mapping[str, int] = field(default_factory=dict)
    qualities: Mapping[Path, Quality] = field(default_factory=dict)
    seen: Mapping[Path, list[str]] = field(default_factory=dict)
    """What a tagger sees in each picture."""

    @property
    def captioned(self) -> list[ImageFile]:
        """The pictures whose caption says something."""
        return [image for image in self.images if image.caption]

    @cached_property
    def taken(self) -> list[Path]:
        """Every file in the folder, and in those that are set aside."""
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


def look_at(
    folder: Path, below: int = 768, job: Job = null_job, asked: Asked | None = None
) -> Look:
    """Read the whole folder, every picture decoded; UserError if there is none.

    A folder above kohya's `3_name` is looked at with all of those.
    """
    asked = asked or Asked()
    broken: list[Failure] = []
    subsets = _subsets(folder)
    images = [image for subset in subsets for image in scan_subset(subset, broken)]
    groups = find_duplicates(images, job=job, failed=broken, folder=folder)
    bad = {path for path, _ in broken}
    images = [image for image in images if image.path not in bad]
    paths = {image.caption_path for image in images if image.caption_path}
    misread = frozenset(path for path in paths if is_misread(path.read_bytes()))
    pictures = [image.path for image in images]
    return Look(
        folder, tuple(images), tuple(broken), tuple(groups), misread, _names(folder, subsets),
        below, asked, read_pruned(folder), measure_qualities(pictures, job, folder),
        asked.see(images) if asked.see else {},
    )  # fmt: skip


def _subsets(folder: Path) -> list[Path]:
    """The folder, and those for subsets in it; without the first if only those hold pictures.

    In a folder without pictures of its own every folder that has some is a subset.
    """
    try:
        inside = sorted(path for path in folder.iterdir() if repeats_of_folder(path.name))
        numbered = [path for path in inside if path.is_dir() and _has_pictures(path)]
        if _has_pictures(folder):
            return [folder, *numbered]
        return numbered or [it for it in picture_folders(folder) if it.name not in ASIDE]
    except OSError:
        return [folder]  # scan_subset says what is wrong


def _has_pictures(folder: Path) -> bool:
    try:
        return any(is_picture_name(name) for name in os.listdir(folder))
    except OSError:
        return False


def _names(folder: Path, subsets: Iterable[Path]) -> tuple[str, ...]:
    places = [""]
    for subset in subsets:
        inside = "" if subset == folder else subset.name
        places += [inside] * bool(inside) + [os.path.join(inside, name) for name in ASIDE]
    return tuple(
        os.path.join(place, name)
        for place in places
        if (folder / place).is_dir()
        for name in sorted(os.listdir(folder / place))
        if name != OWN_FOLDER
    )


def is_misread(data: bytes) -> bool:
    """Whether a caption's bytes are anything but UTF-8 without a mark, all that trainers read."""
    if data.startswith(_MARKS) or b"\0" in data:
        return True
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return True
    return False
