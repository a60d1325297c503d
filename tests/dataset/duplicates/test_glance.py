"""At a glance a recoloured copy is far from being another picture."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from lib_lora_cook.dataset.duplicates.glance import glanced

from .scenes import scene


def square(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("RGB").resize((40, 40), 4), np.float32).transpose(2, 0, 1)


def turned(picture: Image.Image, degrees: int) -> Image.Image:
    hue, *rest = picture.convert("HSV").split()
    hue = hue.point([(level + degrees * 255 // 360) % 256 for level in range(256)])
    return Image.merge("HSV", (hue, *rest)).convert("RGB")


@pytest.mark.parametrize(
    "copied",
    [
        lambda picture: picture,
        lambda picture: picture.resize((100, 90)),
        lambda picture: picture.convert("L").convert("RGB"),
        lambda picture: ImageEnhance.Brightness(picture).enhance(0.7),
        lambda picture: turned(picture, 40),
    ],
)
def test_a_copy_differs_little_and_another_picture_much(
    copied: Callable[[Image.Image], Image.Image],
) -> None:
    ones = np.stack([square(scene(1)), square(scene(2))])
    others = np.stack([square(copied(scene(1)))] * 2)
    seen = glanced(ones, others)
    assert seen.levels[0] < 16
    assert seen.levels[1] > 30
    assert seen.edges[0] > 0.6 > 0.4 > seen.edges[1]


def test_what_is_repainted_in_part_has_most_edges_in_common() -> None:
    dressed = scene(1)
    dressed.paste("crimson", (0, 200, *dressed.size))
    seen = glanced(square(scene(1))[None], square(dressed)[None])
    assert seen.levels[0] > 30
    assert seen.edges[0] > 0.6
