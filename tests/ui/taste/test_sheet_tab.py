"""Presses on the cells of a sheet."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("gradio")

from lib_lora_cook.compare.actions import TRASH
from lib_lora_cook.config import SubsetConfig, TrainingConfig
from lib_lora_cook.config_file import run_text
from lib_lora_cook.ui.bench import Bench
from lib_lora_cook.ui.runner import Outcome, Runner
from lib_lora_cook.ui.taste.sheet_tab import KEEP, SheetHandlers

from ..fake_host import FakeHost
from .test_sheet import tray

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def sheets(tmp_path: Path) -> SheetHandlers:
    """A run of two epochs whose sheet is drawn."""
    host = FakeHost(tmp_path)
    found = tray(tmp_path)
    loras = tuple(host.lora_dir / it for it in found.loras)
    for path in loras:
        path.touch()
    config = TrainingConfig(subsets=(SubsetConfig(image_dir="x"),))
    (host.lora_dir / "kafka.toml").write_text(run_text(config), encoding="utf-8")
    tiles = tuple(replace(it, lora=it.lora and host.lora_dir / it.lora) for it in found.tiles)
    shown = replace(found, loras=loras, tiles=tiles)
    runner = Runner()

    def work(job: Any) -> Outcome:
        job.lay_out(shown)
        return Outcome("drawn", sheet=tmp_path / "sheet.png")

    runner.start("Tasting", work)
    runner.wait(20)
    return SheetHandlers(Bench(host, runner))


def said(act: str, cell: int) -> str:
    return json.dumps({"act": act, "cell": str(cell)})


def test_a_cell_opens_and_closes(sheets: SheetHandlers) -> None:
    large, told, under, *_ = sheets.on_said(said("open", 3), 0, [])
    assert "epoch 1, weight 1" in large
    assert (told, under) == ("", 0)
    assert sheets.on_said(said("close", 3), 0, [])[0] == ""
    assert sheets.on_said(said("open", 99), 0, [])[0] == ""
    assert sheets.on_said("{", 0, [])[0] == ""


def test_a_cell_is_laid_over_another(sheets: SheetHandlers) -> None:
    large, told, under, *_ = sheets.on_said(said("under", 3), 0, [])
    assert (large, under) == ("", 3)
    assert "epoch 1, weight 1" in told
    large, _, under, *_ = sheets.on_said(said("open", 5), under, [])
    assert "last epoch, weight 1 over epoch 1, weight 1" in large
    assert under == 0


def test_an_epoch_is_kept_and_the_others_come_back(sheets: SheetHandlers) -> None:
    folder = sheets.bench.host.lora_dir
    _, told, _, taken, run, files = sheets.on_said(said("keep", 5), 0, [])
    assert "kafka stays; the others (1)" in told
    assert [it.name for it in folder.glob("*.safetensors")] == ["kafka.safetensors"]
    assert (folder / TRASH / "kafka-000001.safetensors").is_file()
    assert (run, files["choices"]) == ("kafka", ["kafka.safetensors"])
    *_, files = sheets.on_said(said("back", 5), 0, taken)
    assert files["choices"] == ["kafka-000001.safetensors", "kafka.safetensors"]
    assert len(list(folder.glob("*.safetensors"))) == 2


def test_a_name_that_is_taken_moves_nothing(sheets: SheetHandlers) -> None:
    folder = sheets.bench.host.lora_dir
    (folder / TRASH).mkdir()
    (folder / TRASH / "kafka-000001.safetensors").touch()
    _, told, _, _, run, _ = sheets.on_said(said("keep", 5), 0, [])
    assert "There is a file of that name" in told
    assert run == KEEP
    assert len(list(folder.glob("*.safetensors"))) == 2
