"""Pairs of pictures and how they may lie on one another, many at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from .prints import Box

_SAME_PLACE = 0.03  # share of a side by which two of a pair differ at least
_NUMBERS = 12  # that one is kept as

Boxes = NDArray[np.float64]
"""(n, 4): left, top, width, height."""


@dataclass(frozen=True)
class Candidate:
    """Pictures `one` and `other` (mirrored, if so) that may show the same in these boxes."""

    one: int
    other: int
    mirrored: bool
    box: Box  # of one
    other_box: Box  # of other, as it is before it is mirrored
    likeness: float


@dataclass(frozen=True)
class Laid:
    """Arrays of what a `Candidate` is made of; going through it gives these."""

    one: NDArray[np.int32]
    other: NDArray[np.int32]
    mirrored: NDArray[np.bool_]
    boxes: Boxes
    other_boxes: Boxes
    likeness: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.one)

    def __getitem__(self, wanted: NDArray[np.int64]) -> Laid:
        return Laid(*(getattr(self, field.name)[wanted] for field in fields(self)))

    def __add__(self, more: Laid) -> Laid:
        both = ((getattr(self, it.name), getattr(more, it.name)) for it in fields(self))
        return Laid(*map(np.concatenate, both))

    def __iter__(self) -> Iterator[Candidate]:
        columns = (getattr(self, field.name).tolist() for field in fields(self))
        for one, other, mirrored, box, other_box, likeness in zip(*columns, strict=True):
            yield Candidate(one, other, mirrored, tuple(box), tuple(other_box), likeness)

    @classmethod
    def of(cls, numbers: NDArray[np.float64]) -> Laid:
        """From rows of 12, the fields one after another."""
        rows = numbers.reshape(-1, _NUMBERS)
        one, other = rows[:, :2].astype(np.int32).T
        return cls(one, other, rows[:, 2] != 0, rows[:, 3:7], rows[:, 7:11], rows[:, 11])

    @property
    def numbers(self) -> NDArray[np.float64]:
        """(n, 12): such rows."""
        return np.column_stack([getattr(self, field.name) for field in fields(self)])

    def ordered(self) -> Laid:
        """The same with the lower number first."""
        kept = (self.one <= self.other)[:, None]
        return Laid(
            np.minimum(self.one, self.other), np.maximum(self.one, self.other), self.mirrored,
            np.where(kept, self.boxes, self.other_boxes),
            np.where(kept, self.other_boxes, self.boxes), self.likeness,
        )  # fmt: skip

    def apart(self) -> Laid:
        """Without those that say nearly the same of a pair as one before them."""
        known: dict[tuple[int, int, bool], list[list[float]]] = {}
        keys = zip(self.one.tolist(), self.other.tolist(), self.mirrored.tolist(), strict=True)
        chosen = []
        for at, (key, place) in enumerate(zip(keys, self._corners().tolist(), strict=True)):
            places = known.setdefault(key, [])
            if not any(_is_near(place, it) for it in places):
                places.append(place)
                chosen.append(at)
        return self[np.array(chosen, np.int64)]

    def _corners(self) -> Boxes:
        """(n, 4): left, top, right, bottom of other's frame (mirrored, if so) in one's."""
        start, size = self.other_boxes[:, :2].copy(), self.other_boxes[:, 2:]
        start[:, 0] = np.where(self.mirrored, 1 - start[:, 0] - size[:, 0], start[:, 0])
        scale = self.boxes[:, 2:] / size
        low = self.boxes[:, :2] - start * scale
        return np.hstack([low, low + scale])


def _is_near(place: list[float], other: list[float]) -> bool:
    return all(abs(a - b) <= _SAME_PLACE for a, b in zip(place, other, strict=True))
