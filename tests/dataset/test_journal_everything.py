"""Any sequence of operations, then undo of all: the same tree, byte for byte, times included."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from lib_lora_cook.dataset import changes as plans
from lib_lora_cook.dataset import journal
from lib_lora_cook.dataset.changes import Change
from lib_lora_cook.dataset.duplicates import find_duplicates, plan_duplicates
from lib_lora_cook.dataset.edits import Flood, Upscale
from lib_lora_cook.dataset.gallery import (
    plan_dropped,
    plan_mark,
    plan_stars,
    scan_gallery,
)
from lib_lora_cook.dataset.images import ImageFile, scan_subset
from lib_lora_cook.dataset.look import Look
from lib_lora_cook.dataset.quality import Quality
from lib_lora_cook.dataset.report import CHECKS, plan_fixes
from lib_lora_cook.errors import UserError

from .tree import dirty_folder, picture, save, snapshot, write

LARGER = Upscale(
    lambda image, times: image.resize((round(image.width * times), round(image.height * times))), 7
)


def taken(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if ".lora_cook" not in path.parts]


def doctored(folder: Path, images: list[ImageFile]) -> list[Change]:
    """All that the doctor mends, every picture taken for soft."""
    names = tuple(path.relative_to(folder).as_posix() for path in taken(folder) if path.is_file())
    soft = {image.path: Quality(1.0, 1.0) for image in images}
    look = Look(folder, tuple(images), names=names, below=7, qualities=soft)
    return plan_fixes(look, CHECKS.keys() & {"blurred", "double_tags", "ignored_caption"})


OPERATIONS = {
    "convert": lambda folder, images: plans.plan_convert(images, taken=taken(folder)),
    "to webp": lambda folder, images: plans.plan_convert(images, "webp", (), taken(folder)),
    "flatten": lambda folder, images: plans.plan_flatten(images, "red", taken(folder)),
    "small": lambda folder, images: plans.plan_small(images, 7, taken=taken(folder)),
    "upscale": lambda folder, images: plans.plan_upscale(images, LARGER, "it", taken(folder)),
    "trigger": lambda folder, images: plans.plan_trigger(images, "kafka"),
    "append": lambda folder, images: plans.plan_append(images, ["smile", "new"]),
    "prune": lambda folder, images: plans.plan_prune(images, ["solo"]),
    "dedupe": lambda folder, images: plans.plan_dedupe(images),
    "one line": lambda folder, images: plans.plan_one_line(images),
    "tags": lambda folder, images: plans.plan_tags(
        images, {image.path: ["a", "b"] for image in images}
    ),
    "duplicates": lambda folder, images: plan_duplicates(find_duplicates(images)),
    "mark": lambda folder, images: plan_mark(scan_gallery(folder)[:2], "drop"),
    "stars": lambda folder, images: plan_stars(scan_gallery(folder), 4),
    "dropped": lambda folder, images: plan_dropped(scan_gallery(folder)),
    "doctor": doctored,
}
"""Planned again over their own result they give nothing."""
ONCE_MORE = {
    "crop": lambda folder, images: plans.plan_crops(
        images[0], [(0, 0, 2, 2), (1, 1, 3, 3)], taken=taken(folder)
    ),
    "copy": lambda folder, images: plans.plan_crop(images[0], (0, 0, 2, 3), True, taken(folder)),
    "flood": lambda folder, images: plans.plan_crops(
        images[-1], [(0, 0, 3, 3)], True, taken(folder), (Flood((0, 0)),)
    ),
    "trash": lambda folder, images: plans.plan_trash([images[0].path]),
}
"""A person means one picture with these: asked once more, they are done once more."""
ALL = {**OPERATIONS, **ONCE_MORE}


def world(folder: Path) -> Path:
    dirty_folder(folder)
    save(folder / "e.bmp", picture(seed=2))
    save(folder / "F.GIF", Image.new("P", (5, 9)))
    write(folder / "F.txt", "solo, Solo\nmore")
    write(folder / "c.png.txt", "named twice")
    write(folder / "b.json", '{"rating": "s"}')
    return folder


def planned(name: str, folder: Path) -> list[Change]:
    try:
        return ALL[name](folder, scan_subset(folder))
    except UserError:  # nothing is left, or a box no longer fits
        return []


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(sorted(ALL)), min_size=1, max_size=7))
def test_any_operations_and_then_undo_of_all_leave_what_was(names: list[str]) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = world(Path(place) / "set")
        states = [snapshot(folder)]
        for name in names:
            applied = journal.apply_changes(folder, planned(name, folder), what=name)
            assert applied.failed == []
            if applied.entry:
                states.append(snapshot(folder))
        while len(states) > 1:
            assert snapshot(folder) == states.pop()
            assert len(journal.undo(folder)) == 1
        assert snapshot(folder) == states[0]


@pytest.mark.parametrize("names", [sorted(ALL)[start::4] for start in range(4)])
def test_undo_to_the_beginning_is_one_call(tmp_path: Path, names: list[str]) -> None:
    folder = world(tmp_path / "set")
    before = snapshot(folder)
    for name in names:
        journal.apply_changes(folder, planned(name, folder), what=name)
    journal.undo(folder, to="0")
    assert snapshot(folder) == before


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_planned_again_there_is_nothing_to_do(tmp_path: Path, name: str) -> None:
    folder = world(tmp_path / "set")
    if name == "dropped":
        journal.apply_changes(folder, planned("mark", folder))
    first = planned(name, folder)
    assert first
    assert journal.apply_changes(folder, first).failed == []
    assert planned(name, folder) == []


def test_a_whole_box_of_a_cropped_picture_is_nothing(tmp_path: Path) -> None:
    folder = world(tmp_path / "set")
    journal.apply_changes(folder, planned("crop", folder))
    image = scan_subset(folder)[0]
    assert plans.plan_crop(image, (0, 0, image.width, image.height)) == []


def test_subsets_are_renamed_with_all_that_is_in_them(tmp_path: Path) -> None:
    for name, count in (("1_a", 4), ("1_b", 1)):
        for number in range(count):
            save(tmp_path / name / f"{number}.png", picture(seed=number))
            write(tmp_path / name / f"{number}.txt", "x, x")
    before = snapshot(tmp_path)
    images = scan_subset(tmp_path / "1_a") + scan_subset(tmp_path / "1_b")
    look = Look(tmp_path, tuple(images), below=1)
    applied = journal.apply_changes(tmp_path, plan_fixes(look, ["imbalance", "double_tags"]))
    assert applied.failed == [] and len(applied.applied) == 6
    assert (tmp_path / "4_b" / "0.txt").read_text() == "x" and not (tmp_path / "1_b").exists()
    journal.undo(tmp_path)
    assert snapshot(tmp_path) == before
