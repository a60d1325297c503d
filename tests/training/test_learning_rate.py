"""Learning rates: the seven curves of sd-scripts, step by step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib_lora_cook.config import OptimizerConfig
from lib_lora_cook.training.learning_rate import problems, schedule, warmup_steps
from lib_lora_cook.training.optimizers import learning_rate_factor

unhurried = settings(deadline=None)
"""A busy machine is no failure."""

FOLDER = Path(__file__).parent
GOLDEN = json.loads((FOLDER / "golden.json").read_text())["lr"]
VARIATIONS = json.loads((FOLDER / "variations.json").read_text())["lr"]
SCHEDULERS = (
    "constant", "constant_with_warmup", "linear", "cosine", "cosine_with_restarts", "polynomial",
)  # fmt: skip
OTHERS = json.loads((Path(__file__).parent / "schedules.json").read_text())
"""[settings, the share of the full rate at each of 12 steps] as transformers 4.54 computes them."""


def golden_config(case: dict[str, Any]) -> OptimizerConfig:
    names = ("lr_scheduler", "lr_warmup_steps", "lr_scheduler_num_cycles", "lr_scheduler_power")
    return OptimizerConfig(
        learning_rate=case["learning_rate"], **{name: case[name] for name in names}
    )


@pytest.mark.parametrize("case", GOLDEN + VARIATIONS, ids=lambda case: str(case["lr_scheduler"]))
def test_curve_is_that_of_sd_scripts(case: dict[str, Any]) -> None:
    steps = case["max_train_steps"]
    factor = learning_rate_factor(golden_config(case), steps)
    assert len(case["lr_of_each_step"]) == steps
    rate = case["learning_rate"]
    assert [rate * factor(step) for step in range(steps)] == pytest.approx(
        case["lr_of_each_step"], rel=1e-6, abs=1e-15
    )


@pytest.mark.parametrize(("given_settings", "expected"), OTHERS)
def test_curve_is_that_of_transformers(
    given_settings: dict[str, Any], expected: list[float]
) -> None:
    factor = schedule(OptimizerConfig(**given_settings), len(expected))
    assert [factor(step) for step in range(len(expected))] == pytest.approx(expected, abs=1e-8)


def test_all_seven_curves_are_there() -> None:
    assert len(GOLDEN) == 7
    assert {case["lr_scheduler"] for case in GOLDEN} == set(SCHEDULERS)


@unhurried
@given(
    st.sampled_from([*SCHEDULERS, "inverse_sqrt", "cosine_with_min_lr", "warmup_stable_decay"]),
    st.one_of(st.integers(0, 300), st.floats(0, 0.99)),
    st.integers(1, 200),
    st.integers(1, 5),
)
def test_never_below_nothing_nor_above_all(
    name: str, warmup: float, steps: int, cycles: int
) -> None:
    config = OptimizerConfig(
        lr_scheduler=name, lr_warmup_steps=warmup, lr_scheduler_num_cycles=cycles
    )
    factor = schedule(config, steps)
    assert all(0 <= factor(step) <= 1 for step in range(steps + 5))


@pytest.mark.parametrize(
    ("given_steps", "expected"), [(0, 0), (0.05, 4), (0.99, 98), (1, 1), (6, 6), (6.0, 6)]
)
def test_warmup_below_one_is_a_share(given_steps: float, expected: int) -> None:
    config = OptimizerConfig(lr_scheduler="cosine", lr_warmup_steps=given_steps)
    assert warmup_steps(config, 99) == expected


def test_restarts_begin_at_the_full_rate_again() -> None:
    config = OptimizerConfig(lr_scheduler="cosine_with_restarts", lr_scheduler_num_cycles=4)
    factor = schedule(config, 400)
    assert [factor(step) for step in (0, 100, 200, 300)] == [1.0] * 4
    assert factor(99) < 0.001 and factor(400) == 0


@pytest.mark.parametrize(
    ("settings", "constant"),
    [
        ({"optimizer_type": "AdamWScheduleFree"}, True),
        ({"optimizer_type": "Adafactor"}, True),
        ({"optimizer_type": "adafactor", "optimizer_args": ["warmup_init=True"]}, True),
        ({"optimizer_type": "Adafactor", "optimizer_args": ["relative_step=False"]}, False),
        ({"optimizer_type": "Prodigy"}, False),
    ],
)
def test_optimizers_with_a_rate_of_their_own_have_no_schedule(
    settings: dict[str, Any], constant: bool
) -> None:
    factor = learning_rate_factor(OptimizerConfig(lr_scheduler="linear", **settings), 10)
    assert (factor(9) == 1.0) is constant


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"lr_warmup_steps": 0.05}, "choose constant_with_warmup"),
        ({"lr_scheduler": "cosine", "lr_warmup_steps": 1.5}, "lr_warmup_steps is 1.5"),
        ({"lr_scheduler": "cosine", "lr_warmup_steps": 100.0}, ""),
        ({"lr_scheduler": "warmup_stable_decay", "lr_decay_steps": 2.5}, "lr_decay_steps is 2.5"),
        ({"lr_scheduler": "cosine_with_min_lr"}, "needs lr_scheduler_min_lr_ratio"),
        ({"lr_scheduler": "adafactor", "lr_warmup_steps": 5.0}, "adafactor has no warm-up"),
        ({}, ""),
    ],
)
def test_problems_say_what_to_do(settings: dict[str, Any], says: str) -> None:
    found = problems(OptimizerConfig(**settings))
    assert says in found[0] if says else found == []
