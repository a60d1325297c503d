"""What the person draws with is what we draw with."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

from lib_lora_cook.config import SAMPLERS
from lib_lora_cook.hosts.base import GenerateRequest
from tests.hosts.standins import webui

LAST = "a girl\nSteps: 31, Sampler: Euler a, Schedule type: Karras, CFG scale: 5.5, Seed: 7"


@pytest.fixture
def txt2img(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    webui.install_webui(monkeypatch, tmp_path, lambda *any: None)
    return importlib.import_module("lib_lora_cook.hosts.txt2img")


def request(**more: Any) -> GenerateRequest:
    return GenerateRequest(("a",), (1,), **more)


def test_nothing_known(txt2img: Any) -> None:
    assert txt2img.chosen(request()) == {"steps": 20, "cfg_scale": 7.0}


def test_forge_classic_is_asked_for_no_scheduler(
    txt2img: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    processing = importlib.import_module("modules.processing")
    monkeypatch.delattr(processing.StableDiffusionProcessing, "scheduler")
    asked = request(sampler="DPM++ 2M Karras", scheduler="Karras")
    assert txt2img.chosen(asked) == {
        "steps": 20, "cfg_scale": 7.0, "sampler_name": "DPM++ 2M Karras",
    }  # fmt: skip


def test_the_tab_s_first_values(txt2img: Any, tmp_path: Path) -> None:
    shown = {
        "customscript/sampler.py/txt2img/Sampling method/value": "DPM++ 2M",
        "txt2img/CFG Scale/value": 6,
    }
    (tmp_path / "ui-config.json").write_text(json.dumps(shown))
    assert txt2img.chosen(request()) == {
        "steps": 20, "cfg_scale": 6.0, "sampler_name": "DPM++ 2M",
    }  # fmt: skip


def test_the_last_picture_s_values_count_for_more_and_a_request_s_for_most(
    txt2img: Any, tmp_path: Path
) -> None:
    (tmp_path / "ui-config.json").write_text('{"txt2img/CFG Scale/value": 6}')
    (tmp_path / "params.txt").write_text(LAST)
    used = {"steps": 31, "cfg_scale": 5.5, "sampler_name": "Euler a", "scheduler": "Karras"}
    assert txt2img.chosen(request()) == used
    assert txt2img.chosen(request(steps=4, sampler="DDIM")) == {
        **used, "steps": 4, "sampler_name": "DDIM",
    }  # fmt: skip


def test_kohya_s_samplers_have_the_host_s_names(txt2img: Any) -> None:
    assert all(txt2img.named(name) != name for name in SAMPLERS)
    assert txt2img.named("k_euler_a") == "Euler a"
    assert txt2img.named("UniPC") == "UniPC"


def test_a_broken_file_is_no_file(txt2img: Any, tmp_path: Path) -> None:
    (tmp_path / "ui-config.json").write_text("{")
    (tmp_path / "params.txt").write_text("a\nSteps: many, CFG scale: 4")
    assert txt2img.chosen(request()) == {"steps": 20, "cfg_scale": 4.0}
