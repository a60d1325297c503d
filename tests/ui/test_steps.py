"""The way through: what each proposed button says and does, on a folder of real pictures."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lib_lora_cook.ui.runner import Runner

from .fake_host import FakeHost

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of gradio's own age
    pytest.importorskip("gradio")

from lib_lora_cook.ui import texts
from lib_lora_cook.ui.bench import Bench, Starter
from lib_lora_cook.ui.clean.tab import CleanHandlers
from lib_lora_cook.ui.gather.tab import GatherHandlers
from lib_lora_cook.ui.steps import StepHandlers
from lib_lora_cook.ui.tag.tab import TagHandlers

WAIT = 60.0
FORM = ("toy", "", "append", "character", "kafka")


def draw(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(3):
        image = Image.effect_noise((96, 96), 60 + 40 * number).convert("RGB")
        image.save(folder / f"{number}.png")
        text = f"1girl, purple hair, purple hair, tag {number}"
        (folder / f"{number}.txt").write_text(text, encoding="utf-8")
    image.save(folder / "copy.png")
    Image.new("RGB", (16, 16)).save(folder / "tiny.png")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    starter = Starter(tmp_path / "set", draw, "kafka", 64)
    return Bench(FakeHost(tmp_path / "home"), Runner(), starter)


@pytest.fixture
def steps(bench: Bench) -> StepHandlers:
    return StepHandlers(bench, GatherHandlers(bench), CleanHandlers(bench), TagHandlers(bench))


def labels(steps: StepHandlers, dataset: str) -> dict[str, Any]:
    """The proposed buttons by their step, as a refresh shows them."""
    steps.bench.runner.wait(WAIT)
    shown = steps.on_refresh(dataset, *FORM)
    return {"gather": shown[1], "clean": shown[4], "tag": shown[9]}


def test_pressing_what_is_proposed_leads_from_an_empty_folder_to_cook(
    steps: StepHandlers, bench: Bench, tmp_path: Path
) -> None:
    dataset = steps.on_load()[0]
    assert dataset == str(tmp_path / "set")
    assert labels(steps, dataset)["gather"]["value"] == texts.DRAW_TOY
    assert labels(steps, dataset)["clean"]["visible"] is False

    assert steps.on_propose_gather(dataset)[0] == ""
    assert "5 pictures" in labels(steps, dataset)["clean"]["value"]
    assert steps.on_propose_gather(dataset)[1]["selected"] == "clean"

    assert steps.on_propose_clean(dataset, [], "64")[0] == ""
    assert labels(steps, dataset)["clean"]["value"] == texts.MEND
    ticked = steps.on_refresh(dataset, *FORM)[5]["value"]
    assert ticked == ["double tags", "too small", "exact copies"]
    assert steps.clean.on_ticks(dataset, [])["value"] == "Go on to Tag"
    assert steps.on_propose_clean(dataset, [], "64")[1]["selected"] == "tag"
    assert steps.on_propose_clean(dataset, ticked, "64")[0] == ""
    assert labels(steps, dataset)["clean"]["value"] == "Go on to Tag"
    assert steps.on_propose_clean(dataset, [], "64")[1]["selected"] == "tag"
    assert sorted(it.name for it in (tmp_path / "set").glob("*.png")) == ["0.png", "1.png", "2.png"]

    assert labels(steps, dataset)["tag"]["value"] == "Prune 1 tag and put kafka first"
    assert steps.on_propose_tag(dataset, ["purple hair"], *FORM)[0] == ""
    assert labels(steps, dataset)["tag"]["value"] == "Go on to Cook"
    assert (tmp_path / "set" / "0.txt").read_text(encoding="utf-8") == "kafka, 1girl, tag 0"
    going = steps.on_propose_tag(dataset, [], *FORM)
    assert going[1]["selected"] == "cook"
    assert going[2:] == [dataset, "kafka", "kafka", "67", "10"]
    assert steps.on_refresh(dataset, *FORM)[11:] == ["kafka"]
    assert bench.recall("sweep")["tags"] == "purple hair"


def test_each_mend_is_an_entry_of_its_own_and_undo_takes_the_last_one_back(
    steps: StepHandlers, bench: Bench, tmp_path: Path
) -> None:
    draw(tmp_path / "set")
    dataset = str(tmp_path / "set")
    steps.on_propose_clean(dataset, [], "64")
    bench.runner.wait(WAIT)
    steps.on_propose_clean(dataset, ["double tags", "too small", "exact copies"], "64")
    bench.runner.wait(WAIT)
    past = steps.on_refresh(dataset, *FORM)[6]
    assert [past.count(it) for it in ("double_tags", "too_small", "exact_copies")] == [1, 1, 1]
    assert len(list((tmp_path / "set").glob("*.png"))) == 3
    steps.clean.on_undo(dataset)
    assert len(list((tmp_path / "set").glob("*.png"))) == 4
    assert bench.looks == {}


def test_a_dataset_is_remembered_and_a_new_page_opens_with_it(
    steps: StepHandlers, bench: Bench, tmp_path: Path
) -> None:
    other = str(tmp_path / "other")
    steps.on_dataset(other, *FORM)
    assert Bench(bench.host, Runner(), bench.starter).first_folder() == other


def test_wrong_numbers_start_nothing(steps: StepHandlers, tmp_path: Path) -> None:
    draw(tmp_path / "set")
    dataset = str(tmp_path / "set")
    for below in ("", "x", "-3", "<b>"):
        told = steps.on_propose_clean(dataset, [], below)[0]
        assert "should be a whole number" in told
        assert "<b>" not in told
    (tmp_path / "set" / "0.txt").unlink()
    told = steps.on_propose_tag(dataset, [], "toy", "7", "append", "character", "kafka")[0]
    assert texts.NO_THRESHOLD in told
    assert steps.bench.runner.snapshot().state == "idle"


def test_without_a_dataset_or_a_trigger_one_sentence_says_what_to_give(
    steps: StepHandlers, tmp_path: Path
) -> None:
    assert texts.NO_DATASET in steps.gather.on_bring("", str(tmp_path))
    assert texts.NO_SOURCE in steps.gather.on_bring(str(tmp_path / "set"), " \n")
    assert texts.NO_QUERY in steps.gather.on_preview("", "danbooru", "10", "", "", [], [], False)
    draw(tmp_path / "set")
    (tmp_path / "set" / "copy.png").unlink()
    (tmp_path / "set" / "tiny.png").unlink()
    told = steps.on_propose_tag(str(tmp_path / "set"), [], *FORM[:4], "")[0]
    assert texts.NO_TRIGGER in told


def test_pictures_of_this_computer_come_in(steps: StepHandlers, tmp_path: Path) -> None:
    draw(tmp_path / "there")  # four different pictures and a copy
    dataset = str(tmp_path / "here")
    assert steps.gather.on_bring(dataset, str(tmp_path / "there")) == ""
    assert "4 pictures" in labels(steps, dataset)["clean"]["value"]
