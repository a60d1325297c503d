"""Small copies: kept, made anew when the picture changes, and never in the way."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from PIL import Image

from lib_lora_cook.dataset.thumbnails import read_thumbnail
from lib_lora_cook.errors import UserError


def test_a_small_copy_is_kept_until_the_picture_changes(tmp_path: Path) -> None:
    path, cache = tmp_path / "a.png", tmp_path / "cache"
    Image.new("RGB", (300, 200), "red").save(path)
    data, size = read_thumbnail(path, cache, 60)
    assert (Image.open(io.BytesIO(data)).size, size) == ((60, 40), (300, 200))
    kept = list(cache.rglob("*.jpg"))
    assert read_thumbnail(path, cache, 60) == (data, size)
    assert list(cache.rglob("*")) == [kept[0].parent, *kept]
    Image.new("RGB", (100, 300), "blue").save(path)
    os.utime(path, ns=(1, 1))
    assert read_thumbnail(path, cache, 60)[1] == (100, 300)


def test_transparency_lies_on_white(tmp_path: Path) -> None:
    Image.new("RGBA", (40, 40), (0, 0, 0, 0)).save(tmp_path / "a.png")
    data, _ = read_thumbnail(tmp_path / "a.png", tmp_path / "cache", 20)
    assert Image.open(io.BytesIO(data)).getpixel((5, 5)) == (255, 255, 255)


def test_a_cache_that_cannot_be_written_only_forgets(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file stands in the way")
    Image.new("RGB", (40, 40)).save(tmp_path / "a.png")
    assert read_thumbnail(tmp_path / "a.png", tmp_path / "cache", 20)[1] == (40, 40)


def test_what_is_no_picture_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"torn")
    with pytest.raises(UserError, match="Not a picture"):
        read_thumbnail(tmp_path / "a.png", tmp_path / "cache", 20)
