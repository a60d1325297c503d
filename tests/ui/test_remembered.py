"""What was typed, kept over a restart."""

from __future__ import annotations

from pathlib import Path

import pytest

from lib_lora_cook.ui.remembered import page_file, read_remembered, write_remembered


def test_both_forms_are_kept_apart(tmp_path: Path) -> None:
    write_remembered(tmp_path / "new", "training", {"unet_lr": "5e-4", "flip_aug": True})
    write_remembered(tmp_path / "new", "sweep", {"weights": "0,1", "odd": [1]})
    assert read_remembered(tmp_path / "new", "training") == {"unet_lr": "5e-4", "flip_aug": True}
    assert read_remembered(tmp_path / "new", "sweep") == {"weights": "0,1"}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"training": 3}', "\x00"])
def test_a_broken_file_is_as_none(tmp_path: Path, text: str) -> None:
    page_file(tmp_path).write_text(text)
    assert read_remembered(tmp_path, "training") == {}
    write_remembered(tmp_path, "training", {"seed": "1"})
    assert read_remembered(tmp_path, "training") == {"seed": "1"}


def test_a_folder_that_cannot_be_made_only_forgets(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    write_remembered(tmp_path / "file" / "below", "training", {"seed": "1"})
    assert read_remembered(tmp_path / "file" / "below", "training") == {}
