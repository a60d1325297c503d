"""A caption as a list of tags: list -> list, nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

# Tags that are little faces: their underscores are part of the drawing.
_FACES = "0_0 (o)_(o) +_+ +_- ._. <o>_<o> <|>_<| =_= >_< 3_3 6_9 >_o @_@ ^_^ o_o u_u x_x |_| ||_||"
KAOMOJI = frozenset(_FACES.split())


def spaces_for_underscores(tag: str) -> str:
    """The tag as captions spell it: `long_hair` -> `long hair`, but `^_^` stays."""
    return tag if tag in KAOMOJI else tag.replace("_", " ")


def tag_key(tag: str) -> str:
    """What makes two spellings the same tag: `Long_Hair` and `long hair` share a key."""
    return spaces_for_underscores(tag.strip().lower())


def _keys(tags: Iterable[str]) -> set[str]:
    return {tag_key(tag) for tag in tags}


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
    key = tag_key(old)
    if key not in _keys(tags):
        return list(tags)
    place = [tag_key(tag) for tag in tags].index(key)
    rest = remove_tags(tags[:place], [new]), remove_tags(tags[place:], [old, new])
    return [*rest[0], *([new] if new.strip() else []), *rest[1]]


def sort_tags(tags: list[str], keep_tokens: int = 0) -> list[str]:
    """The tags in alphabetical order; the first `keep_tokens` stay in front."""
    return tags[:keep_tokens] + sorted(tags[keep_tokens:], key=lambda tag: (tag_key(tag), tag))


def dedupe_tags(tags: list[str]) -> list[str]:
    """Each tag once, where it stood first."""
    first: dict[str, str] = {}
    for tag in tags:
        first.setdefault(tag_key(tag), tag)
    return list(first.values())


def count_tags(captions: Iterable[list[str]]) -> Counter[str]:
    """In how many of the captions each tag stands."""
    return Counter(tag for tags in captions for tag in set(tags))
