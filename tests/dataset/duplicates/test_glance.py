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
    levels, _ = glanced(ones, others)
    assert levels[0] < 16
    assert levels[1] > 30
