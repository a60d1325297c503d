"""At a glance a recoloured copy is far from being another picture."""

from collections.abc import Callable

import pytest
from PIL import Image, ImageEnhance, ImageOps

from lib_lora_cook.dataset.duplicates.glance import glanced, make_thumb
from lib_lora_cook.dataset.duplicates.prints import Box, make_print
from lib_lora_cook.dataset.duplicates.search import Candidate

from .scenes import scene

WHOLE: Box = (0.0, 0.0, 1.0, 1.0)


def level(one: Image.Image, other: Image.Image, box: Box = WHOLE, mirrored: bool = False) -> float:
    """What is seen where all of `other` lies on the box of `one`."""
    thumbs = [make_thumb(make_print(it, it.size, "").checks[0], it.size) for it in (one, other)]
    (found,) = glanced([Candidate(0, 1, mirrored, box, WHOLE, 1.0)], thumbs.__getitem__)
    return float(found)


@pytest.mark.parametrize(
    "copied",
    [
        lambda picture: picture,
        lambda picture: picture.resize((100, 90)),
        lambda picture: picture.convert("L").convert("RGB"),
        lambda picture: ImageEnhance.Brightness(picture).enhance(0.7),
        lambda picture: Image.merge("RGB", picture.split()[::-1]),
    ],
)
def test_a_copy_differs_little_and_another_picture_much(
    copied: Callable[[Image.Image], Image.Image],
) -> None:
    assert level(scene(1), copied(scene(1))) < 12
    assert level(scene(2), copied(scene(1))) > 30


@pytest.mark.parametrize("part", [(24, 12, 216, 228), (-24, -12, 200, 228)])
def test_boxes_that_reach_over_the_frame_and_mirrored_ones_are_laid_right(
    part: tuple[int, int, int, int],
) -> None:
    one, other = scene(1), scene(1, 240).crop(part)
    left, top, right, bottom = (edge / 240 for edge in part)
    box = left, top, right - left, bottom - top
    assert level(one, other, box) < 12
    assert level(one, ImageOps.mirror(other), box, mirrored=True) < 12
    assert level(one, other) > 30


def test_what_has_no_thumb_is_not_judged() -> None:
    thumbs = {0: make_thumb(make_print(scene(1), (240, 240), "").checks[0], (240, 240)), 1: None}
    found = glanced([Candidate(0, 1, False, WHOLE, WHOLE, 1.0)], thumbs.__getitem__)
    assert found.tolist() == [0]
