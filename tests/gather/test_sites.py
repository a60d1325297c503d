"""Sites by name and by address; software is found by asking."""

from __future__ import annotations

from pathlib import Path

import pytest

from lib_lora_cook.gather.addresses import guard_for, split_url
from lib_lora_cook.gather.danbooru import Danbooru
from lib_lora_cook.gather.gelbooru import Gelbooru
from lib_lora_cook.gather.moebooru import Moebooru
from lib_lora_cook.gather.sites import (
    SITES,
    UnknownSite,
    known_site,
    open_board,
    root_of,
    short_name,
)
from lib_lora_cook.gather.web import SiteError, Web

from .board import Board, Entry, Handler, picture, serving

KINDS = {"danbooru": Danbooru, "gelbooru": Gelbooru, "moebooru": Moebooru}


@pytest.mark.parametrize("software", KINDS)
@pytest.mark.parametrize("json_only", [False, True])
def test_software_is_found_by_asking(software: str, json_only: bool, tmp_path: Path) -> None:
    board = Board(software, [Entry(1, picture(1))], json_only=json_only)
    with serving(board):
        web = Web(guard_for([board.root]))
        found = open_board(f"{board.root}/index.php?page=post", web, tmp_path / "keys.json")
    assert type(found) is KINDS[software]
    assert found.root == board.root


def test_a_site_that_wants_a_key_before_it_says_anything(tmp_path: Path) -> None:
    with serving(Board("gelbooru", [], needs_keys=True)) as board:
        web = Web(guard_for([board.root]))
        with pytest.raises(SiteError, match="who asks"):
            open_board(board.root, web, tmp_path / "keys.json")


def test_another_kind_of_server_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Handler, "danbooru", lambda self, path, query: False)
    with serving(Board("danbooru", [])) as board, pytest.raises(UnknownSite):
        open_board(board.root, Web(guard_for([board.root])), tmp_path / "keys.json")


def test_every_known_site_has_a_public_address_of_https() -> None:
    for name, site in SITES.items():
        for url in filter(None, (site.root, site.api)):
            assert split_url(url).scheme == "https"
        assert known_site(name) == known_site(f"{site.root}/posts?tags=x") == (name, site)
        assert site.software in KINDS


@pytest.mark.parametrize(
    ("url", "root"),
    [
        ("https://x.example", "https://x.example"),
        ("https://x.example/", "https://x.example"),
        ("https://x.example/posts?tags=a", "https://x.example"),
        ("http://x.example:81/booru/index.php?page=post", "http://x.example:81/booru"),
        ("https://x.example/post/show/5", "https://x.example"),
    ],
)
def test_the_root_of_any_page(url: str, root: str) -> None:
    assert root_of(url) == root


@pytest.mark.parametrize(
    ("site", "name"),
    [("gelbooru", "gelbooru"), ("https://gelbooru.com/x", "gelbooru"), ("http://[::1]:8/", "1")],
)
def test_names_for_files(site: str, name: str) -> None:
    assert short_name(site) == name
