"""Our section in the WebUI's settings."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

from tests.hosts.standins import webui


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    webui.install_webui(monkeypatch, tmp_path, lambda *any: None)
    return importlib.import_module("lib_lora_cook.hosts.settings")


def test_the_section_is_shown_and_what_is_chosen_counts(settings: Any) -> None:
    assert settings.SERVE.value() is True
    settings.add_section()
    opts = settings.shared.opts
    assert {it.section for it in opts.templates.values()} == {("lora_cook", "LoRA Cook")}
    assert all(it.label for it in opts.templates.values())
    opts.lora_cook_serve = False
    assert settings.SERVE.value() is False


def test_new_files_go_into_the_named_folder_and_no_further(settings: Any, tmp_path: Path) -> None:
    lora = tmp_path / "Lora"
    assert settings.first_values(lora) == {"output_dir": str(lora)}
    settings.shared.opts.lora_cook_subfolder = "mine/new"
    assert settings.first_values(lora) == {"output_dir": str(lora / "mine/new")}
    settings.shared.opts.lora_cook_subfolder = "../elsewhere"
    assert settings.first_values(lora) == {"output_dir": str(lora)}


def test_the_api_may_read_what_the_person_named(settings: Any, tmp_path: Path) -> None:
    assert settings.allowed_folders() == [tmp_path]
    settings.shared.opts.lora_cook_api_folders = "/data/pictures\n\n ~/more \n"
    assert settings.allowed_folders() == [
        tmp_path, Path("/data/pictures"), Path.home() / "more",
    ]  # fmt: skip
