"""The page without a mouse and without eyes: names of controls, the focus, dialogs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pages = pytest.importorskip("tests.ui.test_page_browser")
PATIENCE, Visitor = pages.PATIENCE, pages.Visitor
browser, fake = pages.browser, pages.fake

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not pages.CHROMIUM, reason="there is no chromium: set LORA_COOK_CHROMIUM"),
]

CONTROLS = "button, input, textarea, select, summary, a[href], [tabindex='0'], [role=dialog]"
NAMELESS = """(controls) => {
  const text = (id) => (document.getElementById(id) || { textContent: "" }).textContent;
  const named = (it) => [
    it.getAttribute("aria-label"),
    ...(it.getAttribute("aria-labelledby") || "").split(" ").map(text),
    ...Array.from(it.labels || [], (label) => label.textContent),
    it.title,
    it.matches("input, textarea, select, [role=dialog]") ? "" : it.textContent,
  ].some((told) => told && told.trim());
  const all = document.getElementById("lora_cook_page").querySelectorAll(controls);
  const meant = (it) => !it.closest(".lora_cook_hidden, #lora_cook_basis") && it.type !== "hidden";
  return Array.from(all).filter((it) => meant(it) && !named(it)).map((it) => it.outerHTML);
}"""
"""The controls that a screen reader could call nothing."""
INSIDE = "(dialog) => document.querySelector(dialog).contains(document.activeElement)"
SEEN = """() => {
  const all = [];
  for (let it = document.activeElement; it && it.id !== "lora_cook_page"; it = it.parentElement) {
    const style = getComputedStyle(it);
    all.push(style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1);
  }
  return all.slice(0, 3).some(Boolean) && document.activeElement !== document.body;
}"""
"""Whether the focus can be seen, on the control itself or close around it."""
HERE = "document.activeElement.outerHTML.slice(0, 300)"


def held(visitor: Any, dialog: str) -> None:
    """Tab, onwards and backwards, never leaves the dialog."""
    count = visitor.page.locator(dialog).locator("button, input, textarea").count()
    for key in ("Tab", "Shift+Tab"):
        for _ in range(count + 2):
            visitor.page.keyboard.press(key)
            assert visitor.page.evaluate(INSIDE, dialog)
            assert visitor.page.evaluate(SEEN)


def test_every_control_has_a_name_and_shows_the_focus(browser: Any, fake: str) -> None:
    visitor = Visitor(browser, fake)
    for step, fold in (("Gather", "bring_fold"), ("Clean", "pictures"), ("Tag", "finer"),
                       ("Cook", "settings"), ("Taste", "more_sweep")):  # fmt: skip
        visitor.open(step)
        visitor.unfold(fold)
        visitor.page.wait_for_timeout(300)
    visitor.unfold("log_fold")
    none = f"({NAMELESS})(`{CONTROLS}`).length === 0"
    try:
        visitor.page.wait_for_function(none, timeout=PATIENCE * 1000 / 4)
    except playwright.TimeoutError:
        pytest.fail(str(visitor.page.evaluate(NAMELESS, CONTROLS)))
    visitor.open("Gather")
    visitor.part("dataset").locator("input, textarea").first.focus()
    seen = 0
    while visitor.page.evaluate(INSIDE, "#lora_cook_page") and seen < 25:
        assert visitor.page.evaluate(SEEN), visitor.page.evaluate(HERE)
        visitor.page.keyboard.press("Tab")
        seen += 1
    assert seen > 10
    fold = visitor.part("own_fold").locator("button, .label-wrap").first
    fold.focus()
    visitor.page.keyboard.press("Enter")
    visitor.seen("bring_own")
    visitor.leave()


def test_a_dialog_holds_the_focus_and_gives_it_back(
    browser: Any, fake: str, tmp_path: Path
) -> None:
    visitor = Visitor(browser, fake)
    cell = visitor.show_pictures(tmp_path / "set").nth(2)
    cell.click()
    visitor.page.keyboard.press("z")
    zoom = visitor.page.locator(".lora_cook_zoom")
    zoom.wait_for(state="visible", timeout=PATIENCE * 1000)
    held(visitor, ".lora_cook_zoom")
    assert visitor.page.evaluate(NAMELESS, CONTROLS) == []
    visitor.page.keyboard.press("Escape")
    zoom.wait_for(state="detached", timeout=PATIENCE * 1000)
    playwright.expect(cell).to_be_focused(timeout=PATIENCE * 1000)
    visitor.leave()
