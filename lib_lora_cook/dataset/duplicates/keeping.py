"""Which picture of a group is kept: size, loss, bars, writing, a caption, and true detail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ..images import ImageFile
from .checks import Checks
from .groups import Group, Stars
from .prints import Print

_ABOUT = 0.85  # of the largest area; where a margin ends is seen to some percent
_LOSSY, _BARRED = 0.8, 0.9  # what a picture's size counts for then
_LARGER = 1.1  # times as long sides
_AS_GOOD = 0.6  # of its area, for one without a watermark
_TRIED = 3  # pictures
_LOSSLESS = frozenset({"PNG", "BMP", "TIFF"})


@dataclass(frozen=True)
class Keeping:
    """The pictures, equal ones together, and what is known of each and between them."""

    files: Sequence[Sequence[ImageFile]]
    prints: Mapping[Path, Print]
    checks: Checks

    @cached_property
    def number(self) -> dict[Path, int]:
        """The place in `files` of each picture."""
        return {image.path: at for at, same in enumerate(self.files) for image in same}

    def kept_first(self, group: Group) -> Group:
        """The group with the picture to keep in front."""
        return self._unmarked_first(self._best_first(group))

    def best(self, numbers: Sequence[int]) -> int:
        """Which of some pictures would be kept."""
        group = Group("near", tuple(self.files[it][0] for it in numbers))
        kept = self.kept_first(group).files[0]
        return next(it for it in numbers if self.files[it][0] is kept)

    def detailed(self, groups: Sequence[Group], copies: Stars, limit: float) -> list[Group]:
        """The groups; in front of one what was only made larger gives way to what it was made of.

        Not where that is near another picture that is kept.
        """
        first = (self._smaller_in(group) for group in groups)
        self.checks.are_enlarged([self._asked(*pair) for pair in first if pair])  # all at once
        kept, done = set(range(len(self.files))).difference(*copies.values()), []
        for group in groups:
            other = self._detailed_first(group)
            old, new = (self.number[it.files[0].path] for it in (group, other))
            kept.remove(old)
            if new != old and not self.checks.is_near_any(new, kept, limit):
                group, old = other, new
            kept.add(old)
            done.append(group)
        return done

    def _best_first(self, group: Group) -> Group:
        """The group with its best picture in front: size, loss, bars, a caption."""
        least = _ABOUT * max(_area(self.prints[image.path]) for image in group.files)
        fewest = min(_bars(image, self.prints[image.path]) for image in group.files)
        smallest = min(image.width * image.height for image in group.files)

        def order(image: ImageFile) -> tuple[bool, bool, bool, int, float, bool, str]:
            made, canvas = self.prints[image.path], image.width * image.height
            lossy = image.format not in _LOSSLESS
            spent = image.stamp.size / canvas if lossy and image.stamp else 0.0
            return (
                _area(made) < least, lossy, canvas > smallest and _bars(image, made) > fewest,
                -canvas, -spent,
                not image.caption, str(image.path),
            )  # fmt: skip

        return Group(group.kind, tuple(sorted(group.files, key=order)))

    def _detailed_first(self, group: Group) -> Group:
        """The group, those behind that are a smaller one made larger."""
        behind: tuple[ImageFile, ...] = ()
        for _ in range(_TRIED):
            pair = self._smaller_in(group)
            if not pair or not all(self.checks.are_enlarged([self._asked(*pair)])):
                break
            first, *others = group.files
            group, behind = self._best_first(Group(group.kind, tuple(others))), (*behind, first)
        return Group(group.kind, (*group.files, *behind))

    def _smaller_in(self, group: Group) -> tuple[ImageFile, ImageFile] | None:
        """The picture in front and the best of those that are clearly smaller."""
        first, *others = group.files
        area = _area(self.prints[first.path])
        smaller = [it for it in others if _area(self.prints[it.path]) * _LARGER**2 <= area]
        if not smaller:
            return None
        return first, self._best_first(Group(group.kind, tuple(smaller))).files[0]

    def _asked(self, large: ImageFile, small: ImageFile) -> tuple[int, int, float]:
        areas = [_area(self.prints[it.path]) for it in (large, small)]
        return self.number[large.path], self.number[small.path], (areas[0] / areas[1]) ** 0.5

    def _unmarked_first(self, group: Group) -> Group:
        """The group, one without a watermark in front if it is about as large as the first one."""
        first, *others = group.files
        least = _AS_GOOD * _area(self.prints[first.path])
        for other in others[:_TRIED]:
            if _area(self.prints[other.path]) < least:
                continue
            if self.checks.is_marked(self.number[first.path], self.number[other.path]):
                rest = (image for image in group.files if image is not other)
                return Group(group.kind, (other, *rest))
        return group


def promise(image: ImageFile, made: Print) -> float:
    """How well a picture serves to compare others with: size, loss and bars at a guess."""
    loss = 1.0 if image.format in _LOSSLESS else _LOSSY
    return _area(made) * loss * _BARRED ** _bars(image, made)


def _area(made: Print) -> float:
    """Pixels inside all bars and margins, so that a frame adds nothing."""
    return made.boxes[-1][2] * made.boxes[-1][3] * made.width * made.height


def _bars(image: ImageFile, made: Print) -> int:
    """How often bars can be taken off; what carries transparency was looked at on two grounds."""
    return (len(made.boxes) + 1) // 2 if image.has_alpha else len(made.boxes)
