"""The gallery's HTML: pages, marks, large pictures, copies; hostile names stay text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from lib_lora_cook.config import BucketConfig
from lib_lora_cook.dataset.duplicates import Group
from lib_lora_cook.dataset.images import read_image_file
from lib_lora_cook.ui import gallery, texts

from .hostile import HOSTILE, is_plain


def picture(path: Path, colour: int = 90) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.effect_noise((120, 80), colour).convert("RGB").save(path)
    return path


def test_a_page_holds_its_share_of_the_pictures_and_no_address(tmp_path: Path) -> None:
    for number in range(gallery.PAGE + 3):
        picture(tmp_path / "set" / f"{number:03}.png")
    marks = {"000.png": "4", "001.png": "keep"}
    first = gallery.page_of(tmp_path / "set", tmp_path / "cache", 0, marks)
    assert first.count("<figure") == first.count("data:image/jpeg") == gallery.PAGE
    assert "★★★★" in first
    assert texts.KEPT in first
    last = gallery.page_of(tmp_path / "set", tmp_path / "cache", 99, marks)
    assert (last.count("<figure"), 'data-page="1"' in last) == (3, True)
    assert "file=" not in first
    assert str(tmp_path) not in first


def test_a_broken_picture_and_an_empty_folder_say_so(tmp_path: Path) -> None:
    assert texts.FIRST_GATHER in gallery.page_of(tmp_path / "none", tmp_path, 0, {})
    (tmp_path / "torn.png").write_bytes(b"torn")
    assert "Not a picture" in gallery.page_of(tmp_path, tmp_path / "cache", 0, {})


def test_the_large_picture_frames_what_its_bucket_keeps(tmp_path: Path) -> None:
    path = picture(tmp_path / "wide.png")
    told = gallery.large(path, tmp_path / "cache", BucketConfig(resolution=(64, 64)))
    assert 'data-width="120"' in told
    assert "lora_cook_kept" in told
    assert "cut off" in told


def test_copies_stand_beside_their_keeper_with_the_difference(tmp_path: Path) -> None:
    paths = [picture(tmp_path / "a.png"), picture(tmp_path / "b.png", 20)]
    group = Group("near", tuple(map(read_image_file, paths)))
    told = gallery.side_by_side([group], tmp_path / "cache")
    assert told.count("data:image/jpeg") == 3
    assert "kept: a.png" in told
    assert texts.NO_COPIES in gallery.side_by_side([], tmp_path)


@pytest.mark.parametrize("text", [it for it in HOSTILE if "/" not in it])
def test_no_name_and_no_caption_becomes_markup(tmp_path: Path, text: str) -> None:
    path = picture(tmp_path / f"{text}.png")
    path.with_suffix(".txt").write_text(text, encoding="utf-8")
    cache = tmp_path / ".cache"
    config = BucketConfig(resolution=(64, 64))
    told = gallery.page_of(tmp_path, cache, 0, {}) + gallery.large(path, cache, config)
    assert is_plain(told, text)


@pytest.mark.parametrize("text", ["", "no json", "[]", "null", '{"page": "x"}', '"text"'])
def test_what_cannot_be_read_asks_for_nothing(text: str) -> None:
    assert gallery.read_asked(text) == gallery.Asked()


def test_what_the_script_asks_is_read() -> None:
    told = json.dumps({"act": "drop", "name": "a.png", "page": 2})
    assert gallery.read_asked(told) == gallery.Asked("drop", "a.png", 2)
