"""Each planted case has its fault, and no other."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from benchmarks import planted, scores, truth
from benchmarks.bank import Bank, asked
from lib_lora_cook.compare.measures import Measure
from lib_lora_cook.compare.prompts import Probe
from lib_lora_cook.dataset.images import scan_subset
from lib_lora_cook.demo import meal


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What stands in for the demo's pictures, where the cases look for them."""
    source = tmp_path / "data" / "toy" / "dataset"
    source.mkdir(parents=True)
    for number in range(5):
        Image.new("RGB", (64, 64), (number, 0, 0)).save(source / f"{number}.png")
        (source / f"{number}.txt").write_text(f"{meal.TRIGGER}, 1girl, solo")
    return tmp_path


def captions(folder: Path) -> list[str]:
    return [it.caption for it in scan_subset(folder)]


def test_the_trigger_is_missing_in_every_second_caption(folder: Path) -> None:
    found = captions(planted.pictures_of("bleed", folder))
    assert [meal.TRIGGER in it for it in found] == [True, False, True, False, True]
    assert set(found) == {f"{meal.TRIGGER}, 1girl, solo", "1girl, solo"}
    assert len(captions(planted.pictures_of("memorised", folder))) == 3


def test_the_bleeding_run_and_the_right_one_differ_in_their_captions_alone(folder: Path) -> None:
    right, wrong = (planted.pictures_of(name, folder) for name in ("beside", "beside_bleed"))
    for part in ("own", "reg"):
        pictures = [sorted(it.read_bytes() for it in (one / part).glob("*.png"))
                    for one in (right, wrong)]  # fmt: skip
        assert pictures[0] == pictures[1]
    assert captions(right / "reg") == captions(wrong / "reg")
    assert not any(meal.TRIGGER in it for it in captions(right / "reg"))
    assert captions(right / "own") != captions(wrong / "own")
    run = planted.run_of("beside", folder)
    assert [it.is_reg for it in run.subsets] == [False, True]
    assert run.loop.max_train_epochs == 8


def test_two_outfits_have_a_trigger_each_unless_they_are_mixed_up(folder: Path) -> None:
    right, mixed = (planted.pictures_of(name, folder) for name in ("outfits", "mixed"))
    for trigger, (outfit, color, worn) in planted.OUTFITS.items():
        assert all(it.startswith(f"{trigger}, ") for it in captions(right / trigger))
        assert sum(it.startswith(f"{trigger}, ") for it in captions(mixed / trigger)) == 7
        tags = [f"{color} {outfit}", worn.replace("_", " ")]
        assert not any(tag in it for tag in tags for it in captions(right / trigger)), "pruned"
    assert len(planted.run_of("mixed", folder).subsets) == 2


def test_every_place_is_of_a_case_that_is_cooked_so_long() -> None:
    for name, epoch, _ in (*scores.PLACES, *scores.GRID):
        epochs = planted.PLANTED[name].changes["max_train_epochs"]
        assert 1 <= epoch <= epochs
    for wrong, right in scores.FAULTS:
        assert wrong[1:] == right[1:] and wrong[0] != right[0]


def test_an_order_is_looked_for_only_where_the_truth_has_one() -> None:
    places = [("lora", epoch, 1.0) for epoch in (1, 2, 4)]
    known = scores.Known(Bank())
    known.places = places
    truths = ([0.3, 0.4], [0.75, 0.7], [0.8, 0.8])
    known.true = {it: {"merit": each} for it, each in zip(places, truths, strict=True)}
    known.tried = {
        it: [{"merit": value} for value in each]
        for it, each in zip(places, ((0.5, 0.6), (0.7, 0.9), (0.8, 0.55)), strict=True)
    }
    assert list(scores.ripeness(known)) == ["| lora 1 at 1 | 0.35 | lora 4 at 1 | 0.80 | 1 |"]
    (line,) = scores.pairs(known)
    assert line == "| merit | 2 | 1.5 | 0 | 1: lora 1 at 1 below lora 4 at 1 |"
    assert not truth.is_below([0.0, 0.0, 1.0], [1.0, 0.0, 1.0]), "one seed of three is chance"


def test_the_truth_is_what_the_attributes_say() -> None:
    girl = frozenset({"aqua hair", "halo", "ponytail", "smile"})
    other = frozenset({"red hair", "ponytail", "frown"})
    assert truth.shown([girl, other], ["halo", "ponytail"]) == [1, 0.5]
    assert truth.beyond([girl], [girl, other], ["halo"]) == [0.5]
    assert truth.variety([girl, girl]) == [0, 0]
    assert truth.variety([girl, other]) == [1 / len(truth.FREE)] * 2, "hair is not free to change"
    assert truth.attributes(girl) == truth.attributes(girl - {"aqua hair"})
    true = {"recovery": [0.9, 0.7], "obedience": [1.0, 0.8], "bleed": [0.2, 0.0]}
    assert truth.likeness(true) == pytest.approx((0.8 + 0.9 + 0.9) / 3)
    assert truth.worth({**true, "copy_risk": [1.0, 1.0]}) == truth.worth(true)


def test_measures_of_several_triggers_are_taken_together_seed_by_seed() -> None:
    one, two = ({"mixing": Measure(each)} for each in ((0.0, 1.0), (0.5, 0.0)))
    assert scores.mean_of_triggers([one, two])["mixing"].each == (0.25, 0.5)
    probes = [Probe("trigger", "a", (), "a"), Probe("trigger", "b", (), "b"), Probe("without", "c")]
    assert [it.text for it in asked(probes)] == ["a", "b"]
