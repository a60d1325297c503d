"""The page in a real browser: the newcomer's way by the proposed buttons, and what may happen.

LORA_COOK_CHROMIUM names the browser where it is not `chromium`; LORA_COOK_PAGE_PYTHON the Pythons,
each with another gradio, that serve the page without a model.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from lib_lora_cook.ui.page import SCRIPTS, read_asset

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = os.environ.get("LORA_COOK_CHROMIUM") or shutil.which("chromium") or ""
PYTHONS = (os.environ.get("LORA_COOK_PAGE_PYTHON") or sys.executable).split(os.pathsep)
GRADIOS_OWN = (
    "https://cdnjs.cloudflare.com/ajax/libs/iframe-resizer/",
    "https://fonts.googleapis.com",
    "https://fonts.gstatic.com",
)
"""What gradio 3 and 4 ask for in every page of theirs, a WebUI's own too."""
TAB_HEADS = "#lora_cook_tabs [role=tab]:visible, #lora_cook_tabs > .tab-nav > button:visible"
"""Of gradio 4 and later, which measures a second row of them unseen; of gradio 3."""
ROOT = Path(__file__).parents[2]
PATIENCE = 90.0
LONG = 500.0
"""Seconds that anything may take here, and that a run or a sheet may."""
pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM, reason="there is no chromium: set LORA_COOK_CHROMIUM"),
]


@contextmanager
def served(command: list[str], home: Path) -> Iterator[str]:
    """The address of a page that answers, for as long as the block lasts."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    line = [it.format(port=port, home=home) for it in command]
    environment = {
        **os.environ,
        "LORA_COOK_HOME": str(home),
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
    }
    with open(home / "server.log", "w") as log, subprocess.Popen(
        line, cwd=ROOT, env=environment, stdout=log, stderr=log
    ) as server:  # fmt: skip
        try:
            address = f"http://127.0.0.1:{port}/"
            end = time.monotonic() + PATIENCE
            while not answers(address):
                log_text = (home / "server.log").read_text(encoding="utf-8")
                assert server.poll() is None and time.monotonic() < end, log_text
                time.sleep(0.3)
            yield address
        finally:
            server.terminate()
            try:
                server.wait(PATIENCE)  # a page that does not end when it is asked to is a mistake
            finally:
                server.kill()


def answers(address: str) -> bool:
    """Whether a page is there."""
    with suppress(urllib.error.URLError, OSError), urllib.request.urlopen(address, timeout=5):
        return True
    return False


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Visitor:
    """A person at the page; `foreign` are requests to other servers, `wrong` errors in the page."""

    def __init__(self, browser: Any, address: str, width: int = 1280) -> None:
        self.page = browser.new_page(viewport={"width": width, "height": 900})
        self.foreign: list[str] = []
        self.wrong: list[str] = []
        own = (address, "data:", "blob:", *GRADIOS_OWN)
        self.page.on(
            "request",
            lambda it: None if it.url.startswith(own) else self.foreign.append(it.url),
        )
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.goto(address)
        self.arrive()

    def arrive(self) -> None:
        """Wait until the page is there and shows what the server remembers."""
        self.seen("gather_propose")
        beat = self.page.locator("#lora_cook_beat [data-beat]")
        beat.first.wait_for(state="attached", timeout=PATIENCE * 1000)

    def part(self, name: str) -> Any:
        """One of our elements; gradio 3 gives some of them their id twice."""
        return self.page.locator(f"#lora_cook_{name}").first

    def seen(self, name: str) -> None:
        """Wait until it can be seen."""
        self.part(name).wait_for(state="visible", timeout=PATIENCE * 1000)

    def until(self, name: str, text: str | re.Pattern[str], seconds: float = PATIENCE) -> None:
        """Wait until it says this."""
        playwright.expect(self.part(name)).to_contain_text(text, timeout=seconds * 1000)

    def choose(self, folder: Path) -> None:
        """Make a folder the dataset."""
        self.fill("dataset", str(folder))
        self.until("gather_found", "empty")

    def fill(self, name: str, text: str) -> None:
        """Type into a field, and leave it."""
        field = self.part(name).locator("input, textarea").first
        field.fill(text)
        field.blur()

    def pick(self, name: str, label: str) -> None:
        """Choose from a list that opens."""
        self.part(name).locator("input").first.click()
        self.page.get_by_test_id("dropdown-option").filter(has_text=label).first.click()

    def unfold(self, name: str) -> None:
        """Open a fold, and wait until gradio has filled what is in it: 6 makes it only then."""
        self.part(name).locator("button, .label-wrap").first.click()
        self.page.wait_for_timeout(500)

    def show_pictures(self, folder: Path) -> Any:
        """The toy world drawn into a new dataset, and its pictures opened; the gallery's cells."""
        self.choose(folder)
        self.press("gather_propose", "Draw the toy world")
        self.press("gather_propose", "Go on to Clean")
        self.unfold("pictures")
        self.press("show_pictures", "Show the pictures")
        return self.part("gallery_view").locator("figure")

    def open(self, step: str) -> None:
        """Go to a step by its tab."""
        heads = self.page.locator(TAB_HEADS)
        heads.filter(has_text=re.compile(rf"^\s*{step}\s*$")).first.click()

    def leave(self) -> None:
        """Close the window, in which nothing may have gone wrong."""
        assert self.foreign == []
        assert self.wrong == []
        self.page.close()

    def press(self, name: str, label: str) -> None:
        """Press a button once it says this and can be pressed."""
        self.until(name, label)
        playwright.expect(self.part(name)).to_be_enabled(timeout=PATIENCE * 1000)
        self.part(name).click()


def go_to_cook(visitor: Visitor, draw: str) -> None:
    """From an empty folder to Cook by the proposed buttons."""
    visitor.press("gather_propose", draw)
    visitor.press("gather_propose", "Go on to Clean")
    visitor.press("clean_propose", "Look ")
    visitor.press("clean_propose", "Mend what is ticked")
    visitor.press("clean_propose", "Go on to Tag")


@pytest.fixture(scope="module", params=PYTHONS)
def fake(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A page without a model, of one gradio after another."""
    script = str(Path(__file__).with_name("serve_page.py"))
    home = tmp_path_factory.mktemp("page")
    with served([request.param, script, "{port}", "{home}"], home) as address:
        yield address


def test_the_proposed_buttons_lead_from_a_dirty_folder_to_a_picked_epoch(
    browser: Any, fake: str
) -> None:
    visitor = Visitor(browser, fake)
    go_to_cook(visitor, "Draw the toy world")
    visitor.press("tag_propose", "Prune 1 tag and put kafka first")
    visitor.press("tag_propose", "Go on to Cook")
    visitor.until("plan", "÷ 2 batch")
    visitor.press("start", "Start cooking")
    visitor.until("now", "LoRA files", LONG)
    visitor.until("curve", "Loss over")
    visitor.open("Taste")
    visitor.until("tray", "the pick", LONG)  # drawn by itself when the run ended
    visitor.until("pick", "The pick: kafka")
    visitor.page.locator(".lora_cook_cell").last.click()
    loupe = visitor.page.locator(".lora_cook_loupe")
    loupe.wait_for(state="visible")
    visitor.page.keyboard.press("ArrowLeft")
    playwright.expect(loupe).to_have_attribute("aria-label", re.compile(r"weight 0\.8"))
    loupe.get_by_text("Lay another one over it").click()
    loupe.wait_for(state="detached")
    visitor.page.locator(".lora_cook_cell").first.click()
    playwright.expect(loupe.locator("img")).to_have_count(2)
    visitor.page.keyboard.press("Escape")
    loupe.wait_for(state="detached")
    visitor.press("draw", "Draw the sheet")
    visitor.until("now", "Tasting kafka: done", LONG)
    visitor.leave()


def test_a_run_survives_a_reload_and_is_seen_in_a_second_window(
    browser: Any, fake: str, tmp_path: Path
) -> None:
    visitor = Visitor(browser, fake)
    visitor.open("Cook")
    visitor.fill("image_dir", str(tmp_path))
    visitor.fill("output_name", "himeko")
    visitor.fill("max_train_epochs", "90")
    visitor.press("start", "Start cooking")
    visitor.until("now", "Cooking himeko")
    visitor.press("pause", "Pause")
    visitor.page.reload()
    visitor.arrive()
    visitor.until("now", "paused")
    other = Visitor(browser, fake, width=400)
    other.until("now", "paused")
    assert other.page.evaluate("document.documentElement.scrollWidth") <= 400
    other.press("pause", "Go on")
    visitor.until("now", "left")
    visitor.press("stop", "Stop")
    for window in (visitor, other):
        window.until("now", "stopped")
        window.leave()


def test_a_refused_input_is_told_in_one_sentence_and_nothing_starts(
    browser: Any, fake: str
) -> None:
    visitor = Visitor(browser, fake)
    visitor.open("Cook")
    visitor.fill("network_dim", "<b>much</b>")
    visitor.press("start", "Start cooking")
    visitor.until("problems", "network_dim is '<b>much</b>'")
    assert visitor.part("problems").locator("b").count() == 0
    playwright.expect(visitor.part("stop")).to_be_hidden()
    # What differs from the recipe is marked, and a press puts it back.
    visitor.part("network_dim").locator(".lora_cook_back").click()
    playwright.expect(visitor.part("network_dim").locator("input, textarea")).to_have_value("16")
    visitor.leave()


def test_settings_are_found_and_runs_wait_in_the_queue(
    browser: Any, fake: str, tmp_path: Path
) -> None:
    visitor = Visitor(browser, fake)
    visitor.open("Cook")
    visitor.unfold("settings")
    visitor.fill("search", "offset")
    visitor.part("noise_offset").wait_for(state="visible")
    visitor.part("seed").wait_for(state="hidden")
    visitor.fill("image_dir", str(tmp_path))
    visitor.fill("output_name", "waits")
    visitor.unfold("queue")
    visitor.press("queue_add", "Add this run")
    visitor.until("queue_list", "waits")
    visitor.press("queue_remove", "Remove")
    visitor.until("queue_list", "Nothing waits")
    visitor.leave()


def test_the_gallery_is_worked_by_keys_and_takes_no_name_for_markup(
    browser: Any, fake: str, tmp_path: Path
) -> None:
    visitor = Visitor(browser, fake)
    cell = visitor.show_pictures(tmp_path / "set")
    cell.first.click()
    visitor.page.keyboard.press("ArrowRight")
    visitor.page.keyboard.press("5")
    visitor.until("gallery_view", "★★★★★")
    visitor.page.keyboard.press("d")
    visitor.until("gallery_told", "in the trash")
    assert len(list((tmp_path / "set").glob("*.png"))) == 31
    visitor.page.keyboard.press("u")
    visitor.until("gallery_told", "taken back")
    assert len(list((tmp_path / "set").glob("*.png"))) == 32
    visitor.page.keyboard.press("z")
    visitor.page.locator(".lora_cook_zoom").wait_for(state="visible")
    visitor.page.keyboard.press("Escape")
    visitor.page.locator(".lora_cook_zoom").wait_for(state="detached")
    assert visitor.part("page").locator("[onclick], [onerror]").count() == 0
    visitor.leave()


@pytest.mark.timeout(3 * LONG)
def test_a_newcomer_comes_from_a_dirty_folder_to_a_picked_epoch(
    browser: Any, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "lib_lora_cook", "ui", "--port", "{port}", "--home", "{home}"]
    with served(command, tmp_path) as address:
        visitor = Visitor(browser, address)
        go_to_cook(visitor, "Draw the toy world")
        visitor.press("tag_propose", "Tag ")
        visitor.press("tag_propose", "and put mizuhoshi first")
        visitor.press("tag_propose", "Go on to Cook")
        visitor.seen("start")
        # Fewer epochs than are proposed: the way is what is tried here, not the LoRA.
        visitor.fill("max_train_epochs", "3")
        visitor.press("start", "Start cooking")
        visitor.until("now", "LoRA files after", 2 * LONG)
        visitor.open("Taste")
        visitor.until("pick", "he pick: mizuhoshi", LONG)
        visitor.leave()
    assert list((tmp_path / "loras").glob("mizuhoshi*.safetensors"))


def test_in_the_head_of_a_webui_s_page_the_scripts_find_what_comes_later(browser: Any) -> None:
    page, errors = browser.new_page(), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    scripts = "".join(f"<script>{read_asset(it)}</script>" for it in SCRIPTS)
    body = '<div id="lora_cook_sheet_zoom"></div>'
    source = f"<!doctype html><html><head>{scripts}</head><body>{body}</body></html>"
    page.goto(f"data:text/html;base64,{b64encode(source.encode()).decode()}")
    large = '<div class="lora_cook_loupe" tabindex="-1"></div>'
    page.evaluate(f"document.getElementById('lora_cook_sheet_zoom').innerHTML = `{large}`")
    page.wait_for_function("document.activeElement.className === 'lora_cook_loupe'")
    assert errors == []
    page.close()
