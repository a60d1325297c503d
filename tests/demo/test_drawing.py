"""Drawings: deterministic, at any size, and showing what the tags say."""

import random
from dataclasses import replace

import numpy as np
import pytest

from lib_lora_cook.demo.characters import BACKGROUNDS, NEW_CHARACTER, random_character
from lib_lora_cook.demo.drawing import draw, draw_scenery
from lib_lora_cook.demo.figure import CLOTH, EYES, HAIR
from lib_lora_cook.demo.markings import DECOYS, HALO_COLOR, SCARF_COLOR, STAR_COLOR


def share_of(picture: object, color: tuple[int, int, int]) -> float:
    """Share of the pixels that are nearly of that colour."""
    pixels = np.asarray(picture)[..., :3].astype(int)
    return float((np.abs(pixels - color).max(-1) < 24).mean())


def test_the_same_seed_gives_the_same_picture() -> None:
    character = random_character(random.Random(4))
    one, other = (draw(character, 64, random.Random(seed)) for seed in (8, 8))
    assert one.tobytes() == other.tobytes()
    assert one.tobytes() != draw(character, 64, random.Random(9)).tobytes()


@pytest.mark.parametrize("size", [40, 64, 128, 256])
def test_any_size(size: int) -> None:
    assert draw(NEW_CHARACTER, size).size == (size, size)
    assert draw_scenery(size).size == (size, size)


def test_transparent_around_the_figure_and_opaque_within() -> None:
    picture = draw(NEW_CHARACTER, 64, transparent=True)
    alpha = np.asarray(picture.getchannel("A"))
    assert picture.mode == "RGBA"
    assert alpha[0, 0] == 0 and alpha[32, 32] == 255


def test_tags_match_the_colours_drawn() -> None:
    plain = replace(
        random_character(random.Random(0)),
        view="upper_body",
        background="white_background",
        accessory=None,
        expression="smile",
        hair_style="long_hair",
        outfit="hoodie",
    )
    for color, rgb in HAIR.items():
        assert share_of(draw(replace(plain, hair_color=color)), rgb) > 0.1
    for color, rgb in EYES.items():
        picture = draw(replace(plain, hair_color="black", outfit_color="white", eye_color=color))
        assert share_of(picture, rgb) > 0.02
    for color, rgb in CLOTH.items():
        picture = draw(replace(plain, hair_color="black", eye_color="red", outfit_color=color))
        assert share_of(picture, rgb) > 0.02


def test_markings_are_large_and_of_their_own_colours() -> None:
    bare = replace(NEW_CHARACTER, markings=(), eye_color="blue")
    colors = {
        "star_facial_mark": STAR_COLOR,
        "halo": HALO_COLOR,
        "orange_scarf": SCARF_COLOR,
    }
    for marking, rgb in colors.items():
        without, worn = draw(bare, 64), draw(replace(bare, markings=(marking,)), 64)
        assert share_of(worn, rgb) > share_of(without, rgb) + 0.008, marking


def test_every_decoy_and_background_changes_the_picture() -> None:
    plain = draw(replace(NEW_CHARACTER, markings=()), 64).tobytes()
    for decoy in DECOYS:
        assert draw(replace(NEW_CHARACTER, markings=()), 64, decoys=[decoy]).tobytes() != plain
    pictures = {draw(replace(NEW_CHARACTER, background=name)).tobytes() for name in BACKGROUNDS}
    assert len(pictures) == len(BACKGROUNDS)
