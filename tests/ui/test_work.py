"""What the buttons start, as far as it needs no model."""

from __future__ import annotations

from pathlib import Path

from lib_lora_cook.config import SubsetConfig, TrainingConfig
from lib_lora_cook.ui import work


def test_problems_of_a_run_name_missing_folders_too(tmp_path: Path) -> None:
    config = TrainingConfig(subsets=(SubsetConfig(image_dir=str(tmp_path / "none")),))
    found = work.training_problems(config)
    assert len(found) == 1
    assert "there is no such folder" in found[0]
    assert work.is_folder(SubsetConfig(image_dir="a\0b")) is False
