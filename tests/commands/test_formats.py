"""`import` and `export` from a shell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lib_lora_cook import cli
from lib_lora_cook.config_file import read_run

Capture = pytest.CaptureFixture[str]


def test_import_writes_a_run_and_names_what_is_not_here(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "there" / "kafka").mkdir(parents=True)
    foreign = tmp_path / "there" / "config.toml"
    foreign.write_text(
        'network_dim = 8\nwidgets = 3\ntrain_data_dir = "kafka"\nxformers = true\n', "utf-8"
    )
    out = tmp_path / "runs" / "run.toml"
    assert cli.main(["import", str(foreign), "--out", str(out), "--json"]) == 0
    printed = capsys.readouterr()
    result = json.loads(printed.out)
    assert result["unknown"] == ["widgets"]
    assert "not here: widgets" in printed.err
    config = read_run(out)
    assert config.network.network_dim == 8
    assert Path(config.subsets[0].image_dir) == tmp_path / "there" / "kafka"


def test_an_optimizer_and_a_schedule_that_are_not_here(tmp_path: Path, capsys: Capture) -> None:
    foreign = tmp_path / "config.toml"
    foreign.write_text('optimizer_type = "Frobnicator"\nlr_scheduler = "rex"\n', "utf-8")
    assert cli.main(["import", str(foreign), "--out", str(tmp_path / "run.toml"), "--json"]) == 0
    unknown = json.loads(capsys.readouterr().out)["unknown"]
    assert unknown == ["lr_scheduler = rex", "optimizer_type = Frobnicator"]


def test_a_broken_file_changes_nothing(tmp_path: Path, capsys: Capture) -> None:
    foreign = tmp_path / "config.toml"
    foreign.write_text("network_dim = \n", "utf-8")
    assert cli.main(["import", str(foreign), "--out", str(tmp_path / "run.toml")]) == 2
    printed = capsys.readouterr()
    assert "line 1, column 15" in printed.err
    assert printed.err.count("\n") == 1
    assert not (tmp_path / "run.toml").exists()


def test_a_run_file_that_was_there_is_kept(tmp_path: Path, capsys: Capture) -> None:
    foreign = tmp_path / "config.toml"
    foreign.write_text("network_dim = 8\n", "utf-8")
    out = tmp_path / "run.toml"
    for text in ("mine", "mine too"):
        out.write_text(text, "utf-8")
        assert cli.main(["import", str(foreign), "--out", str(out)]) == 0
    assert "network_dim = 8" in out.read_text("utf-8")
    assert (tmp_path / "run.toml.1").read_text("utf-8") == "mine"
    assert (tmp_path / "run.toml.2").read_text("utf-8") == "mine too"
    assert "Not taken over: nothing" in capsys.readouterr().out


def test_export_writes_three_files(tmp_path: Path, capsys: Capture) -> None:
    run = tmp_path / "run.toml"
    run.write_text('version = 1\n[[subsets]]\nimage_dir = "kafka"\nnum_repeats = 3\n', "utf-8")
    out = tmp_path / "kohya"
    arguments = ["export", str(run), "--to", "kohya", "--out", str(out), "--sdxl", "--json"]
    assert cli.main(arguments) == 0
    result = json.loads(capsys.readouterr().out)
    names = {Path(path).name for path in result["files"]}
    assert names == {"config.toml", "dataset.toml", "command.txt"}
    assert "sdxl_train_network.py" in result["command"]
    assert (out / "command.txt").read_text("utf-8").strip() == result["command"]
