"""Gather on the page: asked before fetched, chosen by a click, dropped, drawn, and keys kept."""

from __future__ import annotations

import json
import os
import stat
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from lib_lora_cook.ui.runner import Runner
from tests.gather.board import Board, Entry, picture, serving

from ..fake_host import FakeHost
from ..hostile import HOSTILE, is_plain

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of gradio's own age
    pytest.importorskip("gradio")

from lib_lora_cook.ui import texts
from lib_lora_cook.ui.bench import Bench, counted
from lib_lora_cook.ui.gather import previewing
from lib_lora_cook.ui.gather.tab import GatherHandlers, named_file

WAIT = 60.0


@pytest.fixture
def gather(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GatherHandlers:
    monkeypatch.setenv("LORA_COOK_HOME", str(tmp_path / "home"))
    return GatherHandlers(Bench(FakeHost(tmp_path / "home"), Runner()))


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> Iterator[Board]:
    """Five posts with small copies, on this computer."""
    monkeypatch.setattr("lib_lora_cook.gather.web.time.sleep", lambda seconds: None)
    made = Board("gelbooru", [Entry(it, picture(it)) for it in range(1, 6)])
    made.redirects = {f"/thumbnails/{it}.jpg": f"/images/{it}/{it}.png" for it in range(1, 5)}
    with serving(made) as served:
        yield served


def form(board: Board, **wishes: Any) -> list[Any]:
    filled = {
        "query": "1girl", "site": board.root, "limit": "", "min_size": "", "blacklist": "",
        "ratings": [], "categories": ["character"], "rating_tag": False, **wishes,
    }  # fmt: skip
    return list(filled.values())


def done(gather: GatherHandlers) -> Any:
    gather.bench.runner.wait(WAIT)
    snapshot = gather.bench.runner.snapshot()
    assert snapshot.state == "done", snapshot.error
    return snapshot


def test_the_total_and_small_copies_come_before_anything_is_saved(
    gather: GatherHandlers, board: Board, tmp_path: Path
) -> None:
    assert gather.on_preview(*form(board)) == ""
    assert done(gather).outcome.text.startswith("5 posts in all")
    told = gather.shown(counted(str(tmp_path / "set")))[2]
    assert (told.count("<figure"), told.count("data:image/jpeg")) == (5, 4)
    assert not (tmp_path / "set").exists()


def test_what_was_chosen_is_fetched_alone_with_the_tags_that_are_wanted(
    gather: GatherHandlers, board: Board, tmp_path: Path
) -> None:
    out = tmp_path / "set"
    said = json.dumps({"posts": ["2", "4"]})
    assert gather.on_search(said, str(out), *form(board, limit="1")) == ""
    assert "2 saved" in done(gather).outcome.text
    captions = {it.read_text(encoding="utf-8") for it in out.glob("*.txt")}
    assert captions == {"kafka (honkai: star rail)"}
    assert gather.on_search("", str(out), *form(board)) == ""
    assert "3 saved" in done(gather).outcome.text


def test_what_was_searched_for_is_there_the_next_time(gather: GatherHandlers, board: Board) -> None:
    gather.on_preview(*form(board, min_size="99"))
    assert gather.bench.recall("gather")["min_size"] == "99"
    assert "0" in done(gather).outcome.text


@pytest.mark.parametrize(
    ("wish", "words"),
    [({"limit": "<b>"}, texts.LIMIT), ({"min_size": "-1"}, texts.MIN_SIZE),
     ({"query": " "}, texts.NO_QUERY)],
)  # fmt: skip
def test_what_makes_no_sense_starts_nothing(
    gather: GatherHandlers, board: Board, wish: dict[str, str], words: str
) -> None:
    told = gather.on_preview(*form(board, **wish))
    assert words in told
    assert "<b>" not in told
    assert gather.bench.runner.snapshot().state == "idle"


def test_a_site_for_gallery_dl_says_where_to_get_that(
    gather: GatherHandlers, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lib_lora_cook.gather.search.find_program", lambda programs: None)
    gather.on_preview(*form(board, site="nowhere"))
    gather.bench.runner.wait(WAIT)
    assert texts.GET_GALLERY_DL in gather.bench.runner.snapshot().error
    assert texts.INSTALL_FIRST in gather.on_install(False)


def test_gallery_dl_is_got_once_the_person_is_sure(
    gather: GatherHandlers, monkeypatch: pytest.MonkeyPatch
) -> None:
    into: list[Path] = []
    monkeypatch.setattr("lib_lora_cook.ui.gather.gathering.install_program", into.append)
    assert gather.on_install(True) == ""
    assert done(gather).outcome.text == texts.INSTALLED
    assert into == [gather.home.programs]


def test_a_key_is_kept_where_only_its_owner_reads_it_and_never_shown(
    gather: GatherHandlers,
) -> None:
    told, emptied = gather.on_key("gelbooru", "42", "s3cret")
    assert "s3cret" not in told
    assert emptied == ""
    known = json.loads(gather.home.keys.read_text(encoding="utf-8"))
    assert known["gelbooru"]["api_key"] == "s3cret"
    if os.name == "posix":
        assert stat.S_IMODE(gather.home.keys.stat().st_mode) == 0o600
    assert "no site" in gather.on_key("<b>", "a", "b")[0]


def test_dropped_pictures_come_with_their_captions_and_zips_are_opened(
    gather: GatherHandlers, tmp_path: Path
) -> None:
    place = tmp_path / "uploads"
    dropped = []
    for folder, name, data in (
        ("1", "a.png", picture(1)), ("2", "a.txt", b"first"), ("3", "set.zip", b"")
    ):  # fmt: skip
        (place / folder).mkdir(parents=True)
        (place / folder / name).write_bytes(data)
        dropped.append(str(place / folder / name))
    with zipfile.ZipFile(dropped[2], "w") as packed:
        packed.writestr("in/b.png", picture(2))
        packed.writestr("in/b.txt", "second")
        packed.writestr("../../c.png", picture(3))
    out = tmp_path / "set"
    old = SimpleNamespace(name=dropped[0], orig_name="a.png")
    assert gather.on_bring(str(out), "", [old, *dropped[1:]]) == ""
    done(gather)
    found = {it.name: it.read_text(encoding="utf-8") for it in out.glob("*.txt")}
    assert found == {"a.txt": "first", "b.txt": "second"}
    assert not (tmp_path / "c.png").exists()


def test_a_dropped_name_has_no_folder() -> None:
    assert named_file("/x/y/a.png") == ("a.png", Path("/x/y/a.png"))
    assert named_file(SimpleNamespace(name="/x/1", orig_name="../../b.png"))[0] == "b.png"


def test_own_generations_are_chosen_by_prompt_and_model(
    gather: GatherHandlers, tmp_path: Path
) -> None:
    out, drawn = str(tmp_path / "set"), gather.bench.host.output_dirs[0]
    assert texts.NO_OUTPUTS in gather.on_own(out, "", "")
    drawn.mkdir(parents=True)
    for number, (prompt, model) in enumerate([("kafka", "a"), ("kafka", "b"), ("else", "a")]):
        info = PngImagePlugin.PngInfo()
        info.add_text("parameters", f"{prompt}\nSteps: 4, Seed: 1, Model: {model}")
        image = Image.effect_noise((32, 32), 50 + number)
        image.save(drawn / f"{number}.png", pnginfo=info)
    assert gather.on_own(out, "kafka", "a") == ""
    assert "1 saved" in done(gather).outcome.text
    assert [it.read_text(encoding="utf-8") for it in Path(out).glob("*.txt")] == ["kafka"]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_post_becomes_markup(text: str) -> None:
    post = {
        "post": text, "width": 1, "height": 1, "rating": text, "tags": {"general": (text,)},
    }  # fmt: skip
    assert is_plain(previewing.shown({"total": 1, "posts": [post]}, {}), text)
