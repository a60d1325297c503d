"""Captions from the names of pictures, as other programs have put them there."""

from __future__ import annotations

import re

from .captions import join_tags, split_tags
from .tags import KAOMOJI, spaces_for_underscores

# "0012-", "3_", "(5) ": numbers that programs put in front to keep an order
_NUMBER = re.compile(r"^[(\[]?\d+[)\]]?[-_ .]+|^\d+$")
_COPY = re.compile(r"[ _]?\(\d+\)$")


def caption_of_name(stem: str) -> str:
    """The tags in a file's name without its extension; "" for one that only numbers.

    `0012_kafka, long_hair (2)` -> `kafka, long hair`.
    """
    text = _COPY.sub("", _NUMBER.sub("", stem.strip()))
    tags = [spaces_for_underscores(tag.strip("_ ")) for tag in split_tags(text)]
    return join_tags(tag for tag in tags if tag in KAOMOJI or any(map(str.isalpha, tag)))
