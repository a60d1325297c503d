"""Copies side by side: what differs, another keeper by one click, and what counts as two."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from lib_lora_cook.dataset.duplicates import Group, plan_duplicates
from lib_lora_cook.dataset.images import open_image, read_image_file
from lib_lora_cook.dataset.look import look_at
from lib_lora_cook.ui import texts
from lib_lora_cook.ui.clean.gallery_copies import side_by_side, with_keeper, without_pair

from ..hostile import HOSTILE, is_plain


def drawn(path: Path) -> Path:
    image = Image.effect_noise((160, 160), 30).convert("RGB").resize((320, 320))
    ImageDraw.Draw(image).ellipse((60, 40, 240, 290), "teal", "black", 6)
    image.save(path)
    return path


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A picture, and the same smaller and as a JPEG."""
    first = drawn(tmp_path / "first.png")
    second = tmp_path / "second.jpg"
    open_image(first).resize((240, 240)).save(second, quality=80)
    return first, second


def groups_of(*paths: Path, kind: str = "near") -> list[Group]:
    return [Group(kind, tuple(map(read_image_file, paths)))]  # type: ignore[arg-type]


def test_copies_stand_beside_their_keeper_with_the_difference(pair: tuple[Path, Path]) -> None:
    told = side_by_side(groups_of(*pair), pair[0].parent / "cache")
    assert told.count("data:image/jpeg") == 3
    assert "first.png stays, 320×320 PNG" in told
    assert "second.jpg goes, 240×240 JPEG" in told
    assert texts.NO_COPIES in side_by_side([], pair[0].parent)


def test_of_a_variant_both_stay_and_none_can_be_made_to_go(pair: tuple[Path, Path]) -> None:
    told = side_by_side(groups_of(*pair, kind="variant"), pair[0].parent / "cache")
    assert " goes, " not in told
    assert texts.KEEP_THIS not in told


def test_another_keeper_is_another_picture_that_goes(pair: tuple[Path, Path]) -> None:
    look = look_at(pair[0].parent, 64)
    assert [it.path.name for it in plan_duplicates(look.groups)] == ["second.jpg"]
    turned = with_keeper(look, "second.jpg")
    assert [it.path.name for it in plan_duplicates(turned.groups)] == ["first.png"]


def test_what_is_no_copy_is_remembered(pair: tuple[Path, Path]) -> None:
    folder = pair[0].parent
    look = look_at(folder, 64)
    assert without_pair(look, folder, "second.jpg", "first.png").groups == ()
    assert look_at(folder, 64).groups == ()


@pytest.mark.parametrize("text", [it for it in HOSTILE if "/" not in it])
def test_no_name_becomes_markup(tmp_path: Path, text: str) -> None:
    one, other = drawn(tmp_path / f"{text}.png"), drawn(tmp_path / "b.png")
    assert is_plain(side_by_side(groups_of(one, other), tmp_path / "cache"), text)
