"""What pictures say about a LoRA."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lib_lora_cook.captioning.base import Tags
from lib_lora_cook.compare import measures
from lib_lora_cook.compare.measures import Look, Measure, Training, pruned_tags


def look(shade: float, *seen: str, feature: float | None = None) -> Look:
    view = np.full(measures.VIEW_SIDE**2 * 3, shade)
    felt = np.array([shade if feature is None else feature])
    return Look(frozenset(seen), felt, view, dict.fromkeys(seen, 1.0))


BASE = [look(0.0, "solo"), look(0.4, "solo", "halo")]


def test_a_look_is_tags_probabilities_and_colours() -> None:
    class Told:
        def predict(self, images: Sequence[Image.Image]) -> list[Tags]:
            hair = {"red_hair": 0.9, "halo": 0.1}
            return [Tags(general=hair, character={"kafka": 0.3}) for _ in images]

    (seen,) = measures.look_at([Image.new("RGB", (64, 48), (255, 0, 51))], Told())
    assert seen.seen == {"red hair"}
    assert seen.chances == {"red hair": 0.9, "halo": 0.1, "kafka": 0.3}
    assert seen.feature.tolist() == [0.1, 0.9]
    assert seen.view.reshape(-1, 3)[5] == pytest.approx([1.0, 0.0, 0.2])


def test_a_measure_has_its_spread_over_the_seeds() -> None:
    measure = Measure((0.2, 0.4, 0.6))
    assert measure.value == pytest.approx(0.4)
    assert measure.spread == pytest.approx(0.2)
    assert Measure((0.5,)).spread == 0


def test_recovery_is_what_the_base_does_not_give() -> None:
    worn = [look(0.1, "halo", "star"), look(0.2, "halo")]
    assert measures.recovery(worn, BASE, ["halo", "star"]).each == pytest.approx((0.75, 0.25))
    assert measures.recovery(worn, [], ["halo"]).value == 1


def test_obedience_is_the_share_of_what_was_asked_in_any_spelling() -> None:
    worn = [look(0.1, "red dress", "smile"), look(0.1)]
    assert measures.obedience(worn, ["red_dress", "smile"]).each == (1, 0)


def test_leak_is_0_where_nothing_moves_and_1_where_another_seed_would_be() -> None:
    assert measures.leak(BASE, BASE).each == (0, 0)
    moved = [look(0.4), look(0.2)]
    assert measures.leak(moved, BASE).each == pytest.approx((1, 0.5))


def test_bleed_is_what_comes_without_a_trigger_and_leak_does_not_see_colours_alone() -> None:
    haloes = [look(0.1, "halo"), look(0.1)]
    assert measures.bleed(haloes, BASE, ["halo"]).value == pytest.approx(
        0.5 - sum("halo" in it.seen for it in BASE) / len(BASE)
    )
    faint = [replace(BASE[0], chances={"halo": 0.25}), BASE[0]]
    assert measures.bleed(faint, BASE[:1], ["halo", "red_star"]).each == (0.125, 0)
    darker = [replace(it, view=it.view + 0.3) for it in BASE]
    assert measures.leak(darker, BASE).each == (0, 0)


def test_diversity_is_1_for_the_base_and_0_for_equal_pictures() -> None:
    assert measures.diversity(BASE, BASE).each == pytest.approx((1, 1))
    assert measures.diversity([look(0.3), look(0.3)], BASE).value == 0
    recoloured = [look(0.1, feature=0.3), look(0.9, feature=0.3)]
    assert measures.diversity(recoloured, BASE).value == 0


TRAINING = Training(
    [Path("a.png"), Path("b.png"), Path("c.png")],
    [look(0.0, "halo", "solo"), look(0.2, "halo", "solo"), look(0.6, "halo", "hat", "solo")],
    [["kafka", "solo"], ["kafka", "solo"], ["kafka", "hat", "solo"]],
)


def test_a_copy_is_nearer_to_a_training_picture_than_those_are_to_each_other() -> None:
    assert TRAINING.usual == pytest.approx((0.2, 0.2))
    risk, nearest = measures.copy_risk([look(0.9), look(0.25), look(0.6)], TRAINING)
    assert risk.each == pytest.approx((0, 0.75, 1))
    assert nearest == Path("c.png")


def test_a_copy_is_near_by_fingerprint_and_by_feature() -> None:
    risk, _ = measures.copy_risk([look(0.6, feature=0.9), look(0.9, feature=0.6)], TRAINING)
    assert risk.each == (0, 0)


def test_one_training_picture_cannot_say_what_is_near() -> None:
    alone = Training(TRAINING.paths[:1], TRAINING.looks[:1], TRAINING.captions[:1])
    with pytest.raises(ValueError, match="one picture"):
        measures.copy_risk([look(0.1)], alone)


def test_pruned_is_what_is_seen_in_most_pictures_and_hardly_in_captions() -> None:
    assert pruned_tags(TRAINING) == ["halo"]
