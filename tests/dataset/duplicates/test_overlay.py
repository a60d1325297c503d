"""Two pictures are laid over one another to a fraction of a pixel."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from lib_lora_cook.dataset.duplicates.overlay import Claim, Overlays, Seen
from lib_lora_cook.dataset.duplicates.prints import Box

from .scenes import scene

WHOLE: Box = (0.0, 0.0, 1.0, 1.0)
PARTS = [(0, 0, 240, 240), (24, 12, 216, 228), (-24, -12, 204, 228), (30, 0, 260, 200)]
CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "as it is": lambda picture: picture,
    "grey": lambda picture: picture.convert("L").convert("RGB"),
    "darker": lambda picture: ImageEnhance.Brightness(picture).enhance(0.7),
    "smaller": lambda picture: picture.resize((picture.width // 2, picture.height // 2)),
}


def seen(picture: Image.Image) -> Seen:
    return Seen(np.array(picture))


def near(part: tuple[int, int, int, int]) -> Box:
    """The box of a part of 240 pixels, some pixels off."""
    left, top, right, bottom = (
        (edge + off) / 240 for edge, off in zip(part, (3, -2, -2, 3), strict=True)
    )
    return left, top, right - left, bottom - top


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_part_is_laid_where_it_was_cut_from(
    part: tuple[int, int, int, int], change: str, mirrored: bool
) -> None:
    other = CHANGES[change](scene(1).crop(part))
    other = ImageOps.mirror(other) if mirrored else other
    lying = Overlays([Claim(seen(scene(1)), seen(other), mirrored, near(part), WHOLE)])
    lying.refine(np.array([0]))

    left, top, right, bottom = (edge / 240 for edge in part)
    assert lying.is_laid(np.array([0])).all()
    assert lying.places[0] == pytest.approx((left, top, right - left, bottom - top), abs=0.006)
    one, same = lying.cut(0)
    assert one.shape == same.shape
    if change == "as it is":
        assert np.abs(one.astype(int) - same).mean() < 4


def test_another_picture_and_a_squeezed_one_are_not_laid() -> None:
    squeezed = scene(1).resize((240, 200))
    claims = [
        Claim(seen(scene(1)), seen(other), False, WHOLE, WHOLE) for other in (scene(2), squeezed)
    ]
    assert not Overlays(claims).is_laid(np.arange(2)).any()
