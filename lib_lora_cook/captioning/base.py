"""What every tagger gives, tags with their probabilities, and how a caption is chosen from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal, Protocol

from ..dataset.tags import dedupe_tags, spaces_for_underscores, tag_key

THRESHOLD = 0.35
CHARACTER_THRESHOLD = 0.85
_LEAST_CHARACTER_MCUT = 0.15  # where no character is there, the largest gap is among noise
CATEGORIES = ("general", "character", "rating", "copyright", "artist", "meta", "quality", "model",
              "year")  # fmt: skip
"""Everything that a tagger's list may sort its tags into."""


@dataclass(frozen=True)
class Tags:
    """What a tagger saw in one picture: danbooru's spelling -> probability, by category."""

    general: dict[str, float] = field(default_factory=dict)
    character: dict[str, float] = field(default_factory=dict)
    rating: dict[str, float] = field(default_factory=dict)
    more: dict[str, dict[str, float]] = field(default_factory=dict)
    """Of the other categories."""

    def of(self, category: str) -> dict[str, float]:
        """The tags of one category, to be read or filled."""
        if category in ("general", "character", "rating"):
            found: dict[str, float] = getattr(self, category)
            return found
        return self.more.setdefault(category, {})

    def names(
        self, threshold: float = THRESHOLD, character_threshold: float = CHARACTER_THRESHOLD
    ) -> list[str]:
        """General and character tags above their thresholds as captions spell them."""
        return chosen(self, Choice({"general": threshold, "character": character_threshold}))


class Tagger(Protocol):
    """Whatever can tell tags: a model on disk, several of them, or a program of the host."""

    def predict(self, images: Sequence[Any]) -> list[Tags]:
        """The tags of each picture (Pillow, any mode), in order."""


@dataclass(frozen=True)
class Choice:
    """Which of a tagger's tags make the caption.

    thresholds by category, those without one are left out; mcut: those of general and character
    tags are the middles of the largest gaps instead. expand: `name_(series)` becomes two tags.
    """

    thresholds: Mapping[str, float] = field(
        default_factory=lambda: {"general": THRESHOLD, "character": CHARACTER_THRESHOLD}
    )
    mcut: bool = False
    rating: Literal["none", "first", "last"] = "none"
    characters_first: bool = False
    expand: bool = False
    leave_out: frozenset[str] = frozenset()
    """Tags in any spelling."""
    spaces: bool = True
    """Captions' spelling; faces like ^_^ keep their underscores either way."""


def chosen(tags: Tags, choice: Choice) -> list[str]:
    """The caption's tags, the surest first; equal ones in alphabetical order."""
    characters = list(_surest(tags, ["character"], choice)) if choice.characters_first else []
    done = {"character"} if choice.characters_first else set()
    rest = _surest(tags, [name for name in choice.thresholds if name not in done], choice)
    names = [name for tag in [*characters, *rest] for name in _expanded(tag, tags, choice)]
    if choice.rating != "none" and tags.rating:
        surest = max(tags.rating, key=lambda name: tags.rating[name])
        names = [surest, *names] if choice.rating == "first" else [*names, surest]
    unwanted = {tag_key(tag) for tag in choice.leave_out}
    names = dedupe_tags([name for name in names if tag_key(name) not in unwanted])
    return [spaces_for_underscores(name) for name in names] if choice.spaces else names


def _surest(tags: Tags, categories: Sequence[str], choice: Choice) -> Iterator[str]:
    found: dict[str, float] = {}
    for category in categories:
        seen = tags.of(category) if category in CATEGORIES[:3] else tags.more.get(category, {})
        least = _threshold(category, seen, choice)
        found |= {name: p for name, p in seen.items() if p > least}
    yield from sorted(found, key=lambda name: (-found[name], name))


def _threshold(category: str, seen: Mapping[str, float], choice: Choice) -> float:
    if not choice.mcut or category not in ("general", "character"):
        return choice.thresholds[category]
    middle = mcut_threshold(seen)
    return max(_LEAST_CHARACTER_MCUT, middle) if category == "character" else middle


def _expanded(name: str, tags: Tags, choice: Choice) -> Sequence[str]:
    return expanded(name) if choice.expand and name in tags.character else (name,)


def expanded(character: str) -> tuple[str, ...]:
    """`name_(series)` -> name, series; of `name_(costume)_(series)` only the last is taken off."""
    head, bracket, series = character.rpartition("(")
    name = head.rstrip("_ ")
    if not (bracket and name and series.endswith(")")):
        return (character,)
    return (name, series[:-1])


def mcut_threshold(probabilities: Mapping[str, float]) -> float:
    """The middle of the largest gap in the sorted probabilities (Largeron et al. 2012)."""
    falling = sorted(probabilities.values(), reverse=True)
    pairs = list(pairwise(falling))
    if not pairs:
        return CHARACTER_THRESHOLD
    above, below = max(pairs, key=lambda pair: pair[0] - pair[1])
    return (above + below) / 2


def average(several: Sequence[Tags]) -> Tags:
    """The mean of each tag's probability over those taggers that know it."""
    sums: dict[str, dict[str, list[float]]] = {}
    for tags in several:
        named = {"general": tags.general, "character": tags.character, "rating": tags.rating}
        for category, found in {**named, **tags.more}.items():
            for name, probability in found.items():
                sums.setdefault(category, {}).setdefault(name, []).append(probability)
    result = Tags()
    for category, by_name in sums.items():
        result.of(category).update({name: sum(p) / len(p) for name, p in by_name.items()})
    return result


@dataclass(frozen=True)
class Several:
    """Taggers asked together; their probabilities are averaged."""

    taggers: Sequence[Tagger]

    @property
    def at_once(self) -> int:
        """In how many threads `predict` is best asked at the same time, 0 for one."""
        return min(at_once(tagger) for tagger in self.taggers)

    def ready(self, image: Any) -> tuple[Any, ...]:
        """What `predict` takes for a picture: what each of them takes."""
        return tuple(ready(tagger, image) for tagger in self.taggers)

    def predict(self, images: Sequence[Any]) -> list[Tags]:
        """The averages for pictures, or for what `ready` made of them."""
        each = [it if isinstance(it, tuple) else self.ready(it) for it in images]
        seen = [
            tagger.predict([parts[place] for parts in each])
            for place, tagger in enumerate(self.taggers)
        ]
        return [average(found) for found in zip(*seen, strict=True)]


def ready(tagger: Tagger, image: Any) -> Any:
    """A picture as a tagger's `predict` takes it soonest; made in any thread, beside inference."""
    make = getattr(tagger, "ready", None)
    return image if make is None else make(image)


def at_once(tagger: Tagger) -> int:
    """In how many threads a tagger is best asked at the same time; 0: in one, with batches."""
    number: int = getattr(tagger, "at_once", 0)
    return number
