"""`recipe`, `runs` and `queue` from a shell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lib_lora_cook import cli
from lib_lora_cook.config_file import read_run

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LORA_COOK_HOME", str(tmp_path / "home"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "kafka"
    path.mkdir()
    for index in range(23):
        Image.new("RGB", (64 + index, 64)).save(path / f"{index:02}.png")
    return path


def told(capsys: Capture, *arguments: object) -> dict[str, Any]:
    assert cli.main([*map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_recipe_for_a_folder(tmp_path: Path, folder: Path, capsys: Capture) -> None:
    run = tmp_path / "run.toml"
    arguments = ("--kind", "character", "--base", "nai", "--trigger", "kafka", "--out", run)
    result = told(capsys, "recipe", folder, *arguments)
    config = read_run(run)
    assert config.model.clip_skip == 2
    assert config.subsets[0].num_repeats == 9
    assert (config.subsets[0].class_tokens, config.subsets[0].keep_tokens) == ("kafka", 1)
    assert config.save.output_name == "kafka"
    assert "# half the dim: steadier" in run.read_text("utf-8")
    assert result["plan"]["sum"].startswith("23 images × 9 repeats × 10 epochs ÷ 2 batch = ")
    left_out = [Path(it).name for it in result["plan"]["leave_out"]]
    assert left_out == ["00.png", "01.png", "02.png"], "the smallest three"


def test_runs_are_compared_and_cooked_again(tmp_path: Path, folder: Path, capsys: Capture) -> None:
    run, again = tmp_path / "run.toml", tmp_path / "again.toml"
    told(capsys, "recipe", folder, "--out", run)
    changes = ("network_dim=32", "output_name=kafka32", "optimizer_type = AdamW")
    told(capsys, "runs", "again", run, "--set", *changes, "--out", again)
    result = told(capsys, "runs", "compare", run, again)
    assert {it["setting"]: it["other"] for it in result["differences"]} == {
        "network_dim": 32, "output_name": "kafka32", "optimizer_type": "AdamW",
    }  # fmt: skip
    assert cli.main(["runs", "again", str(run), "--set", "dim", "--out", str(again)]) == 2


def test_the_queue(tmp_path: Path, folder: Path, capsys: Capture) -> None:
    run = tmp_path / "run.toml"
    told(capsys, "recipe", folder, "--out", run)
    told(capsys, "queue", "add", run, run)
    assert [it["id"] for it in told(capsys, "queue", "move", 2, 1)["queue"]] == [2, 1]
    told(capsys, "queue", "remove", 1)
    (entry,) = told(capsys, "queue", "start")["queue"]
    assert entry["state"] == "failed", "no WebUI is here, so there is no loaded model"
    assert "No WebUI is running here" in entry["why"]
    (tmp_path / "bad.toml").write_text("netwrk_dim = 3", encoding="utf-8")
    assert cli.main(["queue", "add", str(tmp_path / "bad.toml")]) == 2
    assert len(told(capsys, "queue", "list")["queue"]) == 1


def test_what_a_run_told_is_shown(tmp_path: Path, capsys: Capture) -> None:
    run = tmp_path / "kafka.toml"
    events: list[dict[str, Any]] = [
        {"event": "Step", "step": step, "epoch": 1, "loss": loss, "learning_rates": {"lr/unet": 1}}
        for step, loss in ((1, 0.5), (2, 0.3), (3, 0.4))
    ]
    events += [
        {"event": "EpochEnd", "step": 3, "epoch": 1},
        {"event": "Sampled", "step": 3, "epoch": 1, "pictures": ["a.png"]},
        {"event": "Scored", "step": 3, "epoch": 1, "merit": 0.7, "spread": 0.1,
         "measures": {"copy_risk": 0.2}, "best": 1},
    ]  # fmt: skip
    text = "".join(json.dumps(it) + "\n" for it in events)
    (tmp_path / "kafka.jsonl").write_text(text, encoding="utf-8")
    result = told(capsys, "runs", "history", run)
    assert result["loss"]["steps"] == [1, 2, 3]
    assert result["loss"]["raw"] == [0.5, 0.3, 0.4]
    assert result["loss"]["smoothed"][0] == 0.5
    assert result["learning_rates"] == {"lr/unet": {"steps": [1, 2, 3], "values": [1, 1, 1]}}
    assert (result["lowest"]["step"], result["lowest"]["epoch"]) == (2, 1)
    assert result["samples"] == ["a.png"]
    assert [(it["epoch"], it["merit"]) for it in result["scores"]] == [(1, 0.7)]
    assert cli.main(["runs", "history", str(run)]) == 0
    shown = capsys.readouterr().out
    assert "step 2" in shown and "epoch 1: merit 0.70 ± 0.10: copy_risk 0.20" in shown
    (tmp_path / "kafka.jsonl").write_text("", encoding="utf-8")
    assert told(capsys, "runs", "history", run)["lowest"] is None
