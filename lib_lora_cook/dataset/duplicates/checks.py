"""The pairs of a folder that are worth a check, each checked once and only if asked for."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from ...errors import UserError
from ...jobs import Job
from ..images import ImageFile
from .check import EQUAL, Difference, compared
from .prints import Print, pixel_hash
from .search import Candidate, candidates

_ABOUT_EQUAL = 3.0  # levels that a JPEG decoded at a reduced size may be off
_VARIANT_LIKENESS, _VARIANT_NOISE = 0.8, 16.0
_CHUNK = 64

Pair = tuple[int, int]
Item = TypeVar("Item")
Made = TypeVar("Made")


class Checks:
    """What is known of the pairs of pictures; picture n is each of the equal files[n]."""

    def __init__(
        self, files: Sequence[Sequence[ImageFile]], prints: Sequence[Print], job: Job
    ) -> None:
        self._paths = [same[0].path for same in files]
        self._prints, self._job = prints, job
        self._candidates: dict[Pair, list[Candidate]] = defaultdict(list)
        for hit in candidates(prints):
            self._candidates[min(hit.one, hit.other), max(hit.one, hit.other)].append(hit)
        self._known: dict[Pair, Difference] = {}

    @property
    def pairs(self) -> list[Pair]:
        """Every pair that may be alike, the better picture first."""
        return list(self._candidates)

    def distances(self, pairs: Sequence[Pair]) -> list[float]:
        """How far the two of each pair are from being equal, 0 for equal."""
        asked = [pair for pair in pairs if pair not in self._known]
        found = mapped(self._difference, asked, self._job, "comparing pictures")
        self._known.update(zip(asked, found, strict=True))
        return [self._known[pair].distance for pair in pairs]

    def distance(self, one: int, other: int) -> float:
        """The same of one pair."""
        return self.distances([(min(one, other), max(one, other))])[0]

    def variants(self) -> list[Pair]:
        """The checked pairs that differ, but not all over the picture."""
        return [
            pair
            for pair, difference in self._known.items()
            if difference.likeness >= _VARIANT_LIKENESS and difference.noise <= _VARIANT_NOISE
        ]

    def _difference(self, pair: Pair) -> Difference:
        if self._equal(pair):
            return EQUAL
        return min((self._compared(hit) for hit in self._candidates[pair]), key=_distance)

    def _compared(self, hit: Candidate) -> Difference:
        one, other = self._prints[hit.one], self._prints[hit.other]
        grounds = zip(one.checks, other.checks, strict=False)
        found = [
            compared(a, b, hit.mirrored, hit.box, hit.other_box)
            for a, b in ([*grounds] if len(one.checks) == len(other.checks) else
                         [(a, b) for a in one.checks for b in other.checks])
        ]  # fmt: skip
        return min(found, key=_distance)

    def _equal(self, pair: Pair) -> bool:
        """Whether a JPEG that was decoded at a reduced size has the pixels of the other file."""
        one, other = (self._prints[at] for at in pair)
        if (one.width, one.height) != (other.width, other.height):
            return False
        if not (one.is_reduced or other.is_reduced):
            return False
        if all(self._compared(hit).worst > _ABOUT_EQUAL for hit in self._candidates[pair]):
            return False
        try:
            hashes = [pixel_hash(self._paths[at], self._prints[at]) for at in pair]
        except UserError:  # it went away in the meantime
            return False
        return hashes[0] == hashes[1]


def _distance(difference: Difference) -> float:
    return difference.distance


def mapped(make: Callable[[Item], Made], items: Sequence[Item], job: Job, what: str) -> list[Made]:
    """`make` of each item, on all cores: Pillow and OpenCV let go of Python while they work."""
    made: list[Made] = []
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for start in range(0, len(items), _CHUNK):
            job.check()
            made += threads.map(make, items[start : start + _CHUNK])
            job.report(len(made), len(items), what)
    return made
