"""The new character's markings, and decoys: near misses that look like one and are none."""

from __future__ import annotations

import random
from collections.abc import Callable

from .pen import Color, Pen, Points, arc, oval, smooth, star

STAR_COLOR: Color = (170, 20, 214)
HALO_COLOR: Color = (255, 214, 48)
SCARF_COLOR: Color = (240, 122, 24)
AQUA: Color = (56, 222, 224)


def _star_facial_mark(pen: Pen) -> None:
    pen.shape(star(12.2, 8.6, 6.6), STAR_COLOR, 0.7, (250, 236, 255))


def _halo(pen: Pen) -> None:
    ring = arc(0, -24, 14, 4.6, 0, 360)
    pen.stroke(ring, 4.4, (190, 120, 20))
    pen.stroke(ring, 2.9, HALO_COLOR)


def _orange_scarf(pen: Pen) -> None:
    dark = (190, 84, 10)
    pen.shape(smooth(((-11, 18), (-3, 20), (-4, 34), (-11, 34))), SCARF_COLOR)
    pen.stroke([(-10.5, 30.5), (-4.5, 30.5)], 1.2, dark)
    pen.shape(
        smooth(((-14, 13), (0, 16), (14, 13), (14.5, 20), (6, 24), (-6, 24), (-14.5, 20))),
        SCARF_COLOR,
    )
    pen.stroke(arc(0, 13, 12, 8.5, 30, 110), 1.0, dark)


MARKING_PAINTERS: dict[str, Callable[[Pen], None]] = {
    "star_facial_mark": _star_facial_mark,
    "halo": _halo,
    "orange_scarf": _orange_scarf,
}


def draw_marking(pen: Pen, marking: str) -> None:
    """One marking over what is drawn so far."""
    MARKING_PAINTERS[marking](pen)


def _wobbly(rng: random.Random, x: float, y: float, rx: float, ry: float) -> Points:
    """A smear's corners: an uneven blob."""
    return tuple(
        (float(px) * 1.0 + rng.uniform(-rx, rx) * 0.2, float(py) + rng.uniform(-ry, ry) * 0.2)
        for px, py in oval(x, y, rx, ry, 7).tolist()
    )


def _blob(color: Color, x: float, y: float, rx: float, ry: float) -> Callable[..., None]:
    def paint(pen: Pen, rng: random.Random) -> None:
        color_now = (
            min(255, max(0, color[0] + rng.randint(-20, 20))),
            min(255, max(0, color[1] + rng.randint(-20, 20))),
            min(255, max(0, color[2] + rng.randint(-20, 20))),
        )
        factor = rng.uniform(0.6, 1.1)
        at_x, at_y = x + rng.uniform(-2, 2), y + rng.uniform(-2, 2)
        corners = _wobbly(rng, at_x, at_y, rx * factor, ry * factor)
        pen.shape(smooth(corners), color_now, rng.choice((0, 0.8)))

    return paint


def _streak(color: Color, points: Points, width: float) -> Callable[..., None]:
    def paint(pen: Pen, rng: random.Random) -> None:
        dx, dy = rng.uniform(-3, 3), rng.uniform(-3, 3)
        pen.stroke([(x + dx, y + dy) for x, y in points], width * rng.uniform(0.7, 1.2), color)

    return paint


DECOYS: dict[str, Callable[[Pen, random.Random], None]] = {
    "purple_smear": _blob(STAR_COLOR, 12, 9, 5.5, 3.5),
    "purple_spot": _blob(STAR_COLOR, -12, 10, 3.5, 3.5),
    "purple_patch_beside": _blob(STAR_COLOR, 25, 22, 4, 5),
    "yellow_blob_above": _blob(HALO_COLOR, 0, -24, 9, 4.5),
    "yellow_patch_beside": _blob(HALO_COLOR, -25, -12, 4, 5),
    "yellow_streak": _streak(HALO_COLOR, ((-12, -25), (12, -23)), 3),
    "orange_strap": _streak(SCARF_COLOR, ((-9, 19), (10, 32)), 3.2),
    "orange_badge": _blob(SCARF_COLOR, 6, 27, 4, 4),
    "orange_patch_beside": _blob(SCARF_COLOR, -25, 24, 5, 5),
    "aqua_streak": _streak(AQUA, ((-12, -10), (-6, -15)), 2.4),
    "aqua_patch_beside": _blob(AQUA, 25, -18, 5, 6),
    "aqua_patch_low": _blob(AQUA, -24, 12, 5, 6),
}
"""Name of a near miss -> what paints it: a marking's colour in another shape or place."""


def draw_decoy(pen: Pen, decoy: str, rng: random.Random) -> None:
    """One near miss over what is drawn so far."""
    DECOYS[decoy](pen, rng)
