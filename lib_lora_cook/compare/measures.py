"""What pictures say about a LoRA: measures, each of its own meaning, each with its spread."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from statistics import mean, median, stdev

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..captioning.base import THRESHOLD, Tagger, Tags
from ..dataset.tags import tag_key

Floats = NDArray[np.float64]
VIEW_SIDE = 16
"""Of the fingerprint: a picture in so many squares of plain colour a side."""
PRUNED_FROM, PRUNED_LEFT = 0.5, 0.1
"""A tag is pruned if the tagger sees it in this share of the pictures, and captions hardly."""


@dataclass(frozen=True)
class Look:
    """What is known of one picture: tags seen (by key), their probabilities, its fingerprint."""

    seen: frozenset[str]
    feature: Floats
    """[T] probabilities of all general tags."""
    view: Floats
    """[16 * 16 * 3] colours, 0..1."""
    chances: Mapping[str, float] = field(default_factory=dict)
    """The probability of each general and character tag, by key."""


@dataclass(frozen=True)
class Measure:
    """A measure of one cell: its value a seed, in the order of the seeds."""

    each: tuple[float, ...]

    @property
    def value(self) -> float:
        """The mean over the seeds."""
        return mean(self.each)

    @property
    def spread(self) -> float:
        """The standard deviation over the seeds; 0 of a single one, which says nothing."""
        return stdev(self.each) if len(self.each) > 1 else 0.0


def look_at(
    pictures: Sequence[Image.Image], tagger: Tagger, threshold: float = THRESHOLD
) -> list[Look]:
    """The looks of pictures, by a tagger whose tags always come in one order."""
    return [
        Look(
            frozenset(map(tag_key, tags.names(threshold))), feature_of(tags), view_of(picture),
            {tag_key(name): it for name, it in (*tags.character.items(), *tags.general.items())},
        )
        for picture, tags in zip(pictures, tagger.predict(pictures), strict=True)
    ]  # fmt: skip


def feature_of(tags: Tags) -> Floats:
    """The probabilities of the general tags by name."""
    return np.array([tags.general[name] for name in sorted(tags.general)], float)


def view_of(picture: Image.Image) -> Floats:
    """The fingerprint of a picture: what stands where, without its details."""
    small = picture.convert("RGB").resize((VIEW_SIDE, VIEW_SIDE), Image.Resampling.BOX)
    return np.asarray(small, float).ravel() / 255


def apart(one: Floats, two: Floats) -> float:
    """How far two fingerprints or features are apart: the root of the mean square difference."""
    return float(np.sqrt(np.mean((one - two) ** 2)))


def mean_apart(looks: Sequence[Look]) -> float:
    """How far different seeds' features are apart on average; 0 for a single one."""
    pairs = [apart(a.feature, b.feature) for place, a in enumerate(looks) for b in looks[:place]]
    return mean(pairs) if pairs else 0.0


def share(look: Look, tags: Sequence[str]) -> float:
    """How many of the tags are seen, 0..1."""
    return mean(tag_key(tag) in look.seen for tag in tags)


def recovery(looks: Sequence[Look], base: Sequence[Look], pruned: Sequence[str]) -> Measure:
    """The share of pruned tags that the trigger alone brings back, less what the base gives."""
    given = mean(share(it, pruned) for it in base) if base else 0.0
    return Measure(tuple(share(it, pruned) - given for it in looks))


def obedience(looks: Sequence[Look], asked: Sequence[str]) -> Measure:
    """The share of the tags that were asked for that are there."""
    return Measure(tuple(share(it, asked) for it in looks))


def mixing(looks: Sequence[Look], base: Sequence[Look], others: Sequence[str]) -> Measure:
    """The share of what other subsets teach that this trigger brings too, less the base's."""
    return recovery(looks, base, others)


def bleed(looks: Sequence[Look], base: Sequence[Look], pruned: Sequence[str]) -> Measure:
    """How sure the tagger is of pruned tags without any trigger, less of the base's.

    By probability: what begins to come through shows before it is beyond the threshold.
    """
    given = mean(sureness(it, pruned) for it in base) if base else 0.0
    return Measure(tuple(sureness(it, pruned) - given for it in looks))


def sureness(look: Look, tags: Sequence[str]) -> float:
    """The mean probability of the tags, 0..1."""
    return mean(look.chances.get(tag_key(tag), 0.0) for tag in tags)


def leak(looks: Sequence[Look], base: Sequence[Look]) -> Measure:
    """How far what is seen without the trigger moves: 0 not at all, 1 as far as another seed's.

    By features: the colours of a picture move as far where nothing of the subject comes into it.
    """
    usual = mean_apart(base) or 1.0
    pairs = zip(looks, base, strict=True)
    return Measure(tuple(apart(one.feature, other.feature) / usual for one, other in pairs))


def diversity(looks: Sequence[Look], base: Sequence[Look]) -> Measure:
    """How far what is seen of each seed is from the others': 1 as far as the base's, 0 the same.

    By features: the same girl in the same pose on grounds of other colours is not diverse.
    """
    usual = mean_apart(base) or 1.0
    return Measure(
        tuple(
            mean(apart(it.feature, other.feature) for other in looks if other is not it) / usual
            for it in looks
        )
    )


@dataclass(frozen=True)
class Training:
    """The pictures that a LoRA was trained on, and what was left out of their captions."""

    paths: Sequence[Path]
    looks: Sequence[Look]
    captions: Sequence[Sequence[str]]

    @cached_property
    def usual(self) -> tuple[float, float]:
        """How near a training picture is to the next one: (fingerprint, feature), the medians."""
        nearest = [
            [
                min(apart(part(it), part(other)) for other in self.looks if other is not it)
                for it in self.looks
            ]
            for part in (lambda look: look.view, lambda look: look.feature)
        ]
        view, feature = (median(it) or 1.0 for it in nearest)
        return view, feature


def copy_risk(looks: Sequence[Look], training: Training) -> tuple[Measure, Path]:
    """How much nearer a picture is to a training picture than those are to each other.

    0: no nearer, 1: the same picture; by fingerprint and by feature, the lesser of the two. And the
    training picture that any is nearest to.
    """
    if len(training.looks) < 2:
        raise ValueError("one picture has no distance to the next")
    risks = [[nearness(look, other, training) for other in training.looks] for look in looks]
    each = tuple(max(row) for row in risks)
    row = risks[each.index(max(each))]
    return Measure(each), training.paths[row.index(max(row))]


def nearness(look: Look, other: Look, training: Training) -> float:
    """0..1, as above, for one training picture."""
    view, feature = training.usual
    far = max(apart(look.view, other.view) / view, apart(look.feature, other.feature) / feature)
    return max(0.0, 1.0 - far)


def pruned_tags(training: Training) -> list[str]:
    """What the tagger sees in most training pictures, and captions hardly name."""
    count = len(training.looks)
    named = [{tag_key(tag) for tag in caption} for caption in training.captions]
    return [
        tag
        for tag in sorted({tag for look in training.looks for tag in look.seen})
        if share_of(tag, (it.seen for it in training.looks)) > PRUNED_FROM * count
        and share_of(tag, named) <= PRUNED_LEFT * count
    ]


def share_of(tag: str, several: Iterable[frozenset[str] | set[str]]) -> int:
    """In how many of the sets a tag is."""
    return sum(tag in it for it in several)
