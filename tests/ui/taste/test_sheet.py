"""The sheet as HTML: its cells, one large, two over each other."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from lib_lora_cook.ui import texts
from lib_lora_cook.ui.taste import sheet
from lib_lora_cook.ui.tray import Tile, Tray

from ..hostile import HOSTILE, is_plain

LORAS = (Path("kafka-000001.safetensors"), Path("kafka.safetensors"))


def tray(folder: Path, prompt: str = "kafka", drawn: int = 5, picked: int = 0) -> Tray:
    """Two epochs at weights 0, 0.5 and 1: five cells, so many of them drawn."""
    places = [(None, 0.0), *((lora, weight) for lora in LORAS for weight in (0.5, 1.0))]
    tiles = []
    for number, (lora, weight) in enumerate(places[:drawn], 1):
        path = folder / f"{number}.png"
        Image.new("RGB", (64, 64), (40 * number, 0, 0)).save(path)
        tiles.append(Tile(number, lora, weight, prompt, path, (f"tags 0.{number}",), prompt))
    names = ("epoch 1", "last epoch")
    return Tray(LORAS, names, (0.0, 0.5, 1.0), (prompt,), tuple(tiles), picked)


def test_a_sheet_has_a_row_an_epoch_and_the_base_once(tmp_path: Path) -> None:
    told = sheet.tray_html(tray(tmp_path, picked=4), tmp_path)
    assert told.count("<tr>") == 3
    assert told.count("data-cell=") == 5
    assert told.count('rowspan="2"') == 1
    assert told.count(texts.PICKED) == 1
    assert 'aria-label="epoch 1, weight 0.5"' in told
    assert "tags 0.5" in told


def test_cells_that_are_not_drawn_yet_are_empty(tmp_path: Path) -> None:
    assert sheet.tray_html(None, tmp_path) == ""
    assert sheet.tray_html(tray(tmp_path, drawn=0), tmp_path) == ""
    assert sheet.tray_html(tray(tmp_path, drawn=3), tmp_path).count("data-cell=") == 3


def test_a_cell_opens_with_the_ways_to_its_neighbours(tmp_path: Path) -> None:
    found = tray(tmp_path)
    tile = found.tile(2)
    assert tile is not None
    told = sheet.loupe(found, tile, None, tmp_path)
    for key, cell in (("ArrowLeft", 1), ("ArrowRight", 3), ("ArrowDown", 4)):
        assert f'data-cell="{cell}" data-key="{key}"' in told
    assert "ArrowUp" not in told
    assert told.count("<img") == 1
    assert 'data-act="keep"' in told
    base = found.tile(1)
    assert base is not None
    assert 'data-act="keep"' not in sheet.loupe(found, base, None, tmp_path)


def test_two_cells_lie_over_each_other_with_a_slide(tmp_path: Path) -> None:
    found = tray(tmp_path)
    one, other = found.tile(3), found.tile(5)
    assert one is not None
    told = sheet.loupe(found, one, other, tmp_path)
    assert told.count("<img") == 2
    assert told.count('type="range"') == 1
    assert "epoch 1, weight 1 over last epoch, weight 1" in told


def test_a_picture_that_is_gone_leaves_its_place_empty(tmp_path: Path) -> None:
    found = tray(tmp_path)
    for tile in found.tiles[:2]:
        tile.picture.unlink()
    assert sheet.tray_html(found, tmp_path).count("data-cell=") == 3
    assert "<img" not in sheet.loupe(found, found.tiles[0], None, tmp_path)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_prompt_becomes_markup(text: str, tmp_path: Path) -> None:
    found = tray(tmp_path, text)
    tile = found.tiles[1]
    told = sheet.tray_html(found, tmp_path) + sheet.loupe(found, tile, None, tmp_path)
    assert is_plain(told, text)
