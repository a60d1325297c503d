"""Edits of pixels: floods, and upscalers of every habit."""

import numpy as np
import pytest
from PIL import Image

from lib_lora_cook.dataset.edits import Flood, Upscale
from lib_lora_cook.errors import UserError


def two_figures(mode: str = "RGB") -> Image.Image:
    """A grey background, a red figure on the left and a blue one on the right, 40x20."""
    image = Image.new("RGB", (40, 20), "#808080")
    image.paste((200, 0, 0), (4, 4, 16, 16))
    image.paste((0, 0, 200), (24, 4, 36, 16))
    image.paste((0, 8, 190), (28, 8, 30, 10))  # nearly the same
    return image.convert(mode)


def colours(image: Image.Image) -> set[tuple[int, ...]]:
    pixels = np.asarray(image)
    return {tuple(int(it) for it in pixel) for pixel in pixels.reshape(-1, pixels.shape[-1])}


def test_a_flood_takes_one_figure_away_and_leaves_the_other() -> None:
    assert colours(Flood((25, 5))(two_figures())) == {(128, 128, 128), (200, 0, 0)}
    exact = Flood((25, 5), tolerance=0)(two_figures())
    assert (0, 8, 190) in colours(exact) and (0, 0, 200) not in colours(exact)


def test_a_flood_fills_with_the_colour_that_is_asked_for() -> None:
    filled = Flood((0, 0), colour="lime")(two_figures("RGBA"))
    assert filled.mode == "RGBA" and filled.getpixel((39, 19)) == (0, 255, 0, 255)
    assert filled.getpixel((5, 5)) == (200, 0, 0, 255)


def test_a_point_outside_is_refused() -> None:
    with pytest.raises(UserError, match="40,0 is not inside 40x20"):
        Flood((40, 0))(two_figures())


def test_an_upscaler_that_rounds_down_still_reaches_the_side() -> None:
    def eights(image: Image.Image, times: float) -> Image.Image:
        width, height = (int(side * times) // 8 * 8 for side in image.size)
        return image.resize((width, height))

    assert Upscale(eights, 100)(Image.new("RGB", (60, 90))).size == (100, 150)


def test_one_that_restores_at_one_time_is_asked_once_and_the_side_is_reached() -> None:
    asked: list[float] = []

    def restoring(image: Image.Image, times: float) -> Image.Image:
        asked.append(times)
        size = (round(image.width * times), round(image.height * times))
        return image.resize(size)  # as the hosts do after a model of 1x

    assert Upscale(restoring, 768)(Image.new("RGB", (512, 700))).size == (768, 1050)
    assert asked == [1.5]


def test_an_upscaler_that_does_nothing_is_told() -> None:
    with pytest.raises(UserError, match="The upscaler makes"):
        Upscale(lambda image, times: image, 768)(Image.new("RGB", (512, 512)))
