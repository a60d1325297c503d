"""The gallery's HTML: pages, filters, marks; hostile names stay text."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from lib_lora_cook.dataset import gallery as cards
from lib_lora_cook.dataset import journal
from lib_lora_cook.errors import UserError
from lib_lora_cook.ui import pictures, texts
from lib_lora_cook.ui.clean import gallery

from ..hostile import HOSTILE, is_plain

EVERYTHING = ([], "", "", "any", [], "0", "", "")


def picture(path: Path, colour: int = 90, size: tuple[int, int] = (120, 80)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.effect_noise(size, colour).convert("RGB").save(path)
    return path


def test_a_page_holds_its_share_of_the_pictures_and_no_address(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    paths = [picture(folder / f"{number:03}.png") for number in range(gallery.PAGE + 3)]
    journal.apply_changes(folder, cards.plan_stars([cards.read_card(paths[0])], 4))
    journal.apply_changes(folder, cards.plan_mark([cards.read_card(paths[1])], "keep"))
    names = pictures.names_in(folder)
    first = gallery.page_of(folder, names, tmp_path / "cache", 0)
    assert first.count("<figure") == first.count("data:image/jpeg") == gallery.PAGE
    assert "★★★★" in first
    assert texts.KEPT in first
    last = gallery.page_of(folder, names, tmp_path / "cache", 99)
    assert (last.count("<figure"), 'data-page="1"' in last) == (3, True)
    assert "file=" not in first
    assert str(tmp_path) not in first


def test_a_broken_picture_and_an_empty_folder_say_so(tmp_path: Path) -> None:
    empty = gallery.page_of(tmp_path, pictures.names_in(tmp_path / "none"), tmp_path, 0)
    assert texts.NO_PICTURES_SHOWN in empty
    (tmp_path / "torn.png").write_bytes(b"torn")
    torn = gallery.page_of(tmp_path, ["torn.png"], tmp_path / "cache", 0)
    assert "Not a picture" in torn


@pytest.mark.parametrize("text", [it for it in HOSTILE if "/" not in it])
def test_no_name_and_no_caption_becomes_markup(tmp_path: Path, text: str) -> None:
    path = picture(tmp_path / f"{text}.png")
    path.with_suffix(".txt").write_text(text, encoding="utf-8")
    assert is_plain(gallery.page_of(tmp_path, [path.name], tmp_path / ".cache", 0), text)


def test_a_form_that_asks_for_nothing_needs_no_filter() -> None:
    assert gallery.wanted_of(EVERYTHING) == cards.Wanted()
    assert (
        gallery.filters_of(EVERYTHING) == gallery.filters_of([*EVERYTHING[:6], None, " , "]) == []
    )


def test_a_side_that_is_no_number_is_told() -> None:
    with pytest.raises(UserError, match=texts.SIDE_FROM):
        gallery.wanted_of([[], "<b>", *EVERYTHING[2:]])
