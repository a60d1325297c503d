"""Emphasis in captions, written as in AUTOMATIC1111's prompts: (this), (this:1.3), [this]."""

from __future__ import annotations

import re
from itertools import groupby

STEP = {")": 1.1, "]": 1 / 1.1}
"""What a pair of brackets without a number multiplies by."""
TOKENS = re.compile(
    r"""\\(?P<plain>[\\()\[\]]|)            # a backslash makes a bracket plain text
    | (?P<open>[(\[])
    | :(?P<weight>[+-]?(?:\d+\.?\d*|\.\d+))\)
    | (?P<close>[)\]])
    | [^\\()\[\]:]+ | :""",
    re.VERBOSE,
)


def weighted_parts(caption: str) -> list[tuple[str, float]]:
    """A caption as (text, weight), neighbours of equal weight joined; [("", 1.0)] if empty.

    Brackets that are never closed hold to the end; closing ones that were never opened are text.
    """
    parts: list[tuple[str, float]] = []
    opened: dict[str, list[int]] = {")": [], "]": []}

    def weigh(start: int, factor: float) -> None:
        parts[start:] = [(text, weight * factor) for text, weight in parts[start:]]

    for found in TOKENS.finditer(caption):
        kind = found.lastgroup
        if kind == "open":
            opened[")" if found[0] == "(" else "]"].append(len(parts))
        elif kind == "weight" and opened[")"]:
            weigh(opened[")"].pop(), float(found["weight"]))
        elif kind == "close" and opened[found[0]]:
            weigh(opened[found[0]].pop(), STEP[found[0]])
        else:
            parts.append((found["plain"] if kind == "plain" else found[0], 1.0))
    for bracket, starts in opened.items():
        for start in starts:
            weigh(start, STEP[bracket])
    groups = groupby(parts, key=lambda part: part[1])
    return [("".join(text for text, _ in group), weight) for weight, group in groups] or [("", 1.0)]
