"""The pairs of a folder that are worth a check, each checked once and only if asked for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from ...errors import UserError
from ...jobs import Job
from ..images import ImageFile
from .check import EQUAL, Difference, swapped
from .distinct import Distinct
from .doubts import Doubt, Ground, differences
from .enlarged import are_enlarged
from .laid import Candidate, Laid
from .prints import Print, pixel_hash
from .search import candidates
from .store import Store
from .workers import Workers

_ABOUT_EQUAL = 12.0  # levels that a JPEG decoded at a reduced size may be off
_VARIANT = 0.6  # share of the edges that a drawing in another costume has in common
_CHUNK, _FILES = 48, 4  # pairs at a time; of which whole files are read
_MANY = 400  # pairs for which processes pay
_COPY = 50.0  # a distance within which no one sees another drawing

Pair = tuple[int, int]


@dataclass(frozen=True)
class Look:
    """What a look at a folder rests on: fingerprints by the hash of the file, and memories."""

    prints: Mapping[str, Print]
    store: Store
    distinct: Distinct
    workers: Workers
    job: Job


class Checks:
    """What is known of the pairs of pictures; picture n is each of the equal files[n]."""

    def __init__(self, files: Sequence[Sequence[ImageFile]], keys: Sequence[str], look: Look):
        self._paths = [same[0].path for same in files]
        self._keys, self._look, self._job = keys, look, look.job
        self._prints = [look.prints[key] for key in keys]
        self._candidates: dict[Pair, list[Candidate]] = defaultdict(list)
        for hit in self._search():
            pair = hit.one, hit.other
            if frozenset(self._prints[at].content for at in pair) not in look.distinct:
                self._candidates[pair].append(hit)
        self._of: dict[int, list[Pair]] = defaultdict(list)
        for pair in self._candidates:
            for at in pair:
                self._of[at].append(pair)
        number = {key: at for at, key in enumerate(keys)}
        self._known = {
            (min(number[a], number[b]), max(number[a], number[b])): (
                difference if number[a] < number[b] else swapped(difference)
            )
            for (a, b), difference in look.store.checks().items()
            if a in number and b in number
        }

    def _search(self) -> Laid:
        found = self._look.store.search(self._keys)
        if found is None:
            self._job.report(0, 1, "looking for copies")
            found = candidates(self._prints, self._pictures, self._look.workers)
            self._look.store.add_search(self._keys, found)
        return found

    def distinct(self, one: int, other: int) -> bool:
        """Whether a person has said that they are no duplicates."""
        pair = frozenset((self._prints[one].content, self._prints[other].content))
        return pair in self._look.distinct

    @property
    def pairs(self) -> list[Pair]:
        """Every pair that may be alike, the better picture first."""
        return list(self._candidates)

    def distances(self, pairs: Sequence[Pair]) -> list[float]:
        """How far the two of each pair are from being equal, 0 for equal."""
        asked = sorted({pair for pair in pairs if pair not in self._known})
        if asked:
            new = dict(zip(asked, self._found(asked), strict=True))
            self._known |= new
            keys = self._keys
            self._look.store.add_checks({(keys[a], keys[b]): it for (a, b), it in new.items()})
        return [self._known[pair].distance for pair in pairs]

    def is_near_any(self, one: int, others: set[int], limit: float) -> bool:
        """Whether `one` is within that distance of any of the others."""
        asked = [pair for pair in self._of[one] if others.intersection(pair)]
        return any(distance <= limit for distance in self.distances(asked))

    def is_marked(self, one: int, other: int) -> bool:
        """Whether writing is known to lie over picture `one` that `other` does not have."""
        known = self._known.get((min(one, other), max(one, other)))
        if known is None or known.distance > _COPY:  # what looks like writing may be a dress
            return False
        return known.written == (1 if one < other else 2)

    def are_enlarged(self, asked: Sequence[tuple[int, int, float]]) -> list[bool]:
        """Of pairs with the ratio of their sides, whether the first is the other made larger."""
        store, keys = self._look.store, self._keys
        known = [store.enlarged(keys[one], keys[other]) for one, other, _ in asked]
        new = [it for it, so in zip(asked, known, strict=True) if so is None]
        paths = [(self._paths[one], self._paths[other], ratio) for one, other, ratio in new]
        parts = (paths[at : at + _FILES] for at in range(0, len(paths), _FILES))
        made = chain.from_iterable(self._look.workers.map(are_enlarged, parts, len(new) > _MANY))
        for (one, other, _), so in zip(new, made, strict=True):
            if so is not None:
                store.add_enlarged(keys[one], keys[other], so)
        return [bool(store.enlarged(keys[one], keys[other])) for one, other, _ in asked]

    def variants(self) -> list[Pair]:
        """The checked pairs that differ, but not all over the picture."""
        return [
            pair
            for pair, difference in self._known.items()
            if difference.edges >= _VARIANT and difference.distance > _COPY
        ]

    def _found(self, pairs: Sequence[Pair]) -> list[Difference]:
        """How far the two of each pair differ, on all cores."""
        starts = range(0, len(pairs), _CHUNK)
        doubts = (self._doubts(pairs[at : at + _CHUNK]) for at in starts)
        found: list[Difference] = []
        for new in self._look.workers.map(differences, doubts, len(pairs) > _MANY):
            found += new
            self._job.report(len(found), len(pairs), "comparing pictures")
        return [self._told(pair, it) for pair, it in zip(pairs, found, strict=True)]

    def _doubts(self, pairs: Sequence[Pair]) -> list[Doubt]:
        grounds = self._pictures(chain.from_iterable(pairs))
        return [
            Doubt(
                grounds[one],
                grounds[other],
                tuple((it.mirrored, it.box, it.other_box) for it in self._candidates[one, other]),
            )
            for one, other in pairs
        ]

    def _pictures(self, numbers: Iterable[int]) -> dict[int, Ground]:
        """`Print.checks` of some pictures."""
        numbers = list(numbers)
        found = self._look.store.pictures(self._keys[at] for at in numbers)
        return {at: found[self._keys[at]] for at in numbers}

    def _told(self, pair: Pair, found: Difference) -> Difference:
        return EQUAL if found.worst <= _ABOUT_EQUAL and self._equal(pair) else found

    def _equal(self, pair: Pair) -> bool:
        """Whether a JPEG that was decoded at a reduced size has the pixels of the other file."""
        one, other = (self._prints[at] for at in pair)
        if (one.width, one.height) != (other.width, other.height):
            return False
        if not (one.is_reduced or other.is_reduced):
            return False
        try:
            hashes = [pixel_hash(self._paths[at], self._prints[at]) for at in pair]
        except UserError:  # it went away in the meantime
            return False
        return hashes[0] == hashes[1]
