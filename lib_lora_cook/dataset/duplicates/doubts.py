"""Pairs of pictures that may be alike, told by what is kept of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from .check import CLEAR, UNLIKE, Difference, by_distance, compared
from .overlay import Claim, Seen
from .prints import Box, check_pixels

Ground = tuple[bytes, ...]
"""`Print.checks`: a picture on each ground that it is seen on."""


@dataclass(frozen=True)
class Doubt:
    """Two pictures, and how they may lie: mirrored, and the boxes that would show the same."""

    one: Ground
    other: Ground
    lying: tuple[tuple[bool, Box, Box], ...]


def differences(doubts: Sequence[Doubt]) -> list[Difference]:
    """Of each pair the least there is, where its places are tried one after another."""
    grounds = {ground for doubt in doubts for ground in (doubt.one, doubt.other)}
    seen = {ground: [Seen(check_pixels(it)) for it in ground] for ground in grounds}
    claims = [_claims(doubt, seen[doubt.one], seen[doubt.other]) for doubt in doubts]
    found = [UNLIKE] * len(doubts)
    for turn in range(max(map(len, claims))):
        going = [
            at
            for at, them in enumerate(claims)
            if turn < len(them) and not (found[at].distance <= CLEAR or found[at].fits)
        ]
        if not going:
            break
        for at, new in zip(going, compared([claims[at][turn] for at in going]), strict=True):
            found[at] = min(found[at], new, key=by_distance)
    return found


def _claims(doubt: Doubt, one: Sequence[Seen], other: Sequence[Seen]) -> list[Claim]:
    """What is said of how two pictures lie, on each ground they are seen on."""
    both = zip(one, other, strict=True) if len(one) == len(other) else product(one, other)
    grounds = list(both)
    return [
        Claim(*ground, mirrored, box, other_box)
        for mirrored, box, other_box in doubt.lying
        for ground in grounds
    ]
