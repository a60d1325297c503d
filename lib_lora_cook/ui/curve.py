"""Curves over the steps of a run, kept short however long it goes on."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

MOST = 600
"""Points that one has at most."""
Point = tuple[int, float]
"""(step, value)."""


@dataclass
class Curve:
    """The points of one figure; of many every second is kept, then every fourth, and so on."""

    points: list[Point] = field(default_factory=list)
    every: int = 1

    def add(self, step: int, value: float) -> None:
        """Take a point; one that is no number is left out."""
        if step % self.every == 0 and math.isfinite(value):
            self.points.append((step, value))
        if len(self.points) > MOST:
            self.every *= 2
            self.points = [it for it in self.points if it[0] % self.every == 0]
