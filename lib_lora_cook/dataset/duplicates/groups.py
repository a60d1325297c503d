"""Groups of copies as stars round the picture to keep."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal, Protocol

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


_JOINED = 1.6  # times the limit


class Measure(Protocol):
    """How far pictures are from one another; pictures are numbers."""

    def distances(self, pairs: Sequence[tuple[int, int]]) -> list[float]:
        """Of each pair; 0 for equal ones."""

    def distinct(self, one: int, other: int) -> bool:
        """Whether the two may not be in one group."""


def stars(count: int, pairs: Iterable[tuple[int, int]], measure: Measure, limit: float) -> Stars:
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
        for (above, it), distance in zip(asked, measure.distances(asked), strict=True):
            if distance <= limit:
                near[it].append((distance, above))
        centre |= {it: it not in near for it in ready}
        waiting = [it for it in waiting if it not in centre]
    for it, above in _joined(better, near, measure, limit):
        near[it].append((limit, above))
    return _gathered(near, measure)


def _joined(
    better: Mapping[int, list[int]],
    near: Mapping[int, Sequence[tuple[float, int]]],
    measure: Measure,
    limit: float,
) -> list[tuple[int, int]]:
    """Centres that are a little too far from a better one, but have a copy in common with it."""
    between: dict[tuple[int, int], float] = {}  # the shortest way over a copy of both
    for ways in near.values():
        for (way, one), (on, other) in product(ways, ways):
            if one < other and one not in near and other not in near:
                pair = one, other
                between[pair] = min(way + on, between.get(pair, way + on))
    pairs = sorted(pair for pair in between if pair[0] in better[pair[1]])
    distances = measure.distances(pairs)
    return [
        (other, one)
        for (one, other), distance in zip(pairs, distances, strict=True)
        if distance <= _JOINED * limit or between[one, other] <= limit
    ]


def _gathered(near: Mapping[int, Sequence[tuple[float, int]]], measure: Measure) -> Stars:
    """Each with the nearest of its centres, or with the one that this has joined."""
    found: Stars = {}
    home: dict[int, int] = {}
    for it in sorted(near):
        for _, above in sorted(near[it]):
            centre = home.get(above, above)
            members = found.setdefault(centre, [])
            if not any(measure.distinct(it, other) for other in (centre, *members)):
                members.append(it)
                home[it] = centre
                break
    return {at: members for at, members in sorted(found.items()) if members}


def grouped(files: Sequence[Sequence[ImageFile]], copies: Stars, measure: Measure) -> list[Group]:
    """Exact and near groups in which each picture is at most once; `files` are equal ones."""
    joined = {it for others in copies.values() for it in others}
    groups = []
    for number in range(len(files)):
        others = copies.get(number, [])
        members = [image for it in (number, *others) for image in files[it]]
        if number not in joined and len(members) > 1:
            equal = not any(measure.distances([(number, it) for it in others]))
            groups.append(Group("exact" if equal else "near", tuple(members)))
    return groups
