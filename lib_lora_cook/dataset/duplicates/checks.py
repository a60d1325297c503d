"""The pairs of a folder that are worth a check, each checked once and only if asked for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, product

from ...errors import UserError
from ...jobs import Job
from ..images import ImageFile
from .check import EQUAL, UNLIKE, Difference, compared, swapped
from .cores import mapped
from .distinct import Distinct
from .enlarged import is_enlarged
from .overlay import Claim, Seen
from .prints import Print, check_pixels, pixel_hash
from .search import Candidate, candidates
from .store import Store

_ABOUT_EQUAL = 12.0  # levels that a JPEG decoded at a reduced size may be off
_VARIANT_LIKENESS, _VARIANT_NOISE = 0.8, 16.0
_KEPT, _CHUNK = 512, 48  # pictures; pairs at a time
_CLEAR = 40.0  # a distance at which another way round cannot be better
_COPY = 50.0  # a distance within which no one sees another drawing

Pair = tuple[int, int]


@dataclass(frozen=True)
class Look:
    """What a look at a folder rests on: fingerprints by the hash of the file, and memories."""

    prints: Mapping[str, Print]
    store: Store
    distinct: Distinct
    job: Job


class Checks:
    """What is known of the pairs of pictures; picture n is each of the equal files[n]."""

    def __init__(self, files: Sequence[Sequence[ImageFile]], keys: Sequence[str], look: Look):
        self._paths = [same[0].path for same in files]
        self._keys, self._look, self._job = keys, look, look.job
        self._prints = [look.prints[key] for key in keys]
        self._seen = lru_cache(_KEPT)(self._seen_as)
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

    def _search(self) -> list[Candidate]:
        found = self._look.store.search(self._keys)
        if found is None:
            self._job.report(0, 1, "looking for copies")
            found = candidates(
                self._prints, lambda at: self._look.store.pictures(self._keys[at])[0]
            )
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
            parts = [asked[start : start + _CHUNK] for start in range(0, len(asked), _CHUNK)]
            found = mapped(self._differences, parts, self._job, "comparing pictures")
            new = dict(zip(asked, chain.from_iterable(found), strict=True))
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
        return known is not None and known.written == (1 if one < other else 2)

    def is_enlarged(self, one: int, other: int, ratio: float) -> bool:
        """Whether `one` is `other` made larger, by that ratio of their sides."""
        store, keys = self._look.store, (self._keys[one], self._keys[other])
        found = store.enlarged(*keys)
        if found is None:
            try:
                found = is_enlarged(self._paths[one], self._paths[other], ratio)
            except UserError:  # it went away in the meantime
                return False
            store.add_enlarged(*keys, found)
        return found

    def variants(self) -> list[Pair]:
        """The checked pairs that differ, but not all over the picture."""
        return [
            pair
            for pair, difference in self._known.items()
            if difference.likeness >= _VARIANT_LIKENESS
            and difference.noise <= _VARIANT_NOISE
            and difference.distance > _COPY
        ]

    def _differences(self, pairs: Sequence[Pair]) -> list[Difference]:
        """Of each pair the least there is, where its places are tried one after another."""
        found = [UNLIKE] * len(pairs)
        claims = [self._claims(pair) for pair in pairs]
        for turn in range(max(map(len, claims))):
            going = [
                at
                for at, them in enumerate(claims)
                if turn < len(them) and not (found[at].distance <= _CLEAR or found[at].fits)
            ]
            if not going:
                break
            for at, new in zip(going, compared([claims[at][turn] for at in going]), strict=True):
                found[at] = min(found[at], new, key=_distance)
        return [self._told(pair, it) for pair, it in zip(pairs, found, strict=True)]

    def _seen_as(self, at: int) -> list[Seen]:
        """The picture on each of its grounds."""
        return [Seen(check_pixels(it)) for it in self._look.store.pictures(self._keys[at])]

    def _claims(self, pair: Pair) -> list[Claim]:
        """What is said of how two pictures lie, on each ground they are seen on."""
        one, other = (self._seen(at) for at in pair)
        both = zip(one, other, strict=True) if len(one) == len(other) else product(one, other)
        grounds = list(both)
        return [
            Claim(*ground, hit.mirrored, hit.box, hit.other_box)
            for hit in self._candidates[pair]
            for ground in grounds
        ]

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


def _distance(difference: Difference) -> float:
    return difference.distance
