"""Whole searches against boards on this computer: everything that can be fetched is, once."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from lib_lora_cook.config import GatherConfig
from lib_lora_cook.dataset import journal
from lib_lora_cook.dataset.changes import plan_convert, plan_trash
from lib_lora_cook.dataset.images import scan_subset
from lib_lora_cook.errors import UserError
from lib_lora_cook.gather import gather as gathering
from lib_lora_cook.gather.gather import Gathered, gather, preview
from lib_lora_cook.gather.search import home_in, open_search
from lib_lora_cook.jobs import Cancelled, Job, null_job

from .board import KEY, USER, Board, Entry, picture, serving, troubled

SOFTWARE = ("gelbooru", "danbooru", "moebooru")
QUERY = "kafka_(honkai:_star_rail)"


def search(
    board: Board, out: Path, dry_run: bool = False, job: Job = null_job, **wishes: Any
) -> Gathered:
    """A search without long pauses."""
    wishes = {"query": QUERY, "site": board.root, "max_megabytes": 1.0, **wishes}
    config = GatherConfig(**wishes)
    there, web = open_search(config, home_in(out.parent), job)
    web.sleep = lambda seconds: None
    return gather(config, out, there, web, dry_run)


def contents(folder: Path) -> dict[str, bytes]:
    """The dataset's own files."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def pictures(folder: Path) -> dict[str, bytes]:
    return {n: data for n, data in contents(folder).items() if not n.endswith((".txt", ".json"))}


@pytest.mark.parametrize("software", SOFTWARE)
def test_everything_that_can_be_fetched_is_once(software: str, tmp_path: Path) -> None:
    out = tmp_path / "set"
    with serving(troubled(software)) as board:
        result = search(board, out)
        found = pictures(out)
    hidden = {13} if software == "danbooru" else set()
    gone = {9, 10, 12, 3} | hidden  # post 8, the newer one, has the file of post 3
    expected = [it for it in board.entries if it.id not in gone]
    assert {hashlib.md5(data).hexdigest() for data in found.values()} == {it.md5 for it in expected}
    assert result.found == 45
    assert result.saved == len(found) == len(expected)
    assert dict(result.skipped) == {gathering.SEEN: 1, "no picture (.webm)": 1}
    assert {post for post, _ in result.failed} == {9, 10} | hidden
    why = dict(result.failed)
    assert "md5" in why[9]
    assert "limit of 1 MB" in why[10]
    assert not (out / ".lora_cook" / "incoming").exists()
    assert max(board.times[f"/images/{it.id}/{it.id}.png"] for it in expected) <= 2


@pytest.mark.parametrize("software", SOFTWARE)
def test_captions_and_sidecars(software: str, tmp_path: Path) -> None:
    out = tmp_path / "set"
    with serving(Board(software, [Entry(7, picture(7))])) as board:
        search(board, out)
    stem = "127-0-0-1_7"
    assert set(contents(out)) == {f"{stem}.png", f"{stem}.txt", f"{stem}.json"}
    assert (out / f"{stem}.txt").read_text() == "kafka (honkai: star rail), 1girl, ^_^"
    origin = json.loads((out / f"{stem}.json").read_text())
    assert origin["site"] == board.root
    assert (origin["post"], origin["artist"]) == (7, ["some_artist"])
    assert origin["source"] == "https://x/1"
    assert origin["md5"] == board.entries[0].md5
    assert origin["tags"]["copyright"] == ["honkai:_star_rail"]


@pytest.mark.parametrize("rude", [False, True])
@pytest.mark.parametrize("tag_list", ["names", "name", "page", "none"])
def test_a_gelbooru_s_categories_however_it_tells_them(
    tag_list: str, rude: bool, tmp_path: Path
) -> None:
    posts = [Entry(1, picture(1)), Entry(2, picture(2), tags=f"{QUERY} 1girl long_hair highres")]
    with serving(Board("gelbooru", posts, tag_list=tag_list, rude=rude)) as board:
        search(board, tmp_path / "set", categories=("general", "artist"), rating_tag=True)
    caption = (tmp_path / "set" / "127-0-0-1_2.txt").read_text()
    everything = "kafka (honkai: star rail), 1girl, long hair, highres, general"
    assert caption == (everything if tag_list == "none" else "1girl, long hair, general")


def test_the_json_of_gelbooru_0_2_has_no_count_and_is_read_to_its_end(tmp_path: Path) -> None:
    posts = [Entry(id, picture(id)) for id in range(1, 8)]
    with serving(Board("gelbooru", posts, per_page=3, json_only=True)) as board:
        assert search(board, tmp_path / "set").saved == 7


@pytest.mark.parametrize("software", SOFTWARE)
def test_a_second_run_fetches_nothing(software: str, tmp_path: Path) -> None:
    with serving(troubled(software, 15)) as board:
        first = search(board, tmp_path / "set")
        before = contents(tmp_path / "set")
        asked = len([it for it in board.asked if it.startswith("/images/")])
        again = search(board, tmp_path / "set")
        assert again.saved == 0
        assert again.skipped[gathering.SEEN] == first.saved + 1
        assert contents(tmp_path / "set") == before
        new = [it for it in board.asked if it.startswith("/images/")][asked:]
    assert all("/9/" in it or "/10/" in it for it in new)


def test_undo_takes_a_whole_search_back(tmp_path: Path) -> None:
    out = tmp_path / "set"
    with serving(troubled("danbooru", 30)) as board:
        search(board, out)
        (line,) = journal.undo(out)
        assert "gather: 25 taken back" in line
        assert contents(out) == {}
        assert search(board, out).saved == 25


def test_what_was_thrown_away_or_edited_does_not_come_back(tmp_path: Path) -> None:
    out = tmp_path / "set"
    posts = [Entry(id, picture(id, kind="BMP"), name=f"{id}.bmp") for id in range(1, 4)]
    with serving(Board("danbooru", posts)) as board:
        search(board, out)
        journal.apply_changes(out, plan_trash([out / "127-0-0-1_1.bmp"]))
        journal.apply_changes(out, plan_convert(scan_subset(out)))
        before = contents(out)
        again = search(board, out)
    assert (again.saved, again.skipped[gathering.SEEN]) == (0, 3)
    assert contents(out) == before
    assert set(pictures(out)) == {"127-0-0-1_2.png", "127-0-0-1_3.png"}


def test_a_limit_a_selection_and_filters(tmp_path: Path) -> None:
    posts = [Entry(id, picture(id)) for id in range(1, 31)]
    posts[29].tags += " blood"
    posts[28].rating = "e"
    posts[27].size = (24, 4)
    with serving(Board("danbooru", posts, per_page=4)) as board:
        wishes = {"blacklist": ("blood 1girl",), "ratings": ("general",), "min_size": 10}
        some = search(board, tmp_path / "a", limit=5, **wishes)
        assert set(pictures(tmp_path / "a")) == {f"127-0-0-1_{id}.png" for id in range(23, 28)}
        assert (some.found, some.saved) == (30, 5)
        assert sum(some.skipped.values()) == 3
        again = search(board, tmp_path / "a", limit=5, **wishes)
        assert (again.saved, len(pictures(tmp_path / "a"))) == (0, 5)
        chosen = search(board, tmp_path / "b", posts=("4", "9"))
        assert (chosen.saved, sum(chosen.skipped.values())) == (2, 0)
        assert set(pictures(tmp_path / "b")) == {"127-0-0-1_4.png", "127-0-0-1_9.png"}


@pytest.mark.parametrize("software", SOFTWARE)
def test_a_preview_tells_the_total_and_fetches_nothing(software: str, tmp_path: Path) -> None:
    with serving(Board(software, [Entry(id, picture(id)) for id in range(1, 31)])) as board:
        config = GatherConfig(query=QUERY, site=board.root)
        there, _ = open_search(config, home_in(tmp_path))
        seen = preview(config, there, 5)
        assert not [it for it in board.asked if it.startswith("/images/")]
    assert seen["total"] == 30
    assert [it["post"] for it in seen["posts"]] == [30, 29, 28, 27, 26]


def test_a_dry_run_changes_nothing(tmp_path: Path) -> None:
    with serving(troubled("moebooru", 15)) as board:
        result = search(board, tmp_path / "set", dry_run=True)
        assert not (tmp_path / "set").exists()
        assert not [it for it in board.asked if it.startswith("/images/")]
    assert result.saved == 0
    assert len(result.changes) == 13  # all but the film and the double


@pytest.mark.parametrize("software", ["gelbooru", "danbooru"])
def test_keys_come_from_the_file_and_a_missing_one_is_told(software: str, tmp_path: Path) -> None:
    posts = [Entry(1, picture(1))]
    with serving(Board(software, posts, needs_keys=True)) as board:
        with pytest.raises(UserError, match="who asks.*API key") as told:
            search(board, tmp_path / "set")
        assert not (tmp_path / "set").exists()
        keys = {"user_id": USER, "login": USER, "api_key": KEY}
        (tmp_path / "keys.json").write_text(json.dumps({board.root: keys}))
        assert search(board, tmp_path / "set").saved == 1
        bad = {**keys, "api_key": "wrong-key"}
        (tmp_path / "keys.json").write_text(json.dumps({board.root: bad}))
        with pytest.raises(UserError, match="who asks") as told:
            search(board, tmp_path / "set")
    assert "wrong-key" not in str(told.value)


class Noted(Job):
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.reports: list[tuple[int, int, str]] = []

    def log(self, message: str) -> None:
        self.lines.append(message)

    def report(self, done: int, total: int, text: str = "") -> None:
        self.reports.append((done, total, text))


def test_progress_has_an_end_and_a_speed_and_waits_are_told(tmp_path: Path) -> None:
    posts = [Entry(1, picture(1), troubles=["429"]), Entry(2, picture(2), troubles=["503"])]
    job = Noted()
    with serving(Board("danbooru", posts, api_troubles=[503])) as board:
        search(board, tmp_path / "set", job=job)
    assert [it[:2] for it in job.reports] == [(1, 2), (2, 2)]
    assert "MB/s" in job.reports[-1][2]
    assert sum("too often (429)" in line and "waiting" in line for line in job.lines) == 1
    assert sum("busy or out of order (503)" in line for line in job.lines) == 2


def test_a_site_that_goes_away_ends_it_and_keeps_what_came(tmp_path: Path) -> None:
    posts = [Entry(id, picture(id), always="503" if id < 20 else "") for id in range(1, 31)]
    with serving(Board("danbooru", posts)) as board:
        result = search(board, tmp_path / "set")
        assert result.saved == 11
        assert "does not answer" in result.stopped
        assert [post for post, _ in result.failed] == [19, 18, 17]
        assert "later" in result.failed[0][1]
        for post in posts:
            post.always = ""
        assert search(board, tmp_path / "set").saved == 19


class Impatient(Noted):
    @property
    def cancelled(self) -> bool:
        return len(self.reports) >= 10


def test_cancelling_keeps_what_came(tmp_path: Path) -> None:
    with serving(Board("danbooru", [Entry(id, picture(id)) for id in range(1, 31)])) as board:
        with pytest.raises(Cancelled):
            search(board, tmp_path / "set", job=Impatient())
        assert len(pictures(tmp_path / "set")) == 10
        search(board, tmp_path / "set")
    assert len(pictures(tmp_path / "set")) == 30


def test_no_posts_are_no_mistake(tmp_path: Path) -> None:
    with serving(Board("moebooru", [Entry(1, picture(1))])) as board:
        result = search(board, tmp_path / "set", query="nothing_of_this")
    assert (result.found, result.saved, result.failed) == (0, 0, [])


def test_a_broken_download_goes_on_where_it_stopped(tmp_path: Path) -> None:
    data = picture(1, (200, 100))
    with serving(Board("danbooru", [Entry(1, data, troubles=["cut"])])) as board:
        assert search(board, tmp_path / "set").saved == 1
        assert board.ranges == [f"bytes={len(data) // 2}-"]
    assert pictures(tmp_path / "set") == {"127-0-0-1_1.png": data}


@pytest.mark.parametrize("wish", [{"limit": -1}, {"ratings": ("mild",)}, {"categories": ("x",)}])
def test_a_senseless_search_is_a_mistake(wish: dict[str, Any], tmp_path: Path) -> None:
    with serving(Board("danbooru", [Entry(1, picture(1))])) as board, pytest.raises(UserError):
        search(board, tmp_path / "set", **wish)
    assert not (tmp_path / "set").exists()


def test_names_do_not_clash_with_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "127-0-0-1_1.txt").write_text("mine")
    with serving(Board("danbooru", [Entry(1, picture(1))])) as board:
        assert search(board, tmp_path / "set").saved == 1
    assert (tmp_path / "set" / "127-0-0-1_1.txt").read_text() == "mine"
    assert (tmp_path / "set" / "127-0-0-1_1_2.png").is_file()
