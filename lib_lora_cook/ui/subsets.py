"""Two settings of the page <-> the subsets of a run: folders, one a line, and their repeats.

A folder that holds no picture itself stands for its subfolders, as in the command `plan`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from ..config import SubsetConfig
from ..dataset.images import picture_folders
from ..training.pictures import with_repeats
from . import texts

OF_EACH = ("image_dir", "num_repeats")
"""What each subset has of its own; the page has every other setting once, for all of them."""


def folders_of(text: str, at: Path) -> list[str]:
    """The folders of pictures that are meant; one that cannot be opened stands for itself."""
    found: list[str] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        path = Path(os.path.abspath(at / os.path.expanduser(line)))
        try:
            meant = picture_folders(path)
        except (OSError, ValueError):
            meant = [path]
        found += [line] if meant == [path] else map(str, meant)
    return list(dict.fromkeys(found))


def subsets_of(values: Mapping[str, Any], at: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """(a run file's table a subset, what is wrong) of what was typed."""
    folders = folders_of(str(values.get("image_dir") or ""), at) or [""]
    text = str(values.get("num_repeats") or "").strip()
    told = [] if folders[0] or "image_dir" not in values else [texts.NO_FOLDER]
    try:
        repeats = [_whole(it) for it in text.replace(",", " ").split()]
    except (ValueError, OverflowError):
        wanted = texts.WANTED["wholes"]
        return [{"image_dir": it} for it in folders], [
            *told, texts.IS_NOT.format(name="num_repeats", value=text, wanted=wanted)
        ]  # fmt: skip
    if len(repeats) == 1:
        repeats *= len(folders)
    if repeats and len(repeats) != len(folders):
        told.append(texts.REPEATS_COUNT.format(count=len(repeats), folders=len(folders)))
        repeats = []
    each = [{"num_repeats": it} for it in repeats] or [{} for _ in folders]
    return [{"image_dir": it, **more} for it, more in zip(folders, each, strict=True)], told


def _whole(text: str) -> int:
    value = float(text)
    if value != int(value):
        raise ValueError
    return int(value)


def image_dirs(subsets: Sequence[SubsetConfig]) -> str:
    """What image_dir shows: the folder that stands for all of them, or one a line."""
    names = [it.image_dir for it in subsets]
    above = {Path(it).parent for it in names}
    if len(names) > 1 and len(above) == 1:
        parent = str(above.pop())
        if folders_of(parent, Path.cwd()) == names:
            return parent
    return "\n".join(names)


def repeats_text(subsets: Sequence[SubsetConfig]) -> str:
    """What num_repeats shows: one number for all, one each, or nothing for the folders' names."""
    if all(it.num_repeats is None for it in subsets):
        return ""
    repeats = [with_repeats(it).num_repeats for it in subsets]
    return str(repeats[0]) if len(set(repeats)) == 1 else ", ".join(map(str, repeats))


def differing(subsets: Sequence[SubsetConfig]) -> list[str]:
    """Settings in which the subsets of a run differ, and that the page has once, in words."""
    return [
        texts.ONE_FOR_ALL.format(name=item.name)
        for item in fields(SubsetConfig)
        if item.name not in OF_EACH and len({getattr(it, item.name) for it in subsets}) > 1
    ]
