"""The pick, and whether it can be told."""

from __future__ import annotations

from pathlib import Path

import pytest

from lib_lora_cook.compare.grid import Cell
from lib_lora_cook.compare.measures import Measure
from lib_lora_cook.compare.pick import merit, pick_cell
from lib_lora_cook.compare.score import Score


def cell(lora: str | None, weight: float) -> Cell:
    return Cell(Path(lora) if lora else None, weight, "x", (1,))


def picked(*scored: tuple[Cell, float]) -> Cell:
    return pick_cell([(it, Score(recall, {})) for it, recall in scored]).cell


def test_the_best_recall_wins() -> None:
    best = cell("b", 0.4)
    assert picked((cell("a", 0.8), 0.5), (best, 0.9), (cell("c", 0.8), 0.7)) == best


def test_among_equals_the_weight_nearest_to_08_wins_and_then_the_earliest_epoch() -> None:
    names = ["x-000002.safetensors", "x-000010.safetensors", "x.safetensors"]
    scored = [(cell(name, weight), 0.9) for name in names for weight in (0.4, 0.8, 1.0)]
    assert picked(*reversed(scored)) == cell("x-000002.safetensors", 0.8)


def test_of_equals_at_one_weight_the_one_with_the_best_beside_it_wins() -> None:
    recalls = {
        "a": (0.5, 0.5),
        "b": (0.9, 0.4),
        "c": (0.5, 0.5),
        "d": (0.89, 0.88),
        "e": (0.8, 0.8),
    }
    scored = [
        (cell(name, weight), recall)
        for name, both in recalls.items()
        for weight, recall in zip((0.8, 1.0), both, strict=True)
    ]
    assert picked(*scored) == cell("d", 0.8)


def test_a_little_less_recall_counts_as_equal() -> None:
    assert picked((cell("a", 0.8), 0.885), (cell("b", 0.4), 0.9)) == cell("a", 0.8)
    assert picked((cell("a", 0.8), 0.875), (cell("b", 0.4), 0.9)) == cell("b", 0.4)


def test_the_base_model_is_never_picked() -> None:
    assert picked((cell(None, 0.0), 1.0), (cell("a", 0.4), 0.1)) == cell("a", 0.4)


def test_the_pick_says_why() -> None:
    pick = pick_cell([(cell("a", 0.8), Score(0.9, {})), (cell("a", 0.4), Score(0.95, {}))])
    assert "0.95" in pick.why
    assert pick.score.tag_recall == 0.95


def seeds(lora: str, *each: float) -> tuple[Cell, Score]:
    measure = Measure(each)
    where = Cell(Path(lora), 0.8, "x", tuple(range(len(each))))
    return where, Score(measure.value, {}, {"tag_recall": measure})


def test_a_difference_that_every_seed_shows_is_told() -> None:
    pick = pick_cell([seeds("a", 0.5, 0.6, 0.4), seeds("b", 0.8, 0.9, 0.7), seeds("c", 0, 0, 0)])
    assert pick.cell.lora == Path("b")
    assert pick.sure
    assert pick.runner_up is not None and pick.runner_up.lora == Path("a")
    assert "runner-up: a at 0.8 with 0.50" in pick.why


def test_a_difference_smaller_than_the_seeds_own_cannot_be_told() -> None:
    pick = pick_cell([seeds("a", 0.9, 0.1, 0.5), seeds("b", 0.3, 0.8, 0.5)])
    assert not pick.sure
    assert pick.why.endswith("the seeds cannot tell the two apart")


def test_one_seed_cannot_tell_and_one_place_need_not_be_told() -> None:
    assert not pick_cell([seeds("a", 0.9), seeds("b", 0.1)]).sure
    alone = pick_cell([seeds("a", 0.9)])
    assert alone.sure and alone.runner_up is None


def test_all_prompts_of_a_place_count() -> None:
    def place(lora: str, recovery: float, leak: float) -> list[tuple[Cell, Score]]:
        told = {"recovery": recovery, "leak": leak}
        return [
            (Cell(Path(lora), 1.0, name, (1, 2)), Score(0, {}, {name: Measure((value, value))}))
            for name, value in told.items()
        ]

    pick = pick_cell([*place("a", 0.9, 0.8), *place("b", 0.8, 0.2)])
    assert pick.cell.lora == Path("b")
    assert "recovery 0.80, leak 0.20" in pick.why


@pytest.mark.parametrize(
    ("measures", "expected"),
    [
        ({"recovery": 1.0, "obedience": 0.5}, 5 / 6),
        ({"recovery": 1.0, "leak": 0.5}, 0.9),
        ({"recovery": 1.0, "leak": 0.5, "bleed": 0.25}, 0.95),
        ({"recovery": 1.0, "mixing": 0.75}, 0.75),
        ({}, 0.0),
        ({"recovery": 1.0, "copy_risk": 0.75}, 0.25),
        ({"recovery": 1.0, "diversity": 0.5}, 0.875),
        ({"recovery": 1.0, "diversity": 0.75}, 1.0),
    ],
)
def test_merit_is_what_should_be_high_less_what_was_copied(
    measures: dict[str, float], expected: float
) -> None:
    assert merit(measures) == pytest.approx(expected)


def test_a_likeness_that_bleeds_is_worth_more_than_half_of_one_that_does_not() -> None:
    half = {"recovery": 0.4, "obedience": 1.0, "bleed": 0.0}
    assert merit(half) < merit({"recovery": 0.9, "obedience": 1.0, "bleed": 0.8})
