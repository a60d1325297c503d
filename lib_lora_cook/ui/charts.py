"""A run's curves as drawings: its loss with the lowest point marked, its rates, its scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..runs.history import GUIDE_STEP, lowest_near, smoothed
from . import texts
from .curve import Point
from .runner import LOSS, Snapshot
from .show import note, plain

WIDTH, HEIGHT = 600, 120
"""Units of a drawing."""
FOUND, RATE = "lr/d*lr/", "lr/"
"""How the names of rates begin: those that an optimizer has found, and all."""
Lines = Mapping[str, Sequence[Point]]


def curves(snapshot: Snapshot) -> str:
    """All curves of a piece of work; nothing for less than two points."""
    named = dict(snapshot.curves)
    rates = {name: points for name, points in named.items() if name.startswith(RATE)}
    found = {name: points for name, points in rates.items() if name.startswith(FOUND)}
    scores = {name: points for name, points in named.items() if name == texts.MERIT}
    parts = [loss(named.get(LOSS, ())), lines(found or rates), lines(scores, dots=True)]
    inside = "".join(f"<figure>{part}</figure>" for part in parts if part)
    return f'<div class="lora_cook_charts">{inside}</div>' if inside else ""


def loss(points: Sequence[Point]) -> str:
    """Loss over steps, raw and smoothed over it, the lowest near the guide's step marked."""
    if len(points) < 2:
        return ""
    smooth = smoothed([value for _, value in points])
    steps = [step for step, _ in points]
    frame = _frame([points])
    step, value = lowest_near(points)
    drawn = _line("raw", points, frame)
    drawn += _line("smooth", list(zip(steps, smooth, strict=True)), frame)
    drawn += _mark(step, frame, "lowest")
    if steps[0] < GUIDE_STEP < steps[-1]:
        drawn += _mark(GUIDE_STEP, frame, "guide")
    told = texts.CURVE.format(steps=steps[-1], first=smooth[0], last=smooth[-1])
    return _drawing(drawn, f"{told} {texts.LOWEST.format(step=step, loss=value)}")


def lines(named: Lines, *, dots: bool = False) -> str:
    """Some figures over steps in one drawing, each with its last value in words."""
    shown = {name: points for name, points in named.items() if len(points) > 1}
    if not shown:
        return ""
    frame = _frame(list(shown.values()))
    drawn = "".join(_line("smooth", points, frame, dots=dots) for points in shown.values())
    told = ", ".join(f"{name} {points[-1][1]:.3g}" for name, points in shown.items())
    return _drawing(drawn, told)


Frame = tuple[int, int, float, float]
"""First and last step, lowest and highest value."""


def _frame(several: Sequence[Sequence[Point]]) -> Frame:
    steps = [step for points in several for step, _ in points]
    values = [value for points in several for _, value in points]
    return min(steps), max(steps), min(values), max(values)


def _across(step: int, frame: Frame) -> float:
    first, last, _, _ = frame
    return WIDTH * (step - first) / ((last - first) or 1)


def _line(kind: str, points: Sequence[Point], frame: Frame, *, dots: bool = False) -> str:
    """A line through points, or, with `dots`, such a line with its points."""
    _, _, low, high = frame
    places = [
        (_across(step, frame), HEIGHT * (1 - (value - low) / ((high - low) or 1)))
        for step, value in points
    ]
    told = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    line = (
        f'<polyline class="lora_cook_{kind}" fill="none" stroke-width="2" '
        f'vector-effect="non-scaling-stroke" points="{told}"/>'
    )
    marks = "".join(_mark(step, frame, "dot") for step, _ in points) if dots else ""
    return line + marks


def _mark(step: int, frame: Frame, kind: str) -> str:
    """A line from top to bottom at a step."""
    x = f"{_across(step, frame):.1f}"
    return (
        f'<line class="lora_cook_at_{kind}" x1="{x}" x2="{x}" y1="0" y2="{HEIGHT}" '
        'vector-effect="non-scaling-stroke"/>'
    )


def _drawing(inside: str, told: str) -> str:
    return (
        f'<svg class="lora_cook_curve" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" '
        f'role="img" aria-label="{plain(told)}">{inside}</svg>{note(told)}'
    )
