"""A pen that draws outlined shapes in the figure's own units on a supersampled canvas."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Point = tuple[float, float]
Points = tuple[Point, ...]
Color = tuple[int, int, int]

SUPERSAMPLING = 4
INK: Color = (52, 34, 48)
OUTLINE = 1.1
"""Width of an outline, in figure units."""


@lru_cache(maxsize=2048)
def smooth(corners: Points, per_corner: int = 6) -> NDArray[np.float64]:
    """The closed Catmull-Rom curve through the corners, (n, 2)."""
    p = np.asarray(corners, dtype=np.float64)
    before, after, beyond = np.roll(p, 1, 0), np.roll(p, -1, 0), np.roll(p, -2, 0)
    t = (np.arange(per_corner) / per_corner)[None, :, None]
    a, b, c, d = (q[:, None, :] for q in (before, p, after, beyond))
    curve = 2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2
    curve = curve + (3 * b - a - 3 * c + d) * t**3
    return np.asarray(curve.reshape(-1, 2) / 2)


@lru_cache(maxsize=2048)
def oval(x: float, y: float, rx: float, ry: float, count: int = 28) -> NDArray[np.float64]:
    """An ellipse as a polygon, (count, 2)."""
    angle = np.arange(count) * (2 * math.pi / count)
    return np.stack([x + rx * np.cos(angle), y + ry * np.sin(angle)], 1)


@lru_cache(maxsize=512)
def arc(x: float, y: float, rx: float, ry: float, start: float, end: float) -> NDArray[np.float64]:
    """Part of an ellipse as an open line from start to end, in degrees clockwise from 3 o'clock."""
    angle = np.radians(np.linspace(start, end, 18))
    return np.stack([x + rx * np.cos(angle), y + ry * np.sin(angle)], 1)


def star(x: float, y: float, radius: float) -> Points:
    """A five-pointed star's ten corners."""
    spokes = (
        (i * math.pi / 5 - math.pi / 2, radius if i % 2 == 0 else radius * 0.5) for i in range(10)
    )
    return tuple((x + r * math.cos(angle), y + r * math.sin(angle)) for angle, r in spokes)


def shade(color: Color, factor: float) -> Color:
    """The colour made darker (factor < 1) or mixed with white (factor > 1)."""
    if factor <= 1:
        return (int(color[0] * factor), int(color[1] * factor), int(color[2] * factor))
    mix = min(factor - 1, 1.0)
    return (
        int(color[0] + (255 - color[0]) * mix),
        int(color[1] + (255 - color[1]) * mix),
        int(color[2] + (255 - color[2]) * mix),
    )


@dataclass(frozen=True)
class Pose:
    """Where the figure's origin (the middle of the head) lies on a 64-unit canvas, and its turn."""

    x: float
    y: float
    scale: float
    degrees: float = 0.0
    swing: float = 0.0
    """How far the arms are held from the body, in figure units."""


class Pen:
    """Draws polygons given in figure units."""

    def __init__(self, canvas: Image.Image, pose: Pose) -> None:
        self.pixels = canvas.width / 64
        self.draw = ImageDraw.Draw(canvas)
        turn = math.radians(pose.degrees)
        self.unit = self.pixels * pose.scale
        cos, sin = math.cos(turn) * self.unit, math.sin(turn) * self.unit
        self.matrix = np.array([[cos, sin], [-sin, cos]])
        self.offset = np.array([pose.x, pose.y]) * self.pixels

    def _place(self, points: NDArray[np.float64] | Sequence[Point]) -> list[tuple[float, float]]:
        placed = np.asarray(points, dtype=np.float64) @ self.matrix + self.offset
        return [(x, y) for x, y in placed.tolist()]

    def shape(
        self,
        points: NDArray[np.float64] | Sequence[Point],
        fill: Color,
        outline: float = OUTLINE,
        ink: Color = INK,
    ) -> None:
        """A filled polygon with an outline of that width (figure units; 0 for none)."""
        placed = self._place(points)
        self.draw.polygon(placed, fill=fill)
        if outline:
            width = max(1, round(outline * self.unit))
            self.draw.line([*placed, *placed[:2]], fill=ink, width=width, joint="curve")

    def stroke(
        self, points: NDArray[np.float64] | Sequence[Point], width: float, color: Color = INK
    ) -> None:
        """An open line with round ends, of that width in figure units."""
        placed = self._place(points)
        pixels = max(1, round(width * self.unit))
        self.draw.line(placed, fill=color, width=pixels, joint="curve")
        radius = pixels / 2
        for x, y in (placed[0], placed[-1]):
            self.draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=color)


def mirrored(points: Points) -> Points:
    """The points on the other side of the figure's middle."""
    return tuple((-x, y) for x, y in points)
