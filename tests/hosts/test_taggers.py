"""The taggers that a host runs itself."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from lib_lora_cook.errors import UserError
from tests.hosts.standins import webui

RED = Image.new("RGBA", (64, 32), (255, 0, 0))


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    return webui.install_webui(monkeypatch, tmp_path, lambda *any: None)


def taggers(made: Any) -> dict[str, Any]:
    return importlib.import_module("lib_lora_cook.hosts.taggers").webui_taggers(made.lock)


def test_deepbooru_gives_every_tag_with_its_probability(made: Any) -> None:
    (tags,) = taggers(made)["DeepBooru"].predict([RED])
    assert (tags.general, tags.rating) == ({"red": 1.0}, {"safe": 0.0})
    assert tags.names() == ["red"]
    assert made.lock.owner == 0


def test_deepbooru_without_its_weights_says_so(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def start() -> None:
        raise IndexError("list index out of range")

    found = taggers(made)
    monkeypatch.setattr(importlib.import_module("modules.deepbooru").model, "start", start)
    with pytest.raises(UserError, match="DeepBooru could not be loaded"):
        found["DeepBooru"].predict([RED])
    assert made.lock.owner == 0


def test_the_interrogator_gives_one_sentence(made: Any) -> None:
    made.shared.interrogator = SimpleNamespace(interrogate=lambda image: f"a {image.mode} ball ")
    (tags,) = taggers(made)["BLIP (a sentence)"].predict([RED])
    assert tags.names() == ["a RGB ball"]
    made.shared.interrogator.interrogate = lambda image: "<error>"
    with pytest.raises(UserError, match="interrogator failed"):
        taggers(made)["BLIP (a sentence)"].predict([RED])


def test_the_wd14_extension_s_models_are_offered_where_it_is_installed(
    made: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "wd-v3" not in taggers(made)
    model = SimpleNamespace(interrogate=lambda image: ({"safe": 0.9}, {"red": 0.8, "blue": 0.1}))
    shown: dict[str, Any] = {}
    webui.install(monkeypatch, "tagger", __path__=[])
    webui.install(
        monkeypatch, "tagger.utils", interrogators=shown,
        refresh_interrogators=lambda: shown.update({"wd-v3": model}),
    )  # fmt: skip
    (tags,) = taggers(made)["wd-v3"].predict([RED])
    assert (tags.names(), tags.rating) == (["red"], {"safe": 0.9})


def test_forge_neo_has_no_taggers_of_its_own(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "modules.deepbooru")
    monkeypatch.delattr(made.shared, "interrogator")
    assert taggers(made) == {}
