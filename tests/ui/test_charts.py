"""The curves of a run as drawings."""

from __future__ import annotations

import pytest

from lib_lora_cook.ui import charts, texts
from lib_lora_cook.ui.runner import Snapshot

from .hostile import HOSTILE, is_plain


def test_a_curve_is_a_drawing_with_its_figures_in_words() -> None:
    assert charts.loss([(1, 0.5)]) == ""
    told = charts.loss([(step, 1 / step) for step in range(1, 50)])
    assert told.count("<polyline") == 2
    assert "nan" not in told
    assert "over 49 steps, from 1.000" in told
    assert charts.loss([(1, 0.0), (2, 0.0)]).count("<polyline") == 2


def test_the_lowest_loss_near_the_guides_step_is_marked() -> None:
    points = [(step, abs(step - 850) / 100 + 1) for step in range(0, 1600, 10)]
    told = charts.loss(points)
    assert told.count("lora_cook_at_lowest") == 1
    assert told.count("lora_cook_at_guide") == 1
    assert "at step 9" in told  # a smoothed curve lags behind 850
    assert "lora_cook_at_guide" not in charts.loss(points[:20])


def test_of_rates_those_that_the_optimizer_has_found_are_drawn() -> None:
    rates = {"lr/unet": ((1, 1.0), (2, 1.0)), "lr/d*lr/unet": ((1, 1e-6), (2, 2e-4))}
    losses = ((1, 0.5), (2, 0.4))
    told = charts.curves(Snapshot(curves=(("loss", losses), *rates.items())))
    assert "lr/d*lr/unet 0.0002" in told
    assert "lr/unet 1" not in told
    assert told.count("<svg") == 2
    plain = charts.curves(Snapshot(curves=(("loss", losses), ("lr/unet", rates["lr/unet"]))))
    assert "lr/unet 1" in plain


def test_scores_of_epochs_are_drawn_where_there_are_some() -> None:
    told = charts.curves(Snapshot(curves=((texts.MERIT, ((10, 0.2), (20, 0.6))),)))
    assert f"{texts.MERIT} 0.6" in told
    assert charts.curves(Snapshot()) == ""


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_of_a_curve_becomes_markup(name: str) -> None:
    told = charts.lines({f"lr/{name}": ((1, 1.0), (2, 2.0))})
    assert "2" in told
    assert is_plain(told, name)
