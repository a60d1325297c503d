"""The toy world is learnt: the new character's features come from her trigger alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.toy import CASES, changed, clean_dataset, measure
from lib_lora_cook.config import TrainingConfig


@pytest.mark.slow
@pytest.mark.timeout(1800)  # a minute and a half of a core; more where others have it too
def test_a_lora_learns_the_toy_world(tmp_path: Path) -> None:
    found = measure("LoRA", CASES["LoRA"], clean_dataset(tmp_path), tmp_path / "out")
    assert found.recall_without < 0.1
    assert found.recall_best >= 0.8


def test_every_case_is_made_of_settings() -> None:
    for case, changes in CASES.items():
        run = changed(TrainingConfig(), changes)
        groups = (run.network, run.optimizer, run.loop)
        for name, value in changes.items():
            found = [getattr(group, name) for group in groups if hasattr(group, name)]
            assert found == [value], case
