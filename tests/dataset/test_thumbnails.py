"""Small copies: kept, made anew when the picture changes, and never in the way."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from PIL import Image

from lib_lora_cook.dataset import thumbnails
from lib_lora_cook.dataset.images import Failure
from lib_lora_cook.dataset.thumbnails import make_thumbnails, read_thumbnail, trim_thumbnails
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


def test_a_picture_finds_its_own_again_under_another_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("RGB", (90, 60), "red").save(tmp_path / "a.png")
    first = read_thumbnail(tmp_path / "a.png", tmp_path / "cache", 20)
    monkeypatch.setattr(thumbnails, "open_reduced", None)
    (tmp_path / "a.png").rename(tmp_path / "b.png")
    assert read_thumbnail(tmp_path / "b.png", tmp_path / "cache", 20) == first


def test_many_are_made_together_and_broken_ones_are_named(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(6)]
    for number, path in enumerate(paths):
        Image.new("RGB", (60 + number, 30)).save(path)
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"torn")
    failed: list[Failure] = []
    made = make_thumbnails([*paths, bad, tmp_path / "gone.png"], tmp_path / "cache", 20, failed)
    assert list(made) == paths
    assert [path.name for path, _ in failed] == ["bad.png", "gone.png"]
    assert made[paths[0]] == read_thumbnail(paths[0], tmp_path / "cache", 20)[0]


def test_those_looked_at_last_stay_when_there_are_too_many(tmp_path: Path) -> None:
    cache, paths = tmp_path / "cache", [tmp_path / f"{number}.png" for number in range(8)]
    for number, path in enumerate(paths):
        Image.new("RGB", (60 + number, 60)).save(path)
        read_thumbnail(path, cache, 20)
        for kept in cache.rglob("*.jpg"):
            if kept.stat().st_mtime > 10_000:
                os.utime(kept, (1000 + number, 1000 + number))
    read_thumbnail(paths[0], cache, 20)  # the oldest is looked at again
    held = sum(kept.stat().st_size for kept in cache.rglob("*.jpg"))
    trim_thumbnails(cache, held)
    assert len(list(cache.rglob("*.jpg"))) == 8
    trim_thumbnails(cache, held - 1)
    left = {kept.stem.split("-")[1] for kept in cache.rglob("*.jpg")}
    assert "60x60" in left and "61x60" not in left and len(left) >= 6
