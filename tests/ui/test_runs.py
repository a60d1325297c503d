"""Runs on disk."""

from __future__ import annotations

import os
from pathlib import Path

from lib_lora_cook.ui.runs import scan_runs, spread


def make_run(folder: Path, name: str, *loras: str, age: float = 0.0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.toml"
    file.write_text("version = 1\n")
    os.utime(file, (1e9 - age, 1e9 - age))
    for lora in loras:
        (folder / f"{lora}.safetensors").touch()
    return file


def test_runs_are_found_newest_first_with_their_epochs_in_order(tmp_path: Path) -> None:
    make_run(tmp_path, "kafka", "kafka", "kafka-000002", "kafka-000001", "kafka-two", age=5)
    make_run(tmp_path / "old", "anna", "anna-000001", age=1)
    make_run(tmp_path, "nothing")
    (tmp_path / "downloaded.safetensors").touch()
    found = scan_runs([tmp_path, tmp_path / "old", tmp_path / "missing"])
    assert [run.name for run in found] == ["old/anna", "kafka"]
    assert [it.stem for it in found[1].loras] == ["kafka-000001", "kafka-000002", "kafka"]


def test_two_runs_of_one_name_are_told_apart(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        make_run(tmp_path / folder, "kafka", "kafka")
    names = [run.name for run in scan_runs([tmp_path / "a", tmp_path / "b"])]
    assert len(set(names)) == 2


def test_a_name_with_brackets_is_no_pattern(tmp_path: Path) -> None:
    make_run(tmp_path, "a[b].c", "a[b].c-000001", "ab.c-000002")
    assert [it.stem for it in scan_runs([tmp_path])[0].loras] == ["a[b].c-000001"]


def test_many_epochs_are_thinned_out_and_the_last_stays() -> None:
    loras = tuple(Path(f"x-{number:06d}") for number in range(1, 26))
    chosen = spread(loras, 5)
    assert len(chosen) == 5
    assert chosen[-1] == loras[-1]
    assert spread(loras[:3], 5) == list(loras[:3])
