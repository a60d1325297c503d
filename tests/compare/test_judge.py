"""A tagger's verdict by what each prompt tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image

from lib_lora_cook.captioning.base import Tags
from lib_lora_cook.compare.grid import Cell
from lib_lora_cook.compare.judge import Judge, Wanted, look_at_training
from lib_lora_cook.compare.prompts import Probe
from lib_lora_cook.dataset.images import scan_subset

PROBES = [
    Probe("trigger", "kafka", (), "kafka"),
    Probe("captions", "kafka, smile", ("smile",), "kafka"),
    Probe("without", "1girl"),
]


class Reds:
    """A tagger that sees a halo in red pictures."""

    def predict(self, images: Sequence[Image.Image]) -> list[Tags]:
        reds = [it.convert("RGB").getpixel((0, 0))[0] / 255 for it in images]  # type: ignore[index]
        return [Tags(general={"halo": red, "solo": 0.9}) for red in reds]


def pictures(*reds: int) -> list[Image.Image]:
    return [Image.new("RGB", (16, 16), (red, 0, 0)) for red in reds]


def judge(folder: Path) -> Judge:
    for name, image in zip("ab", pictures(250, 200), strict=True):
        image.save(folder / f"{name}.png")
        (folder / f"{name}.txt").write_text("kafka, solo")
    training = look_at_training(scan_subset(folder), Reds())
    return Judge(Wanted(["solo"], Reds(), PROBES, {"kafka": training}))


def test_each_prompt_is_measured_by_what_it_tests(tmp_path: Path) -> None:
    able = judge(tmp_path)
    assert able.pruned == {"kafka": ["halo"]}
    for probe in PROBES:
        bare = able.score(Cell(None, 0.0, probe.text, (1, 2)), pictures(0, 80))
        assert set(bare.measures) == {"tag_recall"}
    found = {
        it.text: able.score(Cell(Path("l"), 1.0, it.text, (1, 2)), pictures(200, 120))
        for it in PROBES
    }
    trigger = found["kafka"]
    assert set(trigger.measures) == {"recovery", "diversity", "copy_risk", "tag_recall"}
    assert trigger.measures["recovery"].each == (1, 1)
    assert abs(trigger.measures["diversity"].value - 1) < 0.01
    assert trigger.nearest == str(tmp_path / "b.png")
    assert set(found["kafka, smile"].measures) == {"obedience", "tag_recall"}
    assert set(found["1girl"].measures) == {"bleed", "leak", "tag_recall"}
    come = pytest.approx((160 / 255, 80 / 255))
    assert found["1girl"].measures["bleed"].each == come, "the halo is there without kafka"
    assert found["1girl"].measures["leak"].value > 1


def test_another_subsets_tags_are_mixing(tmp_path: Path) -> None:
    able = judge(tmp_path)
    able.pruned["blade"] = ["hat"]
    told = able.score(Cell(Path("l"), 1.0, "kafka", (1,)), pictures(255))
    assert told.measures["mixing"].value == 0


def test_a_prompt_of_ones_own_is_scored_by_the_wanted_tags_alone(tmp_path: Path) -> None:
    told = judge(tmp_path).score(Cell(Path("l"), 1.0, "anything", (1,)), pictures(255))
    assert told.tags == {"solo": 1.0}
    assert set(told.measures) == {"tag_recall"}
