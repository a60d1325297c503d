"""Tags for pictures at hand, from where they came or from a site that is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lib_lora_cook.config import GatherConfig
from lib_lora_cook.dataset import journal
from lib_lora_cook.gather.gather import gather
from lib_lora_cook.gather.refetch import Wish, plan_refetch
from lib_lora_cook.gather.search import home_in, open_search

from .board import Board, Entry, picture, serving

NEW = "1girl kafka_(honkai:_star_rail) long_hair"


def gathered(board: Board, out: Path) -> None:
    config = GatherConfig(query="1girl", site=board.root)
    gather(config, out, *open_search(config, home_in(out)))


def refetched(site: str, folder: Path, wish: Wish, *allow: str) -> None:
    config = GatherConfig(site=site, allow=allow)
    changes = plan_refetch(folder, config, home_in(folder), wish)
    assert not journal.apply_changes(folder, changes).failed


@pytest.mark.parametrize("software", ["gelbooru", "danbooru", "moebooru"])
def test_new_tags_come_behind_the_old_ones(software: str, tmp_path: Path) -> None:
    with serving(Board(software, [Entry(1, picture(1)), Entry(2, picture(2))])) as board:
        gathered(board, tmp_path)
        (tmp_path / "127-0-0-1_1.txt").write_text("my trigger, 1girl")
        board.entries[0].tags = NEW
        refetched(board.root, tmp_path, Wish())
        assert (tmp_path / "127-0-0-1_1.txt").read_text() == (
            "my trigger, 1girl, kafka (honkai: star rail), long hair"
        )
        origin = json.loads((tmp_path / "127-0-0-1_1.json").read_text())
        assert "long_hair" in origin["tags"]["general"]
        config = GatherConfig(site=board.root)
        assert plan_refetch(tmp_path, config, home_in(tmp_path), Wish()) == []
    journal.undo(tmp_path)
    assert (tmp_path / "127-0-0-1_1.txt").read_text() == "my trigger, 1girl"


def test_a_picture_from_elsewhere_is_found_by_its_own_md5(tmp_path: Path) -> None:
    (tmp_path / "mine.png").write_bytes(picture(1))
    (tmp_path / "other.png").write_bytes(picture(2))
    wish = Wish("overwrite")
    with serving(Board("danbooru", [Entry(1, picture(1))])) as board:
        refetched(board.root, tmp_path, wish)
    assert (tmp_path / "mine.txt").read_text() == "kafka (honkai: star rail), 1girl, ^_^"
    assert json.loads((tmp_path / "mine.json").read_text())["artist"] == ["some_artist"]
    assert [(path.name, why[:20]) for path, why in wish.failed] == [
        ("other.png", "The site has no post")
    ]


def test_a_sidecar_does_not_lead_to_this_computer(tmp_path: Path) -> None:
    """It may have come with an archive from anywhere."""
    with serving(Board("danbooru", [Entry(1, picture(1))])) as board:
        gathered(board, tmp_path)
        asked = len(board.asked)
        wish = Wish()
        refetched("", tmp_path, wish)
        assert len(board.asked) == asked
        assert "leads to this computer" in wish.failed[0][1]
        wish = Wish()
        refetched("", tmp_path, wish, board.root.removeprefix("http://"))
        assert wish.failed == []
