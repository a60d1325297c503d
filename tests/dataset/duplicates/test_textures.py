"""Pictures without large shapes are found when they are cut, framed or mirrored."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from lib_lora_cook.dataset.duplicates import find_duplicates
from lib_lora_cook.dataset.images import scan_subset

from ..tree import save


def gravel(seed: int) -> Image.Image:
    """Small grey stones all over a square of 240 pixels."""
    draws = np.random.default_rng(seed)
    stones = Image.fromarray(draws.integers(40, 216, (48, 48), np.uint8))
    return stones.resize((240, 240), Image.Resampling.BICUBIC).convert("RGB")


def cut(picture: Image.Image) -> Image.Image:
    return picture.crop((20, 14, 221, 230))


@pytest.mark.parametrize(
    "copied",
    [
        cut,
        lambda picture: ImageOps.mirror(cut(picture)),
        lambda picture: ImageOps.expand(picture, 20, "black"),
        lambda picture: cut(picture).resize((140, 150)),
    ],
)
def test_copies_of_a_texture_are_found_and_another_texture_is_none(
    tmp_path: Path, copied: Callable[[Image.Image], Image.Image]
) -> None:
    save(tmp_path / "a.png", gravel(1))
    save(tmp_path / "b.png", copied(gravel(1)))
    save(tmp_path / "c.png", gravel(2))

    groups = find_duplicates(scan_subset(tmp_path))

    assert [(group.kind, len(group.files)) for group in groups] == [("near", 2)]
    assert {image.path.name for image in groups[0].files} == {"a.png", "b.png"}
