"""The large picture: its bucket's frame, several boxes, regions erased; nothing by halves."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from lib_lora_cook.config import BucketConfig
from lib_lora_cook.dataset import journal
from lib_lora_cook.dataset.images import open_image, read_image_file
from lib_lora_cook.errors import UserError
from lib_lora_cook.ui import texts
from lib_lora_cook.ui.clean.gallery_zoom import boxes_of, cut, floods_of, large

from ..hostile import HOSTILE, is_plain

CONFIG = BucketConfig(resolution=(64, 64))


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    """Two figures on white, with a caption."""
    image = Image.new("RGB", (120, 80), "white")
    image.paste("red", (10, 10, 40, 70))
    image.paste("blue", (70, 10, 100, 70))
    image.save(tmp_path / "sheet.png")
    (tmp_path / "sheet.txt").write_text("two views", encoding="utf-8")
    return tmp_path / "sheet.png"


def test_the_large_picture_frames_what_its_bucket_keeps(sheet: Path) -> None:
    told = large(sheet, sheet.parent / "cache", CONFIG)
    assert 'data-width="120"' in told
    assert "lora_cook_kept" in told
    assert "cut off" in told


def test_what_is_to_be_erased_is_seen_before_anything_is_written(sheet: Path) -> None:
    before = sheet.read_bytes()
    plain = large(sheet, sheet.parent / "cache", CONFIG)
    erased = large(sheet, sheet.parent / "cache", CONFIG, ["20,20,16"])
    assert 'data-floods="20,20,16"' in erased
    assert plain.split('src="')[1].split('"')[0] != erased.split('src="')[1].split('"')[0]
    assert sheet.read_bytes() == before


def test_several_boxes_become_several_pictures_and_undo_brings_one_back(sheet: Path) -> None:
    before = sheet.read_bytes()
    told = cut(sheet, "0,0,60,80; 60,0,120,80", [], copy=False)
    pictures = sorted(sheet.parent.glob("*.png"))
    sizes = [(it.width, it.height) for it in map(read_image_file, pictures)]
    assert sizes == [(60, 80)] * 2
    assert all(it.with_suffix(".txt").read_text() == "two views" for it in pictures)
    assert "sheet.png is cut into 2" in told
    journal.undo(sheet.parent)
    assert [it.read_bytes() for it in sheet.parent.glob("*.png")] == [before]


def test_a_region_is_erased_and_the_whole_kept_beside_it(sheet: Path) -> None:
    cut(sheet, "", ["80,20,16"], copy=True)
    made = next(it for it in sheet.parent.glob("*.png") if it != sheet)
    image = open_image(made)
    assert image.getpixel((80, 20)) == (255, 255, 255)
    assert image.getpixel((20, 20)) == (255, 0, 0)
    assert open_image(sheet).getpixel((80, 20)) == (0, 0, 255)


@pytest.mark.parametrize("text", [*HOSTILE, "1,2,3", "1,2,3,4,5", "-1,0,5,5", "0,0,500,500"])
def test_what_is_no_box_cuts_nothing(sheet: Path, text: str) -> None:
    with pytest.raises(UserError):
        cut(sheet, text, [], copy=False)
    assert len(list(sheet.parent.glob("*.png"))) == 1


@pytest.mark.parametrize("text", ["", "1,1", "1,1,256", "x,1,1"])
def test_what_is_no_region_is_told(text: str) -> None:
    with pytest.raises(UserError, match=texts.NO_FLOOD):
        floods_of([text])


def test_boxes_are_read_with_spaces_or_without() -> None:
    assert boxes_of(" 1, 2,3,4 ;5,6,7,8;") == [(1, 2, 3, 4), (5, 6, 7, 8)]


@pytest.mark.parametrize("text", [it for it in HOSTILE if "/" not in it])
def test_no_name_and_no_caption_becomes_markup(sheet: Path, text: str) -> None:
    path = sheet.rename(sheet.with_name(f"{text}.png"))
    path.with_suffix(".txt").write_text(text, encoding="utf-8")
    assert is_plain(large(path, path.parent / ".cache", CONFIG), text)
