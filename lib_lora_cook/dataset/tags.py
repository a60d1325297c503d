"""A caption as a list of tags: list -> list, nothing else."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import cache, lru_cache
from itertools import chain

from ..errors import UserError
from .captions import split_tags

# Tags that stand first in many captions and are no trigger.
_COUNTS = re.compile(r"(\d+\+?|multiple )(girl|boy|other)s?|solo|no humans")

Swap = Callable[[str], str]
Each = Callable[[str], tuple[str, ...]]
"""A tag -> what comes in its place: none, another, several, or itself."""

# Tags that are little faces: their underscores are part of the drawing.
_FACES = "0_0 (o)_(o) +_+ +_- ._. <o>_<o> <|>_<| =_= >_< 3_3 6_9 >_o @_@ ^_^ o_o u_u x_x |_| ||_||"
KAOMOJI = frozenset(_FACES.split())


@lru_cache(maxsize=1 << 17)
def spaces_for_underscores(tag: str) -> str:
    """The tag as captions spell it: `long_hair` -> `long hair`, but `^_^` stays."""
    return tag if tag in KAOMOJI else tag.replace("_", " ")


@lru_cache(maxsize=1 << 17)
def tag_key(tag: str) -> str:
    """What makes two spellings the same tag: `Long_Hair` and `long hair` share a key."""
    return spaces_for_underscores(tag.strip().lower())


def _keys(tags: Iterable[str]) -> set[str]:
    return {tag_key(tag) for tag in tags}


def one_of(some: Iterable[str]) -> Callable[[str], bool]:
    """Whether a tag is one of these, in any spelling."""
    keys = _keys(some)
    return lambda tag: tag_key(tag) in keys


def add_trigger(tags: list[str], trigger: list[str]) -> list[str]:
    """The tags with the trigger's tags in front, moved there where they stood further back."""
    front = dedupe_tags(trigger)
    known = _keys(front)
    return front + [tag for tag in tags if tag_key(tag) not in known]


def append_tags(tags: list[str], new: list[str]) -> list[str]:
    """The tags with the new ones behind; what is there already stays in its place."""
    known = _keys(tags)
    return tags + [tag for tag in dedupe_tags(new) if tag_key(tag) not in known]


def remove_tags(tags: list[str], unwanted: list[str]) -> list[str]:
    """The tags without the unwanted ones."""
    known = _keys(unwanted)
    return [tag for tag in tags if tag_key(tag) not in known]


def replace_tag(tags: list[str], old: str, new: str) -> list[str]:
    """The tags with `new` in the place of `old`; once, also where `new` stood already."""
    key, keys = tag_key(old), list(map(tag_key, tags))
    if key not in keys:
        return list(tags)
    gone, place = {key, tag_key(new)}, keys.index(key)
    kept = [tag for tag, its in zip(tags, keys, strict=True) if its not in gone]
    front = place - sum(its in gone for its in keys[:place])
    return [*kept[:front], *([new] if new.strip() else []), *kept[front:]]


def replacement(old: str, new: str, regex: bool = False) -> Swap:
    """A text -> the text with `new` for `old` throughout; UserError where this cannot be done."""
    if not old:
        raise UserError("There is nothing to look for", "replace", "Give the text to replace.")
    if not regex:
        return lambda text: text.replace(old, new)
    try:
        pattern = re.compile(old)
        pattern.sub(new, "")
    except (re.error, IndexError) as error:  # IndexError: a group of an unknown name in `new`
        raise UserError(
            f"This is no regular expression ({error})", f"{old} -> {new}", "Correct it."
        ) from error
    return lambda text: pattern.sub(new, text)


def tag_replacement(old: str, new: str, regex: bool = False) -> Each:
    """The same for one tag: in any spelling where `old` is the whole tag; faces only as a whole."""
    swap = replacement(old, new, regex)

    def swapped(tag: str) -> str:
        if regex and (found := re.fullmatch(old, tag)):
            return found.expand(new)
        if not regex and tag_key(tag) == tag_key(old):
            return new
        return tag if tag in KAOMOJI else swap(tag)

    def each(tag: str) -> tuple[str, ...]:
        text = swapped(tag)
        return (tag,) if text == tag else tuple(split_tags(text))

    return cache(each)


def replace_each(tags: list[str], each: Each) -> list[str]:
    """Every tag replaced; what has come to stand twice by that stands once."""
    result = [*chain.from_iterable(map(each, tags))]
    keys = list(map(tag_key, result))
    if len(set(keys)) == len(keys) or result == tags:
        return result
    changed = {tag_key(new) for tag in tags if (some := each(tag)) != (tag,) for new in some}
    return list(_once(result, keys, changed))


def _once(tags: Iterable[str], keys: Iterable[str], which: set[str]) -> Iterator[str]:
    """The tags, of those with these keys only the first."""
    seen: set[str] = set()
    for tag, key in zip(tags, keys, strict=True):
        if key not in which or key not in seen:
            yield tag
        seen.add(key)


def sort_tags(tags: list[str], keep_tokens: int = 0) -> list[str]:
    """The tags in alphabetical order; the first `keep_tokens` stay in front."""
    return tags[:keep_tokens] + sorted(tags[keep_tokens:], key=_sort_key)


@lru_cache(maxsize=1 << 17)
def _sort_key(tag: str) -> str:
    return f"{tag_key(tag)}\0{tag}"


def dedupe_tags(tags: list[str]) -> list[str]:
    """Each tag once, where it stood first."""
    if len(set(map(tag_key, tags))) == len(tags):
        return tags
    first: dict[str, str] = {}
    for tag in tags:
        first.setdefault(tag_key(tag), tag)
    return list(first.values())


def count_tags(captions: Iterable[list[str]]) -> Counter[str]:
    """In how many of the captions each tag stands."""
    return Counter(tag for tags in captions for tag in set(tags))


def evident_trigger(captions: list[list[str]], folder: str = "") -> str:
    """The tag that the folder (`3_kafka`) is named after, or that most captions begin with.

    "" where neither stands out.
    """
    spellings = Counter(tag for tags in captions for tag in dedupe_tags(tags))
    keys: Counter[str] = Counter()
    for tag, count in spellings.items():
        keys[tag_key(tag)] += count
    key = tag_key(re.sub(r"^\d+_", "", folder))
    if not (keys[key] and 2 * keys[key] >= len(captions)):
        first = Counter(tag_key(tags[0]) for tags in captions if tags)
        key, count = max(first.items(), key=lambda it: it[1], default=("", 0))
        if count < 3 or 3 * count < 2 * len(captions) or _COUNTS.fullmatch(key):
            return ""
    return max((tag for tag in spellings if tag_key(tag) == key), key=lambda tag: spellings[tag])
