"""Groups of copies as stars round the picture to keep."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from ..images import ImageFile

Kind = Literal["exact", "near", "variant"]


@dataclass(frozen=True)
class Group:
    """Pictures that are copies of the first one, which is the one to keep.

    exact: the same pixels, whatever the file. near: rescaled, recompressed, cropped, recoloured or
    the like; may have exact copies among them. variant: the same drawing, but for an expression or
    a costume; none of them is a copy.
    """

    kind: Kind
    files: tuple[ImageFile, ...]


Stars = dict[int, list[int]]
"""Centre -> the others."""


def stars(
    count: int,
    pairs: Iterable[tuple[int, int]],
    distances: Callable[[list[tuple[int, int]]], Sequence[float]],
    limit: float,
) -> Stars:
    """Whoever has no better picture within `limit` is a centre; the others join the nearest one.

    Pictures are 0 to count - 1, the best first. Only pairs of a centre with another are measured,
    as many at once as can be known to be needed.
    """
    better: dict[int, list[int]] = defaultdict(list)
    for one, other in pairs:
        better[max(one, other)].append(min(one, other))
    centre: dict[int, bool] = {}
    near: dict[int, list[tuple[float, int]]] = defaultdict(list)
    waiting = list(range(count))
    while waiting:
        ready = [it for it in waiting if all(above in centre for above in better[it])]
        asked = [(above, it) for it in ready for above in sorted(better[it]) if centre[above]]
        for (above, it), distance in zip(asked, distances(asked), strict=True):
            if distance <= limit:
                near[it].append((distance, above))
        centre |= {it: it not in near for it in ready}
        waiting = [it for it in waiting if it not in centre]
    found: Stars = {}
    for it in range(count):
        if it in near:
            found.setdefault(min(near[it])[1], []).append(it)
    return found


def grouped(
    files: Sequence[Sequence[ImageFile]], copies: Stars, distance: Callable[[int, int], float]
) -> list[Group]:
    """Exact and near groups in which each picture is at most once; `files` are equal ones."""
    joined = {it for others in copies.values() for it in others}
    groups = []
    for number in range(len(files)):
        others = copies.get(number, [])
        members = [image for it in (number, *others) for image in files[it]]
        if number not in joined and len(members) > 1:
            equal = all(distance(number, it) == 0 for it in others)
            groups.append(Group("exact" if equal else "near", tuple(members)))
    return groups
