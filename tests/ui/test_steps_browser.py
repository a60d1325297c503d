"""Gather, Clean and Tag in a real browser: what their main actions do, by mouse and keys."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.gather.board import Board, Entry, picture, serving

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pages = pytest.importorskip("tests.ui.test_page_browser")
PATIENCE, Visitor = pages.PATIENCE, pages.Visitor
browser, fake = pages.browser, pages.fake
GOING_ON = re.compile(r"\d:\d\d left")
"""Time left: said of present work alone."""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not pages.CHROMIUM, reason="there is no chromium: set LORA_COOK_CHROMIUM"),
]


def test_posts_are_chosen_by_a_click_and_fetched_alone(
    browser: Any, fake: str, tmp_path: Path
) -> None:
    board = Board("gelbooru", [Entry(it, picture(it)) for it in range(1, 6)])
    board.redirects = {f"/thumbnails/{it}.jpg": f"/images/{it}/{it}.png" for it in range(1, 6)}
    with serving(board):
        visitor = Visitor(browser, fake)
        visitor.choose(tmp_path / "mine")
        visitor.unfold("search_fold")
        visitor.fill("query", "1girl")
        visitor.fill("site", board.root)
        visitor.press("preview", "Show what it finds")
        posts = visitor.page.locator(".lora_cook_posts figure")
        playwright.expect(posts).to_have_count(5, timeout=PATIENCE * 1000)
        assert not (tmp_path / "mine").exists()
        posts.nth(1).click()
        posts.nth(3).focus()
        visitor.page.keyboard.press("Enter")
        visitor.until("preview_list", "2 chosen")
        visitor.press("get", "Get the pictures")
        visitor.until("now", "2 saved")
        visitor.until("gather_found", "2 pictures, 2 with a caption")
    visitor.leave()


def test_a_download_waits_goes_on_without_a_page_and_is_stopped(
    browser: Any, fake: str, tmp_path: Path
) -> None:
    board = Board("gelbooru", [Entry(it, picture(it)) for it in range(1, 101)], slow=0.6)
    folder = tmp_path / "mine"
    with serving(board):
        visitor = Visitor(browser, fake)
        visitor.choose(folder)
        visitor.unfold("search_fold")
        visitor.fill("query", "1girl")
        visitor.fill("site", board.root)
        visitor.press("get", "Get the pictures")
        visitor.until("now", GOING_ON)
        visitor.press("pause", "Pause")
        visitor.until("now", "paused")
        visitor.page.wait_for_timeout(1500)  # those that were on their way
        there = len(list(folder.glob("*.png")))
        visitor.page.reload()
        visitor.arrive()
        visitor.until("now", "paused")
        assert len(list(folder.glob("*.png"))) == there < 100
        visitor.press("pause", "Go on")
        visitor.until("now", GOING_ON)
        visitor.leave()
        again = Visitor(browser, fake)
        again.press("stop", "Stop")
        again.until("now", "stopped, what was reached is kept")
        assert len(list(folder.glob("*.png"))) >= there
        again.leave()


def test_copies_boxes_the_past_and_the_trash(browser: Any, fake: str, tmp_path: Path) -> None:
    visitor = Visitor(browser, fake)
    visitor.choose(tmp_path / "mine")
    visitor.press("gather_propose", "Draw the toy world")
    visitor.press("gather_propose", "Go on to Clean")
    visitor.press("clean_propose", "Look ")
    visitor.until("clean_propose", "Mend what is ticked")
    assert not visitor.part("mends").get_by_label("blurred").is_checked()
    visitor.unfold("copies")
    visitor.press("show_copies", "Show the copies")
    visitor.page.locator('#lora_cook_copies_view [data-act="keeper"]').first.click()
    visitor.until("copies_told", "copy.png stays now")
    visitor.unfold("pictures")
    visitor.press("show_pictures", "Show the pictures")
    visitor.part("gallery_view").locator("figure").nth(2).click()
    visitor.page.keyboard.press("z")
    large = visitor.page.locator(".lora_cook_canvas img")
    large.wait_for(state="visible", timeout=PATIENCE * 1000)
    frame = large.bounding_box()
    mouse = visitor.page.mouse
    for left, right in ((0.1, 0.4), (0.6, 0.9)):
        mouse.move(frame["x"] + left * frame["width"], frame["y"] + 0.1 * frame["height"])
        mouse.down()
        mouse.move(frame["x"] + right * frame["width"], frame["y"] + 0.9 * frame["height"], steps=4)
        mouse.up()
    assert visitor.page.locator(".lora_cook_boxes").input_value().count(";") == 1
    visitor.page.locator('[data-say="zoom"][data-act="cut"]').click()
    visitor.until("gallery_told", "is cut into 2")
    assert len(list((tmp_path / "mine").glob("*.png"))) == 33
    visitor.until("clean_propose", "Look 33 pictures over")
    visitor.unfold("history")
    visitor.page.locator('#lora_cook_past [data-to="0"]').click()
    visitor.until("past", "taken back")
    assert len(list((tmp_path / "mine").glob("*.png"))) == 32
    visitor.press("empty_trash", "Empty the trash")
    visitor.until("past_told", "Tick the line")
    visitor.leave()


def test_captions_are_filtered_written_in_place_undone_and_saved(
    browser: Any, fake: str, tmp_path: Path
) -> None:
    visitor = Visitor(browser, fake)
    visitor.choose(tmp_path / "mine")
    visitor.press("gather_propose", "Draw the toy world")
    visitor.until("gather_propose", "Go on to Clean")
    visitor.open("Tag")
    visitor.unfold("editor")
    visitor.press("edit_open", "Show captions")
    caption = visitor.page.locator("textarea[data-row]").first
    caption.click()
    visitor.page.keyboard.press("End")
    visitor.page.keyboard.type(", tag 29")
    offered = visitor.page.locator('[data-complete="tag 29"][aria-selected="true"]')
    offered.wait_for(state="visible", timeout=PATIENCE * 1000)
    visitor.page.keyboard.press("Enter")
    visitor.page.keyboard.press("Shift+Tab")
    visitor.until("edit_head", "1 not saved yet")
    visitor.page.locator(".lora_cook_chip").filter(has_text="tag 29").first.click()
    playwright.expect(visitor.part("edit_head")).to_contain_text(
        re.compile(r"(?<!\d)2 captions of 32"), timeout=PATIENCE * 1000
    )
    visitor.fill("edit_first", "kafka")
    visitor.press("edit_look", "Show the difference")
    visitor.until("edit_view", "2 captions would change")
    visitor.press("edit_apply", "Do it")
    visitor.until("edit_told", "2 captions changed in memory")
    visitor.press("edit_undo", "Undo")
    visitor.until("edit_told", "Taken back: trigger first")
    (tmp_path / "mine" / "00.txt").write_text("theirs", encoding="utf-8")
    visitor.press("edit_save", "Save")
    visitor.until("edit_told", "Another program has changed 1")
    visitor.page.locator('[data-say="editor"][data-act="ours"]').click()
    visitor.until("edit_told", "1 caption written")
    read = (tmp_path / "mine" / "00.txt").read_text(encoding="utf-8")
    assert read.endswith(("tag 29,", "tag 29"))
    assert visitor.part("page").locator("[onclick], [onerror]").count() == 0
    visitor.leave()


def test_captions_come_from_other_files_and_go_into_kohya_s(
    browser: Any, fake: str, tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    for name, text in {"a": "kafka, <b>solo</b>", "b": "smile"}.items():
        (folder / f"{name}.png").write_bytes(picture(len(text)))
        (folder / f"{name}.caption").write_text(text, encoding="utf-8")
    visitor = Visitor(browser, fake)
    visitor.fill("dataset", str(folder))
    visitor.until("gather_found", "2 pictures")
    visitor.open("Tag")
    visitor.unfold("other")
    visitor.press("other_look", "Show the difference")
    visitor.until("other_told", "2 captions would change")
    visitor.until("other_told", "kafka, <b>solo</b>")
    assert list(folder.glob("*.txt")) == []
    visitor.press("other_read", "Read captions in")
    visitor.until("now", "2 captions written")
    read = [path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.txt"))]
    assert read == ["kafka, <b>solo</b>", "smile"]
    visitor.pick("other_kind", "kohya's metadata")
    visitor.press("other_write", "Write captions out")
    visitor.until("now", "2 captions written into metadata.json")
    written = json.loads((folder / "metadata.json").read_bytes())
    assert written[str(folder / "b.png")]["tags"] == "smile"
    visitor.pick("other_kind", "the pictures' names")
    visitor.press("other_write", "Write captions out")
    visitor.until("other_told", "Captions cannot be written into names")
    visitor.leave()
