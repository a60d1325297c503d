"""Steps as sd-scripts counts them; the guide's rows and its worked example."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib_lora_cook.config import LoopConfig
from lib_lora_cook.training.plan import (
    PRODIGY,
    SDXL,
    Plan,
    batches_per_epoch,
    images_in_epoch,
    propose,
    steps_of,
    sum_text,
    to_leave_out,
)

unhurried = settings(deadline=None)
"""A busy machine is no failure."""


def test_batches_do_not_mix_buckets() -> None:
    assert batches_per_epoch({(512, 512): 5, (448, 576): 4, (576, 448): 1, (64, 64): 0}, 2) == 6
    assert batches_per_epoch({}, 2) == 0


@pytest.mark.parametrize(
    ("batches", "settings", "expected"),
    [
        (100, {"max_train_epochs": 10}, (1000, 10)),
        (100, {"max_train_epochs": 10, "max_train_steps": 5}, (1000, 10)),
        (7, {"max_train_epochs": 10, "gradient_accumulation_steps": 2}, (40, 10)),
        (100, {"max_train_steps": 1600}, (1600, 16)),
        (100, {"max_train_steps": 1601}, (1601, 17)),
        (7, {"max_train_steps": 9, "gradient_accumulation_steps": 4}, (9, 5)),
        (0, {"max_train_epochs": 10}, (0, 0)),
    ],
)
def test_steps_and_epochs(
    batches: int, settings: dict[str, Any], expected: tuple[int, int]
) -> None:
    assert steps_of(batches, LoopConfig(**settings)) == expected


@pytest.mark.parametrize(
    ("images", "batch", "repeats", "steps"),
    [(20, 2, 10, 1000), (100, 2, 3, 1500), (400, 2, 1, 2000), (1000, 3, 1, 3340)],
)
def test_rows_of_the_guide(images: int, batch: int, repeats: int, steps: int) -> None:
    assert propose([images], batch) == Plan((repeats,), images * repeats, 10, steps)


def test_several_subsets_as_in_the_guide() -> None:
    assert propose([20, 33, 100, 50], 2) == Plan((5, 3, 1, 2), 399, 10, 2000)


@pytest.mark.parametrize("images", [[], [0], [0, 0], [-1]])
def test_empty_folders(images: list[int]) -> None:
    assert propose(images, 2) == Plan((1,) * len(images), 0, 0, 0)


def test_an_empty_folder_beside_a_full_one() -> None:
    assert propose([20, 0], 0) == Plan((10, 1), 200, 10, 2000)


@unhurried
@given(st.integers(5, 5000), st.integers(1, 8))
def test_steps_stay_near_the_guides_line(images: int, batch: int) -> None:
    plan = propose([images], batch)
    assert plan.total * plan.epochs == pytest.approx(10 * images_in_epoch(images), rel=0.15)
    assert plan.steps == pytest.approx(plan.total * plan.epochs / batch, abs=plan.epochs)


@unhurried
@given(st.lists(st.integers(1, 500), min_size=1, max_size=6), st.integers(1, 8))
def test_subsets_are_evened_out_to_a_quarter(images: list[int], batch: int) -> None:
    plan = propose(images, batch)
    seen = [count * times for count, times in zip(images, plan.num_repeats, strict=True)]
    assert plan.total == sum(seen) and plan.epochs >= 1
    largest = seen[images.index(max(images))]
    assert all(abs(count / largest - 1) <= 0.25 for count in seen)


@pytest.mark.parametrize("batch", [1, 2, 4])
@pytest.mark.parametrize("images", [5, 20, 33, 90])
def test_prodigy_has_about_100_steps_an_epoch(images: int, batch: int) -> None:
    plan = propose([images], batch, PRODIGY)
    assert plan.epochs * plan.total / batch == pytest.approx(2000, rel=0.1)
    assert plan.steps / plan.epochs == pytest.approx(100, rel=0.3)


def test_sdxl_sees_about_a_hundred_pictures_an_epoch() -> None:
    assert propose([50], 4, SDXL) == Plan((2,), 100, 10, 250)
    assert propose([300], 4, SDXL).num_repeats == (1,)


def test_the_sum_reads_as_the_guide_writes_it() -> None:
    sentence = sum_text(propose([100], 2), [100], 2)
    assert sentence == "100 images × 3 repeats × 10 epochs ÷ 2 batch = 1500 steps"
    several = sum_text(propose([20, 33], 2), [20, 33], 2)
    assert several.startswith("(20 × ")
    assert sum_text(propose([], 2), [], 2) == "no pictures"


@pytest.mark.parametrize(
    ("images", "over"), [(0, 0), (5, 0), (20, 0), (21, 1), (23, 3), (24, 0), (103, 3), (460, 60)]
)
def test_a_folder_just_over_a_row_may_leave_some_out(images: int, over: int) -> None:
    assert to_leave_out(images) == over
