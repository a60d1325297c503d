"""Groups of copies as stars round the picture to keep."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
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


_LEAST_SAYING = 2
_AT_ONCE = (1, None)  # better pictures that each is compared with, many at a time

Stars = dict[int, list[int]]
"""Centre -> the others."""


class Measure(Protocol):
    """How far pictures are from one another; pictures are numbers."""

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Those that may be alike."""

    def distances(self, pairs: Sequence[tuple[int, int]]) -> list[float]:
        """Of each pair; 0 for equal ones."""

    def distinct(self, one: int, other: int) -> bool:
        """Whether the two may not be in one group."""


def stars(pairs: Iterable[tuple[int, int]], measure: Measure, limit: float) -> Stars:
    """Whoever has no better picture within `limit` is a centre; the others join the nearest one.

    Of two pictures the one with the lower number is the better one. Only pairs of a centre with
    another are measured, and before them, many at once, those that are likely to be such.
    """
    better: dict[int, list[int]] = defaultdict(list)
    for one, other in pairs:
        better[max(one, other)].append(min(one, other))
    close: set[int] = set()
    for most in _AT_ONCE:
        first = [(above, it) for it in better for above in sorted(better[it])[:most]]
        first = [pair for pair in first if pair[0] not in close]
        found = zip(first, measure.distances(first), strict=True)
        close |= {it for (_, it), distance in found if distance <= limit}
    near: dict[int, list[tuple[float, int]]] = {}
    for it in sorted(better):
        asked = [(above, it) for above in sorted(better[it]) if above not in near]
        found = zip(asked, measure.distances(asked), strict=True)
        if copies := [(distance, above) for (above, _), distance in found if distance <= limit]:
            near[it] = copies
    joined: Stars = {}
    for it in sorted(near):
        for _, above in sorted(near[it]):
            members = joined.setdefault(above, [])
            if not any(measure.distinct(it, other) for other in (above, *members)):
                members.append(it)
                break
    return {at: members for at, members in sorted(joined.items()) if members}


def covered(pairs: Iterable[tuple[int, int]]) -> Stars:
    """Each picture once, with those it makes a pair with: the one of most such pairs goes first."""
    partners: dict[int, set[int]] = defaultdict(set)
    for one, other in pairs:
        partners[one].add(other)
        partners[other].add(one)
    waiting = [(-len(others), it) for it, others in partners.items()]
    heapify(waiting)
    found: Stars = {}
    while waiting:
        most, it = heappop(waiting)
        if -most == len(partners[it]) > 0:
            found[it] = sorted(partners[it])
            for gone in (it, *found[it]):
                for other in partners.pop(gone):
                    partners[other].discard(gone)
        elif partners[it]:
            heappush(waiting, (-len(partners[it]), it))
    return dict(sorted(found.items()))


def settled(count: int, measure: Measure, limit: float, best: Callable[[list[int]], int]) -> Stars:
    """Stars round the `best` of each, made again of those until none of them is another's copy.

    So that what is left when the copies are gone has none. Stars that agree become one.
    """
    members = {it: [it] for it in range(count)}
    while True:
        pairs = [pair for pair in measure.pairs if pair[0] in members and pair[1] in members]
        before = len(members)
        joined = stars(pairs, measure, limit) or _agreed(members, measure, limit)
        for centre, others in joined.items():
            group = members.pop(centre)
            for other in others:
                if not any(measure.distinct(a, b) for a in group for b in members[other]):
                    group += members.pop(other)
            members[best(group)] = group
        if len(members) == before:
            return {
                it: sorted(set(group) - {it})
                for it, group in sorted(members.items())
                if len(group) > 1
            }


def _agreed(members: Stars, measure: Measure, limit: float) -> Stars:
    """Centres of stars that are said to be one, by half of both stars' others and two at least.

    A degraded copy lies nearer to a recoloured or framed copy than to the picture itself, so that
    copies gather round both. One that is near both alone says nothing: it may be too small to show
    the expression in which two drawings differ.
    """
    home = {it: centre for centre, group in members.items() for it in group}
    asked: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    for one, other in measure.pairs:
        if (one in members) != (other in members) and home[one] != home[other]:
            asked[_pair(home[one], home[other])].append((one, other))
    needed = {
        (a, b): max(_LEAST_SAYING, (len(members[a]) + len(members[b]) - 2) / 2) for a, b in asked
    }
    asked = {ends: pairs for ends, pairs in asked.items() if len(pairs) >= needed[ends]}
    measure.distances([pair for pairs in asked.values() for pair in pairs])  # all at once
    found: Stars = {}
    taken: set[int] = set()
    for (a, b), pairs in sorted(asked.items()):
        near = sum(distance <= limit for distance in measure.distances(pairs))
        if near >= needed[a, b] and not taken.intersection((a, b)):
            found[a] = [b]
            taken.update((a, b))
    return found


def _pair(one: int, other: int) -> tuple[int, int]:
    return min(one, other), max(one, other)


def grouped(files: Sequence[Sequence[ImageFile]], copies: Stars, measure: Measure) -> list[Group]:
    """Exact and near groups in which each picture is at most once; `files` are equal ones."""
    joined = {it for others in copies.values() for it in others}
    groups = []
    for number in range(len(files)):
        others = copies.get(number, [])
        members = [image for it in (number, *others) for image in files[it]]
        if number not in joined and len(members) > 1:
            equal = all(measure.distances([_pair(number, it)]) == [0] for it in others)
            groups.append(Group("exact" if equal else "near", tuple(members)))
    return groups
