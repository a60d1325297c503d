"""A tagger's verdict, and the pick."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from PIL import Image

from lib_lora_cook.captioning.base import Tags
from lib_lora_cook.compare.score import score_pictures

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
