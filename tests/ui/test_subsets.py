"""Several folders of a run in the page's two settings."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lib_lora_cook.config import SubsetConfig, TrainingConfig
from lib_lora_cook.config_file import config_of
from lib_lora_cook.training.plan import GUIDES
from lib_lora_cook.ui import texts
from lib_lora_cook.ui.cook import planning
from lib_lora_cook.ui.form import read_training, training_widgets, values_of
from lib_lora_cook.ui.subsets import differing, folders_of, subsets_of

from .cook.test_planning import pictures
from .hostile import HOSTILE, is_plain

COUNTS = {"a": 20, "b": 33, "3_c": 100, "d": 50}
GUIDES_REPEATS = {"a": 5, "b": 3, "3_c": 1, "d": 2}


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """The guide's four folders in one, beside what is no subset."""
    above = tmp_path / "sets"
    for name, count in COUNTS.items():
        pictures(above / name, count)
    (above / "empty").mkdir()
    pictures(above / ".hidden", 1)
    return above


def typed(folder: Path | str, repeats: str = "", **more: str) -> dict[str, object]:
    shown = {it.name: it.value for it in training_widgets({"resolution": 64})}
    sizes = {"min_bucket_reso": "32", "bucket_reso_steps": "32", "train_batch_size": "2"}
    return {**shown, **sizes, "image_dir": str(folder), "num_repeats": repeats, **more}


def test_a_folder_of_folders_is_a_subset_for_each_that_holds_pictures(folders: Path) -> None:
    config, problems = read_training(typed(folders), Path("/"))
    assert problems == []
    assert [Path(it.image_dir) for it in config.subsets] == [folders / it for it in sorted(COUNTS)]
    assert {it.num_repeats for it in config.subsets} == {None}
    pictures(folders, 1)
    assert folders_of(str(folders), Path("/")) == [str(folders)]


def test_the_plan_evens_several_subsets_out(folders: Path, tmp_path: Path) -> None:
    config, _ = read_training(typed(folders, max_train_epochs="4"), Path("/"))
    found = planning.planned(config, GUIDES, tmp_path)
    order = sorted(COUNTS)
    repeats = ", ".join(str(GUIDES_REPEATS[it]) for it in order)
    assert found.numbers == (repeats, "10")
    assert "T = 399" in found.html
    assert "(100 × 1 + 20 × 5 + 33 × 3 + 50 × 2 = 399) images × 10 epochs ÷ 2 batch" in found.html
    assert "(100 × 3 + 20 × 1 + 33 × 1 + 50 × 1 = 403) images × 4 epochs ÷ 2 batch" in found.html
    taken, problems = read_training(typed(folders, repeats, max_train_epochs="10"), Path("/"))
    assert problems == []
    assert planning.planned(taken, GUIDES, tmp_path).numbers is None
    read = [planning.scanned(it.image_dir)[0] for it in taken.subsets]
    own = planning.own_plan(taken, planning.fitted(taken, read)[0])
    assert planning.proposal(str(folders), 2) == own


def test_each_folder_just_over_a_row_may_leave_its_smallest_out(tmp_path: Path) -> None:
    for name in ("x", "y"):
        pictures(tmp_path / "sets" / name, 20, size=(96, 96))
        pictures(tmp_path / "sets" / name, 3)
    config, _ = read_training(typed(tmp_path / "sets"), Path("/"))
    found = planning.planned(config, GUIDES, tmp_path)
    assert [it.parent.name for it in found.leave_out] == ["x"] * 3 + ["y"] * 3
    assert "x: 3 over 20" in found.html and "y: 3 over 20" in found.html


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("5, 3", texts.REPEATS_COUNT.format(count=2, folders=4)),
        ("many", "num_repeats is 'many', and should be whole numbers"),
        ("1.5", "num_repeats is '1.5', and should be whole numbers"),
        ("inf", "num_repeats is 'inf', and should be whole numbers"),
        ("0", "num_repeats is 0"),
    ],
)
def test_repeats_that_do_not_fit_are_told(folders: Path, text: str, problem: str) -> None:
    _, problems = read_training(typed(folders, text), Path("/"))
    assert any(it.startswith(problem) for it in problems), problems


def test_a_run_of_several_subsets_goes_through_the_page_unchanged(folders: Path) -> None:
    each = [{"image_dir": str(folders / it), "num_repeats": GUIDES_REPEATS[it]} for it in COUNTS]
    for tables, shown in (
        (sorted(each, key=lambda it: str(it["image_dir"])), str(folders)),
        (each[:2], f"{folders / 'a'}\n{folders / 'b'}"),
    ):
        config, problems = config_of({"subsets": tables, "output_dir": "/loras"}, Path("/"))
        assert problems == []
        values = values_of(config)
        assert values["image_dir"] == shown
        assert read_training(values, Path("/")) == (config, [])


def test_repeats_of_which_some_stand_in_the_folders_names_are_filled_in(folders: Path) -> None:
    subsets = (
        SubsetConfig(image_dir=str(folders / "3_c")),
        SubsetConfig(image_dir=str(folders / "a"), num_repeats=5),
    )
    assert values_of(TrainingConfig(subsets=subsets))["num_repeats"] == "3, 5"


def test_what_the_page_has_once_is_told_where_subsets_differ() -> None:
    subsets = (SubsetConfig(image_dir="a", keep_tokens=1), SubsetConfig(image_dir="b"))
    assert differing(subsets) == [texts.ONE_FOR_ALL.format(name="keep_tokens")]
    assert differing(subsets[:1]) == []


def test_a_folder_that_is_not_there_stands_for_itself(tmp_path: Path) -> None:
    gone = str(tmp_path / "gone")
    assert folders_of(f" {gone} \n\n{gone}", Path("/")) == [gone]
    assert subsets_of({"image_dir": "a\0b"}, Path("/"))[0] == [{"image_dir": "a\0b"}]
    assert subsets_of({"image_dir": " "}, Path("/")) == ([{"image_dir": ""}], [texts.NO_FOLDER])


@pytest.mark.skipif(os.name == "nt", reason="Windows allows no such names")
def test_a_subset_s_name_is_no_markup(tmp_path: Path) -> None:
    for number, name in enumerate(HOSTILE):
        pictures(tmp_path / "sets" / f"{number}{name.replace('/', '|')}", 23)
    config, _ = read_training(typed(tmp_path / "sets"), Path("/"))
    html = planning.planned(config, GUIDES, tmp_path).html
    assert all(is_plain(html, name.replace("/", "|")) for name in HOSTILE)
