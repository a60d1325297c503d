"""Which captions, and which tags: filters, orders, searches, completions; all of them pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ..errors import UserError
from .tags import tag_key

Mode = Literal["and", "or", "none"]
Order = Literal["frequency", "name", "length"]
Search = Literal["part", "prefix", "suffix", "regex"]
Matches = Callable[[tuple[str, ...], Callable[[], str]], bool]
"""(tags, what gives the whole text) -> whether the caption is one of those meant."""


@dataclass(frozen=True)
class TagFilter:
    """Captions with all of these tags, any of them, or none (what is missing); any spelling."""

    tags: tuple[str, ...]
    mode: Mode = "and"

    def among(self, known: Iterable[str]) -> Matches:
        """The filter made for captions of these tags."""
        spellings: dict[str, set[str]] = {tag_key(tag): set() for tag in self.tags}
        for tag in known:
            if (key := tag_key(tag)) in spellings:
                spellings[key].add(tag)
        sets = list(spellings.values())
        if self.mode == "and":
            return lambda tags, _: not any(wanted.isdisjoint(tags) for wanted in sets)
        any_of = set().union(*sets)
        if self.mode == "or":
            return lambda tags, _: not any_of.isdisjoint(tags)
        return lambda tags, _: any_of.isdisjoint(tags)


@dataclass(frozen=True)
class RegexFilter:
    """Captions where an expression is found, in a tag or in the whole text; or is not found."""

    pattern: str
    scope: Literal["tag", "caption"] = "tag"
    found: bool = True

    def among(self, known: Iterable[str]) -> Matches:
        """The filter made for captions of these tags; UserError for a broken expression."""
        search = expression(self.pattern).search
        if self.scope == "caption":
            return lambda _, text: (search(text()) is not None) == self.found
        hits = {tag for tag in known if search(tag)}
        return lambda tags, _: hits.isdisjoint(tags) != self.found


Filter = TagFilter | RegexFilter


def expression(pattern: str) -> re.Pattern[str]:
    """A regular expression, upper and lower case alike; UserError if it is none."""
    try:
        return re.compile(pattern, re.IGNORECASE)
    except re.error as error:
        raise UserError(
            f"This is no regular expression ({error})", pattern, "Correct it."
        ) from error


_ORDERS: dict[str, Callable[[tuple[str, int]], tuple[int | str, ...]]] = {
    "frequency": lambda it: (-it[1], it[0]),
    "name": lambda it: (it[0].lower(), it[0]),
    "length": lambda it: (len(it[0]), it[0]),
}


def ordered(
    counts: Mapping[str, int], order: Order = "frequency", descending: bool | None = None
) -> list[tuple[str, int]]:
    """(tag, count) in an order: the most frequent, the first letters, the shortest first.

    descending: turn it round (True) or not.
    """
    return sorted(counts.items(), key=_ORDERS[order], reverse=bool(descending))


def searched(tags: Iterable[str], text: str, how: Search = "part") -> list[str]:
    """The tags that contain a text, begin or end with it, or in which an expression is found."""
    if how == "regex":
        search = expression(text).search
        return [tag for tag in tags if search(tag)]
    key = tag_key(text)
    tests: dict[str, Callable[[str], bool]] = {
        "part": lambda tag: key in tag,
        "prefix": lambda tag: tag.startswith(key),
        "suffix": lambda tag: tag.endswith(key),
    }
    test = tests[how]
    return [tag for tag in tags if test(tag_key(tag))]


def completions(
    typed: str, counts: Mapping[str, int], known: Sequence[str] = (), limit: int = 20,
    without: Collection[str] = (),
) -> list[str]:  # fmt: skip
    """Tags for what is typed: the dataset's by frequency, then the tagger's list in its order.

    Of each those that begin with it come before those with a later word that does.
    """
    key = tag_key(typed)
    if not key:
        return []
    seen = {tag_key(tag) for tag in without}
    starts: list[str] = []
    inside: list[str] = []
    for tag in [*(tag for tag, _ in ordered(counts)), *known]:
        spelt = tag_key(tag)
        if key not in spelt or spelt in seen:
            continue
        place = spelt.find(key)
        if place == 0 or not spelt[place - 1].isalnum():
            seen.add(spelt)
            (starts if place == 0 else inside).append(tag)
    return (starts + inside)[:limit]
