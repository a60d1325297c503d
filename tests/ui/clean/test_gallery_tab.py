"""The gallery's presses: which pictures the filter's form brings, and their pages."""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lib_lora_cook.dataset import gallery as cards
from lib_lora_cook.dataset import journal
from lib_lora_cook.ui.runner import Runner

from ..fake_host import FakeHost

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of gradio's own age
    pytest.importorskip("gradio")

from lib_lora_cook.ui import texts
from lib_lora_cook.ui.bench import Bench, desk_of
from lib_lora_cook.ui.clean.gallery_tab import GalleryHandlers

EVERYTHING = ([], "", "", "any", [], "0", "", "")


@pytest.fixture
def handlers(tmp_path: Path) -> GalleryHandlers:
    folder = tmp_path / "set"
    folder.mkdir()
    for name, size in (("large", (200, 150)), ("small", (120, 80)), ("tall", (60, 90))):
        Image.effect_noise(size, 90).convert("RGB").save(folder / f"{name}.png")
    Image.effect_noise((120, 80), 90).convert("RGB").save(folder / "small.webp")
    (folder / "small.txt").write_text("1girl, solo", encoding="utf-8")
    journal.apply_changes(folder, cards.plan_stars([cards.read_card(folder / "large.png")], 3))
    return GalleryHandlers(Bench(FakeHost(tmp_path / "home"), Runner()))


def shown(html: str) -> list[str]:
    return re.findall(r'data-name="([^"]*)"', html)


def asked(**wishes: Any) -> list[Any]:
    names = ("findings", "least", "most", "aspect", "ratings", "stars", "having", "lacking")
    return [*{**dict(zip(names, EVERYTHING, strict=True)), **wishes}.values()]


@pytest.mark.parametrize(
    ("wishes", "names"),
    [
        ({}, ["large.png", "small.png", "small.webp", "tall.png"]),
        ({"least": "100"}, ["large.png"]),
        ({"most": "100"}, ["small.png", "small.webp", "tall.png"]),
        ({"aspect": "upright"}, ["tall.png"]),
        ({"having": "1Girl"}, ["small.png", "small.webp"]),
        ({"lacking": "1girl"}, ["large.png", "tall.png"]),
        ({"lacking": "1girl", "aspect": "wide"}, ["large.png"]),
        ({"stars": "2"}, ["large.png"]),
        ({"having": "nothing"}, []),
    ],
)
def test_what_the_form_says_is_what_is_shown(
    handlers: GalleryHandlers, tmp_path: Path, wishes: dict[str, Any], names: list[str]
) -> None:
    folder = str(tmp_path / "set")
    assert shown(handlers.on_show(folder, *asked(**wishes))) == names
    turned = handlers.on_gallery(json.dumps({"act": "next", "page": 0}), folder)[0]
    assert shown(turned) == names


def test_tags_are_looked_up_as_the_editor_has_them(
    handlers: GalleryHandlers, tmp_path: Path
) -> None:
    folder = tmp_path / "set"
    (folder / "tall.txt").write_text("solo", encoding="utf-8")
    assert shown(handlers.on_show(str(folder), *asked(having="solo")))[-1] == "tall.png"
    (folder / "tall.txt").write_text("smile, again", encoding="utf-8")
    assert shown(handlers.on_show(str(folder), *asked(having="smile"))) == ["tall.png"]
    editor = desk_of(folder, handlers.bench).editor
    editor.write(0, "unsaved")
    assert shown(handlers.on_show(str(folder), *asked(having="unsaved"))) == ["large.png"]


def test_findings_are_asked_for_once_they_are_known(
    handlers: GalleryHandlers, tmp_path: Path
) -> None:
    told = handlers.on_show(str(tmp_path / "set"), *asked(findings=["blurred"]))
    assert texts.FIRST_LOOK in told
