"""Files come whole or not at all, and only from where they may."""

from __future__ import annotations

from pathlib import Path

import pytest

from lib_lora_cook.errors import UserError
from lib_lora_cook.gather.addresses import Refused, guard_for
from lib_lora_cook.gather.download import BadFile, Fetcher
from lib_lora_cook.gather.posts import Post
from lib_lora_cook.gather.web import Web

from .board import Board, Entry, picture, serving


def fetcher(board: Board, folder: Path, largest: int = 1 << 20) -> Fetcher:
    web = Web(guard_for([board.root]), sleep=lambda seconds: None)
    return Fetcher(web, folder / "incoming", largest)


def post_of(board: Board, entry: Entry, md5: bool = True, url: str = "") -> Post:
    return Post(entry.id, url or board.file_url(entry), md5=entry.md5 if md5 else "")


def test_what_a_kill_has_left_is_gone_on_with(tmp_path: Path) -> None:
    entry = Entry(1, picture(1, (200, 200)))
    with serving(Board("danbooru", [entry])) as board:
        there = fetcher(board, tmp_path)
        there.folder.mkdir()
        (there.folder / f"{entry.md5}.part").write_bytes(entry.data[:5000])
        assert there.fetch(post_of(board, entry)).read_bytes() == entry.data
        assert board.ranges == ["bytes=5000-"]
        there.fetch(post_of(board, entry))  # whole already: nothing is asked
        assert board.times["/images/1/1.png"] == 1


def test_a_wrong_rest_is_thrown_away(tmp_path: Path) -> None:
    entry = Entry(1, picture(1, (200, 200)))
    with serving(Board("danbooru", [entry])) as board:
        there = fetcher(board, tmp_path)
        there.folder.mkdir()
        for rest in (b"x" * 5000, b"x" * len(entry.data), b"x" * (len(entry.data) + 9)):
            (there.folder / f"{entry.md5}.part").write_bytes(rest)
            assert there.fetch(post_of(board, entry)).read_bytes() == entry.data


@pytest.mark.parametrize("trouble", ["cut", "short"])
def test_a_file_without_md5_must_be_a_whole_picture(tmp_path: Path, trouble: str) -> None:
    entry = Entry(1, picture(1, (200, 200)), always=trouble)
    with serving(Board("danbooru", [entry])) as board:
        there = fetcher(board, tmp_path)
        with pytest.raises(BadFile):
            there.fetch(post_of(board, entry, md5=False))
        entry.always = ""
        assert there.fetch(post_of(board, entry, md5=False)).read_bytes() == entry.data


def test_a_large_file_is_not_read_to_its_end(tmp_path: Path) -> None:
    entry = Entry(1, b"\0" * 8_000_000)
    with serving(Board("danbooru", [entry])) as board:
        there = fetcher(board, tmp_path, 100_000)
        with pytest.raises(BadFile, match="larger than the limit"):
            there.fetch(post_of(board, entry))
        assert there.received < 1_000_000


def test_a_file_elsewhere_on_this_computer_is_refused(tmp_path: Path) -> None:
    entry = Entry(1, picture(1))
    with serving(Board("danbooru", [entry])) as other, serving(Board("danbooru", [entry])) as board:
        there = fetcher(board, tmp_path)
        board.redirects["/images/1/1.png"] = other.file_url(entry)
        for url in (other.file_url(entry), "", "file:///etc/passwd", "http://169.254.169.254/"):
            with pytest.raises(Refused):
                there.fetch(post_of(board, entry, url=url))
        assert other.asked == []
        assert list((tmp_path / "incoming").iterdir()) == []


def test_an_odd_page_is_no_reason_to_fail(tmp_path: Path) -> None:
    with serving(Board("danbooru", [Entry(1, picture(1))])) as board:
        for page in ("https://x.example/名前\r\nX: 1", "nothing", "https://\0/"):
            post = Post(page, board.file_url(board.entries[0]), page=page)
            assert fetcher(board, tmp_path).fetch(post).is_file()


def test_names_from_the_server_do_not_leave_the_folder(tmp_path: Path) -> None:
    with serving(Board("danbooru", [Entry(1, picture(1))])) as board:
        there = fetcher(board, tmp_path)
        post = Post("../../../evil", board.file_url(board.entries[0]))
        assert there.fetch(post).parent == there.folder
    with pytest.raises(UserError):
        there.fetch(Post("..", "http://127.0.0.1:1/x"))
