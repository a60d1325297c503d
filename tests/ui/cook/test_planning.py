"""What the settings come to, and what the guide would have instead."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lib_lora_cook.config import BucketConfig, LoopConfig, SubsetConfig, TrainingConfig
from lib_lora_cook.training.plan import GUIDES, PRODIGY, SDXL
from lib_lora_cook.ui import texts
from lib_lora_cook.ui.cook import planning

from ..hostile import HOSTILE, is_plain


def pictures(folder: Path, count: int, captions: int = 0, size: tuple[int, int] = (64, 64)) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        Image.new("RGB", size, (number, 0, 0)).save(folder / f"{size[0]}-{number:02}.png")
        if number < captions:
            (folder / f"{size[0]}-{number:02}.txt").write_text("kafka, smile")
    return folder


def config(folder: Path | str, **loop: Any) -> TrainingConfig:
    settings = {"train_batch_size": 2, "max_train_epochs": 10, **loop}
    return TrainingConfig(
        subsets=(SubsetConfig(image_dir=str(folder), num_repeats=3),),
        bucket=BucketConfig(resolution=(64, 64), min_bucket_reso=32, bucket_reso_steps=32),
        loop=LoopConfig(**settings),
    )


def test_a_plan_shows_its_own_sum_and_the_guides(tmp_path: Path) -> None:
    found = planning.planned(config(pictures(tmp_path / "set", 10, 4)), GUIDES, tmp_path)
    assert "10 pictures, 4 with a caption." in found.html
    assert "10 images × 3 repeats × 10 epochs ÷ 2 batch = 150 steps" in found.html
    assert "10 images × 20 repeats × 10 epochs ÷ 2 batch = 1000 steps" in found.html
    assert (found.numbers, found.leave_out) == (("20", "10"), ())


def test_a_plan_that_is_the_guides_proposes_nothing(tmp_path: Path) -> None:
    own = config(pictures(tmp_path / "set", 10))
    plan = planning.proposal(str(tmp_path / "set"), 2)
    assert plan is not None
    subset = SubsetConfig(image_dir=str(tmp_path / "set"), num_repeats=plan.num_repeats[0])
    same = TrainingConfig(subsets=(subset,), bucket=own.bucket, loop=own.loop)
    assert planning.planned(same, GUIDES, tmp_path).numbers is None


def test_a_folder_just_over_a_row_may_leave_the_smallest_out(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "set", 20, size=(96, 96))
    pictures(folder, 3, size=(64, 64))
    found = planning.planned(config(folder), GUIDES, tmp_path)
    assert [path.name for path in found.leave_out] == ["64-00.png", "64-01.png", "64-02.png"]
    assert "3 over 20" in found.html


def test_every_bucket_is_drawn_with_what_it_cuts_off(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "set", 2)
    pictures(folder, 1, size=(50, 100))
    found = planning.planned(config(folder, max_train_epochs=1), GUIDES, tmp_path).html
    assert found.count("lora_cook_kept") == 2
    assert "64×64: 2 pictures, 0% cut off" in found
    assert "1 pictures" in found
    assert found.count("data:image/jpeg") == 2


def test_steps_are_counted_as_no_batch_mixes_buckets(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "set", 3)
    pictures(folder, 3, size=(50, 100))
    found = planning.planned(config(folder, train_batch_size=4), GUIDES, tmp_path)
    assert f"= {10 * 2 * math.ceil(9 / 4)} steps" in found.html


def test_pictures_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    (pictures(tmp_path / "set", 2) / "torn.png").write_bytes(b"torn")
    told = planning.planned(config(tmp_path / "set"), GUIDES, tmp_path).html
    assert "1 pictures cannot be read, the first is torn.png" in told


@pytest.mark.parametrize("folder", ["", "  "])
def test_no_folder_is_no_mistake_yet(folder: str, tmp_path: Path) -> None:
    assert texts.PLAN_EMPTY in planning.planned(config(folder), GUIDES, tmp_path).html
    assert planning.proposal(folder, 2) is None


def test_a_folder_that_is_missing_is_told(tmp_path: Path) -> None:
    told = planning.planned(config(tmp_path / "none"), GUIDES, tmp_path)
    assert "There is no folder" in told.html
    assert told.numbers is None
    assert planning.proposal(str(tmp_path / "none"), 2) is None


def test_a_folder_is_scanned_again_once_it_has_changed(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "set", 2)
    assert len(planning.scanned(str(folder))[0]) == 2
    pictures(folder, 1, size=(96, 64))
    assert len(planning.scanned(str(folder))[0]) == 3


def test_the_rule_follows_the_optimizer_and_the_base() -> None:
    assert planning.rule_for("sd15", "AdamW8bit") is GUIDES
    assert planning.rule_for("illustrious", "AdamW8bit") is SDXL
    assert planning.rule_for("illustrious", "Prodigy") is PRODIGY


@pytest.mark.parametrize("name", [it for it in HOSTILE if "/" not in it])
def test_no_name_of_a_picture_becomes_markup(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    Image.new("RGB", (50, 100)).save(folder / f"{name}.png")
    found = planning.planned(config(folder), GUIDES, tmp_path / "cache").html
    assert "most" in found
    assert is_plain(found, name)
