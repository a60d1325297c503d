"""Blur and compression are seen where they are, at any size, and not where they are not."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from lib_lora_cook.dataset import quality
from lib_lora_cook.dataset.quality import (
    Quality,
    blockiness,
    jpeg_quality,
    measure_qualities,
    read_quality,
    sharpness,
)

from .tree import save, write


def scene(side: int = 768) -> Image.Image:
    """Ellipses with outlines over a soft background: a drawing."""
    rng = np.random.default_rng(5)
    image = Image.radial_gradient("L").resize((side, side)).convert("RGB")
    draw = ImageDraw.Draw(image)
    for _ in range(60):
        x, y, size = rng.integers(0, side, 3)
        colour = tuple(int(it) for it in rng.integers(0, 256, 3))
        box = (int(x), int(y), int(x + size // 3 + 2), int(y + size // 3 + 2))
        draw.ellipse(box, fill=colour, outline="black", width=side // 200)
    return image


def recompressed(image: Image.Image, quality: int) -> Image.Image:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return Image.open(io.BytesIO(out.getvalue()))


def grey(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("L"))


@pytest.mark.parametrize("side", [512, 768, 1536])
def test_a_drawing_is_sharp_and_the_same_blurred_is_not(side: int) -> None:
    image = scene(side)
    soft = image.filter(ImageFilter.GaussianBlur(3 * side / 512))
    assert not Quality(sharpness(grey(image)), 1).blurred
    assert Quality(sharpness(grey(soft)), 1).blurred


def test_a_sharp_figure_before_a_soft_background_is_sharp() -> None:
    image = scene().filter(ImageFilter.GaussianBlur(8))
    image.paste(scene().crop((0, 0, 300, 400)), (200, 200))
    assert not Quality(sharpness(grey(image)), 1).blurred


def test_blocks_are_seen_in_a_png_wherever_the_grid_begins() -> None:
    image, hard = scene(), recompressed(scene(), 10)
    assert blockiness(grey(image)) < 1.2
    for start in (0, 3):
        assert Quality(1e6, blockiness(grey(hard)[start:, start:])).compressed


def test_one_direction_alone_is_a_pattern_in_the_picture() -> None:
    stripes = np.tile((np.arange(128) // 8 % 2 * 200).astype(np.uint8), (128, 1))
    assert blockiness(stripes) < 1.2


@pytest.mark.parametrize("times", [2, 4, 6, 8, 16])
def test_pixel_art_made_larger_is_not_called_compressed(times: int) -> None:
    small = scene(768).resize((64, 64)).quantize(16).convert("RGB")
    large = small.resize((64 * times, 64 * times), Image.Resampling.NEAREST)
    assert not Quality(1e6, blockiness(grey(large))).compressed


@pytest.mark.parametrize("side", [40, 63, 64, 96])
def test_small_drawings_are_not_called_compressed(side: int) -> None:
    for left in range(0, 700, 100):
        small = scene(768).crop((left, 200, left + side, 200 + side))
        assert not Quality(1e6, blockiness(grey(small))).compressed


@pytest.mark.parametrize("quality", [10, 30, 50, 75, 90, 95])
def test_the_quality_of_a_jpeg_is_read_from_its_tables(tmp_path: Path, quality: int) -> None:
    path = save(tmp_path / "a.jpg", scene(64), quality=quality)
    assert abs(jpeg_quality(path) - quality) <= 1
    assert read_quality(path).compressed == (quality < 60)


def test_a_folder_is_measured_and_what_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    good = save(tmp_path / "a.png", scene(96))
    tiny = save(tmp_path / "b.png", scene(8))
    bad = write(tmp_path / "c.png", "")
    found = measure_qualities([good, tiny, bad])
    assert list(found) == [good, tiny]
    assert found[good].jpeg == 0 and found[tiny].blockiness == 1.0


def test_a_second_look_measures_only_what_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [save(tmp_path / f"{name}.png", scene(96 + side)) for side, name in enumerate("ab")]
    paths.append(save(tmp_path / "3_x" / "a.png", scene(120)))
    first = measure_qualities(paths, folder=tmp_path)
    assert first == measure_qualities(paths), "the same without a memory"
    opened: list[Path] = []
    real = quality.open_image
    monkeypatch.setattr(quality, "open_image", lambda path: opened.append(path) or real(path))
    assert measure_qualities(paths, folder=tmp_path) == first and opened == []
    paths[1].write_bytes(paths[2].read_bytes())
    second = measure_qualities(paths, folder=tmp_path)
    assert opened == [paths[1]] and second[paths[1]] == first[paths[2]]
    (tmp_path / ".lora_cook" / "qualities.json").write_text("junk")
    assert measure_qualities(paths, folder=tmp_path) == second
