"""Backgrounds of the toy world: what lies behind a character, or a picture without one."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
from PIL import Image

from .pen import Color, Pen, Pose, arc, oval, smooth, star

WHITE: Color = (255, 255, 255)


def _plain(color: Color) -> Callable[[Image.Image, random.Random], None]:
    def paint(canvas: Image.Image, rng: random.Random) -> None:
        canvas.paste(color, (0, 0, *canvas.size))

    return paint


def _gradient(canvas: Image.Image, top: Color, bottom: Color) -> None:
    """Fill from the top's colour to the bottom's."""
    t = np.linspace(0, 1, canvas.height)[:, None]
    rows = np.asarray(top) * (1 - t) + np.asarray(bottom) * t
    column = Image.fromarray(rows.astype(np.uint8)[:, None, :])
    canvas.paste(column.resize(canvas.size))


def _page(canvas: Image.Image) -> Pen:
    """A pen in canvas units: 64 x 64 from the upper left corner."""
    return Pen(canvas, Pose(0, 0, 1))


def _checkered(canvas: Image.Image, rng: random.Random) -> None:
    canvas.paste((240, 238, 248), (0, 0, *canvas.size))
    pen = _page(canvas)
    for row in range(8):
        for column in range(row % 2, 8, 2):
            x, y = column * 8.0, row * 8.0
            pen.shape([(x, y), (x + 8, y), (x + 8, y + 8), (x, y + 8)], (146, 136, 186), 0)


def _cloud(pen: Pen, x: float, y: float, size: float) -> None:
    for dx, dy, r in ((-5, 1, 3.2), (0, -1, 4.6), (5, 1, 3.4), (0, 2, 4)):
        pen.shape(oval(x + dx * size, y + dy * size, r * 1.4 * size, r * size), WHITE, 0)


def _blue_sky(canvas: Image.Image, rng: random.Random) -> None:
    _gradient(canvas, (66, 150, 240), (170, 216, 252))
    pen = _page(canvas)
    _cloud(pen, 10 + rng.uniform(-3, 3), 12 + rng.uniform(-2, 2), 1.1)
    _cloud(pen, 54 + rng.uniform(-3, 3), 24 + rng.uniform(-3, 3), 1.0)
    _cloud(pen, 8 + rng.uniform(-3, 3), 46 + rng.uniform(-3, 3), 0.9)


def _night_sky(canvas: Image.Image, rng: random.Random) -> None:
    _gradient(canvas, (16, 20, 66), (44, 46, 118))
    pen = _page(canvas)
    for x, y in ((22, 5), (6, 26), (40, 8), (58, 30), (5, 46), (59, 50), (14, 36), (50, 40)):
        point = star(x + rng.uniform(-1.5, 1.5), y + rng.uniform(-1.5, 1.5), 2.2)
        pen.shape(point, (255, 246, 180), 0)
    left, top = 9 + rng.uniform(-1, 1), 10 + rng.uniform(-1, 1)
    crescent = [*arc(left, top, 6.5, 6.5, -60, 200), *arc(left + 3, top - 2.2, 5.4, 5.4, 190, -50)]
    pen.shape(crescent, (255, 240, 160), 0)


def _forest(canvas: Image.Image, rng: random.Random) -> None:
    _gradient(canvas, (206, 236, 190), (180, 220, 150))
    pen = _page(canvas)
    pen.shape(
        smooth(((-6, 50), (20, 47), (44, 49), (70, 47), (70, 72), (-6, 72))), (112, 168, 82), 0
    )
    for middle, height in ((7, 44), (57, 46), (22, 30), (43, 28)):
        x = middle + rng.uniform(-2, 2)
        pen.shape([(x - 2, 40), (x + 2, 40), (x + 2, 56), (x - 2, 56)], (112, 78, 52), 0)
        for level in range(3):
            base, half = 46 - level * height / 4.2, 10.5 - level * 2
            pen.shape(
                [(x - half, base), (x, base - height / 2.6), (x + half, base)],
                (30, 108 - level * 6, 62),
                0,
            )


PAINTERS: dict[str, Callable[[Image.Image, random.Random], None]] = {
    "white_background": _plain(WHITE),
    "pink_background": _plain((255, 190, 212)),
    "checkered_background": _checkered,
    "blue_sky": _blue_sky,
    "night_sky": _night_sky,
    "forest": _forest,
}


def paint_background(name: str, canvas: Image.Image, rng: random.Random) -> None:
    """Cover the canvas with the background of that tag."""
    PAINTERS[name](canvas, rng)


def paint_landscape(canvas: Image.Image, rng: random.Random) -> None:
    """Things that stand about in a picture without a character: hills, a house, a tree, a ball."""
    pen = _page(canvas)
    wall, roof, hill, ball = (rng.choice(_THINGS) for _ in range(4))
    if rng.random() < 0.7:
        y = rng.uniform(44, 54)
        pen.shape(
            smooth(((-10, y), (16, y - 8), (40, y + 2), (74, y - 4), (74, 80), (-10, 80))), hill
        )
    if rng.random() < 0.7:
        x, y, w = rng.uniform(14, 46), rng.uniform(40, 54), rng.uniform(8, 13)
        pen.shape([(x - w, y - w), (x + w, y - w), (x + w, y + w), (x - w, y + w)], wall)
        pen.shape([(x - w - 3, y - w), (x, y - 2 * w), (x + w + 3, y - w)], roof)
        pen.shape([(x - 2, y + 2), (x + 3, y + 2), (x + 3, y + w), (x - 2, y + w)], (92, 62, 44))
    for _ in range(rng.randrange(3)):
        x, y, r = rng.uniform(4, 60), rng.uniform(6, 60), rng.uniform(3, 9)
        pen.shape(oval(x, y, r, r * rng.uniform(0.6, 1.2)), ball)


_THINGS: tuple[Color, ...] = (
    (214, 52, 52),
    (70, 100, 214),
    (70, 170, 84),
    (244, 206, 70),
    (240, 240, 244),
    (128, 78, 46),
    (250, 222, 196),
    (60, 214, 220),
    (236, 130, 40),
    (168, 30, 206),
)
