"""Where a part of a picture lies is found to a hundredth of a side."""

import pytest
from PIL import ImageOps

from lib_lora_cook.dataset.duplicates.prints import make_print
from lib_lora_cook.dataset.duplicates.search import candidates

from .scenes import scene

PARTS = [(0, 0, 240, 240), (12, 5, 230, 221), (28, 28, 212, 212), (0, 0, 211, 240)]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_cut_picture_is_found_where_it_was_cut_from(
    part: tuple[int, int, int, int], mirrored: bool
) -> None:
    whole = scene(3)
    other = whole.crop(part)
    other = ImageOps.mirror(other) if mirrored else other
    pictures = [whole, other, *(scene(seed) for seed in range(4, 12))]
    prints = [make_print(it, it.size, str(at)) for at, it in enumerate(pictures)]

    found = candidates(prints)

    assert {(hit.one, hit.other) for hit in found} <= {(0, 1), (1, 0)}
    best = next(hit for hit in found if (hit.one, hit.other) == (0, 1))
    assert best.mirrored == mirrored
    left, top, right, bottom = (edge / 240 for edge in part)
    assert best.box == pytest.approx((left, top, right - left, bottom - top), abs=0.01)
