"""What is wrong with the folder: broken files, copies, subsets that do not weigh the same."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from .. import changes as plans
from ..changes import Change
from ..duplicates import plan_duplicates
from ..images import is_of_the_file, repeats_of_folder
from ..look import Finding, Look
from .finding import by_reason, finding

_EXTENSIONS = {
    "PNG": (".png",), "JPEG": (".jpg", ".jpeg"), "MPO": (".jpg", ".jpeg"), "WEBP": (".webp",),
    "GIF": (".gif",), "BMP": (".bmp",), "TIFF": (".tif", ".tiff"), "AVIF": (".avif",),
}  # fmt: skip
_UNEVEN = 1.5
"""Of two subsets the one with this many times the steps is what the other is forgotten for."""
_MOST_REPEATS = 20
"""More often than this a picture is learnt by heart, not the subject in it."""


def unreadable(look: Look) -> list[Finding]:
    """Files that are no whole picture, by the reason; what only cannot be read here stays."""
    lost = [(path, why) for path, why in look.broken if is_of_the_file(why)]
    here = [(path, why) for path, why in look.broken if not is_of_the_file(why)]
    made = [change for path, why in lost for change in plans.plan_trash([path], why)]
    return [
        *by_reason("unreadable", lost, "to the trash", made),
        *by_reason("unreadable", here, "", []),
    ]


def wrong_extension(look: Look) -> list[Finding]:
    """Pictures of another format than their name says, at which some programs stop."""
    reasons: list[tuple[Path, str]] = []
    made: list[Change] = []
    taken = set(look.taken)
    for it in look.images:
        right = _EXTENSIONS.get(it.format)
        if not right or it.path.suffix.lower() in right:
            continue
        to, why = it.path.with_suffix(right[0]), f"is {it.format}"
        if to in taken:
            why += f", and there is a {to.suffix} of this name already"
        else:
            made.append(Change("move", it.path, why, to, it.stamp))
        reasons.append((it.path, why))
    return [
        one if one.changes else replace(one, fix="")
        for one in by_reason("wrong_extension", reasons, "renamed", made)
    ]


def exact_copies(look: Look) -> list[Finding]:
    """Pictures with the same pixels."""
    return _copies(look, "exact")


def near_copies(look: Look) -> list[Finding]:
    """Pictures that were rescaled, recompressed, cropped, recoloured or the like."""
    return _copies(look, "near")


def _copies(look: Look, kind: str) -> list[Finding]:
    found: list[Finding] = []
    for group in (group for group in look.groups if group.kind == kind):
        why = f"{kind} copies of {group.files[0].path.name}"
        fix = "all but the first to the trash"
        found += finding(f"{kind}_copies", group.files, why, fix, plan_duplicates([group]))
    return found


def imbalance(look: Look) -> list[Finding]:
    """Subsets of which one is trained much more than another, and the repeats that even it."""
    counts: dict[Path, int] = {}
    for image in look.images:
        if image.path.parent != look.folder:
            counts[image.path.parent] = counts.get(image.path.parent, 0) + 1
    steps = {path: (repeats_of_folder(path.name) or 1) * n for path, n in counts.items()}
    if len(steps) < 2 or max(steps.values()) < _UNEVEN * min(steps.values()):
        return []
    made = [
        Change("move", path, f"{n} pictures x {wanted}", path.with_name(name))
        for path, n in counts.items()
        if (wanted := _even(n, max(counts.values())))
        and (name := re.sub(r"^\d+", str(wanted), path.name)) != path.name
    ]
    told = ", ".join(
        f"{path.name}: {n} pictures x {_even(n, max(counts.values()))}"
        for path, n in sorted(counts.items())
    )
    names = ", ".join(change.to.name for change in made if change.to)
    why = f"subsets are trained unevenly; even would be {told}"
    fix = f"renamed to {names}" if made else ""
    return [Finding("imbalance", tuple(sorted(counts)), why, fix, tuple(made))]


def _even(pictures: int, most: int) -> int:
    """The repeats that bring a subset nearest to the largest one."""
    return max(1, min(_MOST_REPEATS, round(most / pictures)))
