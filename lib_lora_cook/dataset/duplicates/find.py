"""Copies among a folder's pictures: fingerprints, candidates, checks, groups, and what to drop."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from ...errors import UserError
from ...jobs import Job, null_job
from ..changes import Change
from ..images import Failure, ImageFile
from .checks import Checks, mapped
from .groups import Group, Stars, grouped, stars
from .prints import Print, read_print

DEFAULT_HARDNESS = 50

_LOSSLESS = frozenset({"PNG", "BMP", "TIFF"})


def find_duplicates(
    images: Iterable[ImageFile],
    hardness: int = DEFAULT_HARDNESS,
    job: Job = null_job,
    failed: list[Failure] | None = None,
) -> list[Group]:
    """Groups of copies, each a star round the picture to keep; the same for any order of images.

    hardness 1 (more is called a copy) to 100 (only what is equal). What cannot be read is appended
    to `failed`; without such a list it raises UserError.
    """
    if not 1 <= hardness <= 100:
        raise UserError("Hardness goes from 1 to 100", hardness)
    ranked, prints = _read(sorted(images, key=_rank), job, failed)
    classes = _classes(prints)
    files = [[ranked[at] for at in same] for same in classes]
    checks = Checks(files, [prints[same[0]] for same in classes], job)
    limit = 100.0 - hardness
    copies = stars(len(files), checks.pairs, checks.distances, limit)
    return grouped(files, copies, checks.distance) + _variants(files, copies, checks)


def _variants(files: Sequence[Sequence[ImageFile]], copies: Stars, checks: Checks) -> list[Group]:
    """Stars of pictures of which none is a copy of another, but all show one drawing."""
    joined = {it for others in copies.values() for it in others}
    pairs = [pair for pair in checks.variants() if not joined.intersection(pair)]
    alike = stars(len(files), pairs, checks.distances, float("inf"))
    return [
        Group("variant", tuple(files[it][0] for it in (first, *others)))
        for first, others in sorted(alike.items())
    ]


def plan_duplicates(groups: Iterable[Group]) -> list[Change]:
    """All but the first picture of each exact and near group leave the dataset."""
    changes: dict[Path, Change] = {}
    for group in groups:
        if group.kind == "variant":
            continue
        keeper = group.files[0].path.name
        for image in group.files[1:]:
            why = f"{group.kind} copy of {keeper}"
            changes.setdefault(image.path, Change("trash", image.path, why, before=image.stamp))
    return list(changes.values())


def _rank(image: ImageFile) -> tuple[int, bool, bool, str]:
    """Sorts the best picture first."""
    lossy = image.format not in _LOSSLESS
    return (-image.width * image.height, lossy, not image.caption, str(image.path))


def _read(
    ranked: list[ImageFile], job: Job, failed: list[Failure] | None
) -> tuple[list[ImageFile], list[Print]]:
    """The pictures that can be read, and their fingerprints."""

    def read(image: ImageFile) -> Print | UserError:
        try:
            return read_print(image.path)
        except UserError as error:
            return error

    good: list[ImageFile] = []
    prints: list[Print] = []
    for image, made in zip(ranked, mapped(read, ranked, job, "looking at pictures"), strict=True):
        if isinstance(made, Print):
            good.append(image)
            prints.append(made)
        elif failed is None:
            raise made
        else:
            failed.append((image.path, made.what))
    return good, prints


def _classes(prints: Sequence[Print]) -> list[list[int]]:
    """The numbers of equal pictures together."""
    same: dict[str, list[int]] = defaultdict(list)
    for number, made in enumerate(prints):
        same[made.content].append(number)
    return list(same.values())
