"""A tagger's verdict, and the pick."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image

from lib_lora_cook.captioning.base import Tags
from lib_lora_cook.compare.grid import Cell
from lib_lora_cook.compare.score import Score, pick_cell, score_pictures

PICTURE = Image.new("RGB", (8, 8))


class Told:
    """A tagger that says what it was told, picture by picture."""

    def __init__(self, *seen: dict[str, float]) -> None:
        self.seen = seen

    def predict(self, images: Sequence[Image.Image]) -> list[Tags]:
        assert len(images) == len(self.seen)
        return [Tags(general=tags) for tags in self.seen]


def test_recall_is_the_share_of_wanted_tags_that_are_seen() -> None:
    tagger = Told({"red_hair": 0.9, "star": 0.2, "hat": 1.0}, {"red_hair": 0.5, "star": 0.36})
    score = score_pictures([PICTURE] * 2, ["red hair", "star", "solo"], tagger)
    assert score.tags == {"red hair": 1.0, "star": 0.5, "solo": 0.0}
    assert score.tag_recall == pytest.approx(0.5)


def test_a_tag_counts_above_the_threshold_only() -> None:
    tagger = Told({"star": 0.5})
    assert score_pictures([PICTURE], ["star"], tagger, threshold=0.4).tag_recall == 1
    assert score_pictures([PICTURE], ["star"], tagger, threshold=0.6).tag_recall == 0


def test_nothing_wanted_scores_nothing() -> None:
    assert score_pictures([PICTURE], [], Told({})).tag_recall == 0


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


def test_a_little_less_recall_counts_as_equal() -> None:
    assert picked((cell("a", 0.8), 0.885), (cell("b", 0.4), 0.9)) == cell("a", 0.8)
    assert picked((cell("a", 0.8), 0.875), (cell("b", 0.4), 0.9)) == cell("b", 0.4)


def test_the_base_model_is_never_picked() -> None:
    assert picked((cell(None, 0.0), 1.0), (cell("a", 0.4), 0.1)) == cell("a", 0.4)


def test_the_pick_says_why() -> None:
    pick = pick_cell([(cell("a", 0.8), Score(0.9, {})), (cell("a", 0.4), Score(0.95, {}))])
    assert "0.95" in pick.why
    assert pick.score.tag_recall == 0.95
