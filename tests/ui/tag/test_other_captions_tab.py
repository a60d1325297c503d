"""Captions of other kinds: looked at first, read in as one operation, written out again."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest
from PIL import Image

from lib_lora_cook.dataset import journal
from lib_lora_cook.ui.runner import Runner

from ..fake_host import FakeHost
from ..hostile import HOSTILE, is_plain

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of gradio's own age
    pytest.importorskip("gradio")

from lib_lora_cook.ui import texts
from lib_lora_cook.ui.bench import Bench, counted
from lib_lora_cook.ui.tag import tagging
from lib_lora_cook.ui.tag.other_captions_tab import OtherHandlers
from lib_lora_cook.ui.tag.tagging import Wish

WAIT = 60.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "set"
    folder.mkdir()
    for name in ("0012-kafka, long_hair", "b"):
        Image.new("RGB", (8, 8)).save(folder / f"{name}.png")
    (folder / "b.txt").write_text("smile", encoding="utf-8")
    (folder / "b.caption").write_text("solo\nkafka", encoding="utf-8")
    return folder


@pytest.fixture
def other(tmp_path: Path) -> OtherHandlers:
    return OtherHandlers(Bench(FakeHost(tmp_path / "home"), Runner()))


def done(other: OtherHandlers) -> str:
    other.bench.runner.wait(WAIT)
    snapshot = other.bench.runner.snapshot()
    assert snapshot.state == "done" and snapshot.outcome is not None, snapshot.error
    return snapshot.outcome.text


def texts_of(folder: Path, ending: str = ".txt") -> dict[str, str]:
    return {it.stem: it.read_text(encoding="utf-8") for it in sorted(folder.glob(f"*{ending}"))}


def test_captions_with_the_other_ending_are_looked_at_read_in_and_undone(
    other: OtherHandlers, folder: Path
) -> None:
    asked = (str(folder), texts.OTHER_ENDING, "", "append")
    told = other.on_look(*asked)
    assert "1 caption " in told and "<ins>solo</ins>, <ins>kafka</ins>" in told
    assert texts_of(folder) == {"b": "smile"}
    assert other.on_read(*asked) == "" and done(other) == "1 caption written."
    assert texts_of(folder) == {"b": "smile, solo, kafka"}
    journal.undo(folder)
    assert texts_of(folder) == {"b": "smile"}


def test_names_become_captions_where_there_are_none(other: OtherHandlers, folder: Path) -> None:
    assert other.on_read(str(folder), texts.OTHER_NAMES, "", "empty") == ""
    done(other)
    assert texts_of(folder) == {"0012-kafka, long_hair": "kafka, long hair", "b": "smile"}
    assert texts.OTHER_NO_NAMES in other.on_write(str(folder), texts.OTHER_NAMES, "")


def test_captions_go_out_with_the_other_ending_and_come_to_differ_only_where_they_do(
    other: OtherHandlers, folder: Path
) -> None:
    assert other.on_write(str(folder), texts.OTHER_ENDING, "") == ""
    assert done(other) == "1 caption written."
    assert texts_of(folder, ".caption") == {"b": "smile"}
    other.on_write(str(folder), texts.OTHER_ENDING, "")
    assert done(other) == "0 captions written."
    journal.undo(folder)
    assert texts_of(folder, ".caption") == {"b": "solo\nkafka"}


def test_metadata_goes_out_and_comes_back(other: OtherHandlers, folder: Path) -> None:
    assert other.on_write(str(folder), texts.OTHER_METADATA, "") == ""
    assert done(other) == "1 caption written into metadata.json."
    kept = json.loads((folder / "metadata.json").read_text(encoding="utf-8"))
    assert kept == {str(folder / "b.png"): {"tags": "smile"}}
    (folder / "own.json").write_text('{"b": {"caption": "a girl", "tags": "hat"}}')
    asked = (str(folder), texts.OTHER_METADATA, "own.json", "overwrite")
    assert other.on_read(*asked) == ""
    done(other)
    assert texts_of(folder) == {"b": "a girl, hat"}


@pytest.mark.parametrize("file", ["../meta.json", "/tmp/meta.json", "meta.txt", "x/meta.json"])
def test_metadata_is_written_nowhere_else(other: OtherHandlers, folder: Path, file: str) -> None:
    assert texts.OTHER_OUTSIDE in other.on_write(str(folder), texts.OTHER_METADATA, file)
    assert not other.bench.busy


def test_mistakes_are_told_and_start_nothing(other: OtherHandlers, folder: Path) -> None:
    for handler in (other.on_look, other.on_read):
        assert "Cannot read" in handler(str(folder), texts.OTHER_METADATA, "none.json", "empty")
        assert texts.NO_DATASET in handler("", texts.OTHER_NAMES, "", "empty")
    (folder / "b.caption").unlink()
    assert "Nothing about these" in other.on_read(str(folder), texts.OTHER_ENDING, "", "empty")
    assert not other.bench.busy


def test_the_step_points_to_other_captions_where_pictures_have_none(folder: Path) -> None:
    wish = Wish((), "", "append", "character", "")
    assert texts.OTHER_THERE not in tagging.listed(counted(str(folder)), wish)
    (folder / "0012-kafka, long_hair.caption").write_text("kafka", encoding="utf-8")
    assert texts.OTHER_THERE in tagging.listed(counted(str(folder)), wish)


@pytest.mark.parametrize("text", [it for it in HOSTILE if "/" not in it])
def test_no_other_caption_becomes_markup(other: OtherHandlers, folder: Path, text: str) -> None:
    (folder / "b.caption").write_text(text, encoding="utf-8")
    Image.new("RGB", (8, 8)).save(folder / f"{text}.png")
    for kind in (texts.OTHER_ENDING, texts.OTHER_NAMES):
        assert is_plain(other.on_look(str(folder), kind, "", "append"), text)
