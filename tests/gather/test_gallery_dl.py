"""Other sites through gallery-dl, where it is; and what is said where it is not."""

from __future__ import annotations

import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from lib_lora_cook.config import GatherConfig
from lib_lora_cook.errors import UserError
from lib_lora_cook.gather import gallery_dl, search
from lib_lora_cook.gather.addresses import Refused, guard_for
from lib_lora_cook.gather.gallery_dl import (
    GalleryDl,
    Missing,
    find_program,
    install_program,
    search_address,
)
from lib_lora_cook.gather.gather import gather
from lib_lora_cook.gather.search import home_in
from lib_lora_cook.gather.web import SiteError, Web

from .board import Board, Entry, picture, serving

needs_it = pytest.mark.skipif(find_program(Path()) is None, reason="gallery-dl is not installed")

LISTED = """
DanbooruTagExtractor
Extractor for danbooru posts from tag searches
Category:  - Subcategory: tag
Example : https://e621.net/posts?tags=TAG

ZerochanTagExtractor
Extractor
Category: zerochan - Subcategory: tag
Example : https://www.zerochan.net/TAG

PixivUserExtractor
Extractor
Category: pixiv - Subcategory: user
Example : https://www.pixiv.net/en/users/12345
"""


def program(tmp_path: Path, body: str) -> list[str]:
    """A program that behaves like gallery-dl."""
    script = tmp_path / "program.py"
    script.write_text(body, encoding="utf-8")
    return [sys.executable, str(script)]


@pytest.mark.parametrize(
    ("site", "address"),
    [
        ("e621", "https://e621.net/posts?tags={query}"),
        ("Zerochan", "https://www.zerochan.net/{query}"),
        ("https://zerochan.net/anything", "https://www.zerochan.net/{query}"),
        ("https://x.example/find?{query}", "https://x.example/find?{query}"),
    ],
)
def test_the_search_of_a_site_is_found(site: str, address: str, tmp_path: Path) -> None:
    assert search_address(site, program(tmp_path, f"print({LISTED!r})")) == address


@pytest.mark.parametrize("site", ["pixiv", "nowhere", "https://nowhere.example/"])
def test_a_site_without_a_search_is_told(site: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="{query}"):
        search_address(site, program(tmp_path, f"print({LISTED!r})"))


def test_without_it_the_rest_works_and_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "find_program", lambda programs: None)
    with pytest.raises(Missing, match="--get-gallery-dl, or pip install gallery-dl"):
        search.open_search(GatherConfig(query="x", site="e621"), home_in(tmp_path))
    with serving(Board("danbooru", [Entry(1, picture(1))])) as board:
        config = GatherConfig(query="1girl", site=board.root)
        result = gather(config, tmp_path / "set", *search.open_search(config, home_in(tmp_path)))
    assert result.saved == 1


def test_it_is_found_as_a_module_or_a_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gallery_dl, "find_spec", lambda name: None)
    monkeypatch.setattr(gallery_dl.shutil, "which", lambda name: "/bin/gallery-dl")
    assert find_program(tmp_path) == ["/bin/gallery-dl"]
    monkeypatch.setattr(gallery_dl.shutil, "which", lambda name: None)
    assert find_program(tmp_path) is None


@pytest.mark.skipif(find_spec("pip") is None, reason="this Python has no pip")
def test_it_is_got_into_a_folder_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a folder with a tiny wheel of that name, by the real pip."""
    wheel, about = "gallery_dl-1.30.0-py3-none-any.whl", "gallery_dl-1.30.0.dist-info"
    with zipfile.ZipFile(tmp_path / wheel, "w") as packed:
        packed.writestr("gallery_dl/__main__.py", f"print({LISTED!r})")
        packed.writestr(
            f"{about}/METADATA", "Metadata-Version: 2.1\nName: gallery-dl\nVersion: 1.30.0\n"
        )
        tags = "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        packed.writestr(f"{about}/WHEEL", tags)
        packed.writestr(f"{about}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.delenv("INDEX_URL", raising=False)
    install_program(tmp_path / "programs")
    found = find_program(tmp_path / "programs")
    assert found is not None
    assert found[1].startswith(str(tmp_path))
    assert search_address("e621", found) == "https://e621.net/posts?tags={query}"
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "nothing"))
    with pytest.raises(UserError, match="could not be installed"):
        install_program(tmp_path / "others")


def board_of(board: Board, **more: Any) -> tuple[GalleryDl, Web]:
    """The board, read by the real program as one of the sites that it knows."""
    web = Web(guard_for([board.root]), interval=0)
    instance = {"local": {"root": board.root, "pattern": r"127\.0\.0\.1:\d+"}}
    found = find_program(Path())
    assert found is not None
    address = f"{board.root}/index.php?page=post&s=list&tags={{query}}"
    config = {"gelbooru_v02": instance, **more}
    return GalleryDl(board.root, address, web, found, config=config), web


@needs_it
def test_a_site_is_gathered_through_the_real_program(tmp_path: Path) -> None:
    posts = [Entry(id, picture(id)) for id in range(1, 31)]
    with serving(Board("gelbooru", posts, per_page=100)) as board:
        there, web = board_of(board)
        config = GatherConfig(query="1girl ^_^", site=board.root, limit=25)
        result = gather(config, tmp_path / "set", there, web)
    assert (result.saved, result.failed) == (25, [])
    captions = {path.read_text() for path in (tmp_path / "set").glob("*.txt")}
    assert captions == {
        "1girl, ^_^, kafka (honkai: star rail), honkai: star rail, some artist, highres"
    }


@needs_it
def test_a_long_search_comes_in_portions_and_its_troubles_are_told(tmp_path: Path) -> None:
    posts = [Entry(id, picture(id, (4, 4))) for id in range(1, 131)]
    with serving(Board("gelbooru", posts, per_page=100)) as board:
        there, _ = board_of(board, retries=0)
        pages = there.pages("1girl")
        assert len(next(pages)) == 100
        board.needs_keys = True
        with pytest.raises(SiteError, match="API key"):
            next(pages)
        board.needs_keys = False
        assert sum(map(len, there.pages("1girl"))) == 130


@needs_it
def test_the_real_program_reaches_no_other_server_of_this_computer(tmp_path: Path) -> None:
    with serving(Board("gelbooru", [Entry(1, picture(1))])) as board:
        there, web = board_of(board, retries=0)
        web.guard = guard_for([])
        with pytest.raises(Refused):
            list(there.pages("1girl"))
        assert board.asked == []


@pytest.mark.parametrize(
    ("log", "words"),
    [
        ("[x][error] HttpError: '401 Unauthorized'", "API key"),
        ("[x][error] '429 Too Many Requests'", "too often"),
        ("[gallery-dl][error] Unsupported URL 'x'", "{query}"),
        ("[x][error] something else", "something else"),
    ],
)
def test_its_complaints_are_told_in_words(log: str, words: str, tmp_path: Path) -> None:
    script = program(tmp_path, f"import sys; print({log!r}, file=sys.stderr)")
    there = GalleryDl("https://x.example", "https://x.example/{query}", Web(), script)
    with pytest.raises(UserError, match=words):
        list(there.pages("a"))


def test_keys_are_not_on_its_command_line(tmp_path: Path) -> None:
    body = (
        "import json, sys\nconfig = json.load(open(sys.argv[2]))\n"
        "assert 's3cret' not in ' '.join(sys.argv)\n"
        "tags = {'general': [config['extractor']['password']], 'artist': ['me']}\n"
        "post = {'id': 5, 'extension': 'png', 'tags': tags, 'rating': 's'}\n"
        "print(json.dumps([[2, {}], [3, 'https://x.example/5.png', post]]))\n"
    )
    keys = {"login": "me", "api_key": "s3cret"}
    there = GalleryDl(
        "https://x.example", "https://x.example/{query}", Web(), program(tmp_path, body), keys
    )
    ((post,),) = there.pages("a")
    assert post.tags == {"general": ("s3cret",), "artist": ("me",)}
    assert (post.id, post.extension, post.rating) == (5, ".png", "safe")
