"""Curves that stay short."""

from __future__ import annotations

from lib_lora_cook.ui.curve import MOST, Curve


def test_a_long_curve_keeps_its_shape_and_at_most_so_many_points() -> None:
    curve = Curve()
    for step in range(1, 5001):
        curve.add(step, 1 / step)
    curve.add(5008, float("nan"))
    assert MOST / 3 < len(curve.points) <= MOST
    assert all(value == 1 / step for step, value in curve.points)
    assert curve.points == sorted(curve.points)
    assert curve.points[-1][0] > 4900
