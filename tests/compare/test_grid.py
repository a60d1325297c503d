"""The cells of a sweep."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from lib_lora_cook.compare.grid import Cell, epoch_of, sweep_cells
from lib_lora_cook.config import SweepConfig

CONFIG = SweepConfig(
    loras=("a.safetensors", "b.safetensors"), weights=(0.0, 0.5, 1.0), prompts=("x", "y"),
    seeds=(1, 2),
)  # fmt: skip


def test_every_epoch_meets_every_weight_and_prompt_once() -> None:
    cells = sweep_cells(CONFIG)
    assert len(cells) == len(set(cells)) == 2 + 2 * 2 * 2
    dressed = {(str(cell.lora), cell.weight, cell.prompt) for cell in cells if cell.lora}
    assert dressed == {
        (lora, weight, prompt) for lora in CONFIG.loras for weight in (0.5, 1.0) for prompt in "xy"
    }
    assert {cell.seeds for cell in cells} == {(1, 2)}


def test_weight_0_is_the_base_model_and_comes_once_a_prompt() -> None:
    bare = [cell for cell in sweep_cells(CONFIG) if cell.weight == 0]
    assert bare == [Cell(None, 0.0, "x", (1, 2)), Cell(None, 0.0, "y", (1, 2))]


def test_a_lora_is_put_on_once_a_weight() -> None:
    worn = [(cell.lora, cell.weight) for cell in sweep_cells(CONFIG)]
    changes = sum(one != two for one, two in pairwise(worn))
    assert changes == len(set(worn)) - 1


@pytest.mark.parametrize(("lora", "epoch"), [(None, 0), ("a.safetensors", 1), ("b.safetensors", 2)])
def test_epochs_count_from_1(lora: str | None, epoch: int) -> None:
    assert epoch_of(Path(lora) if lora else None, CONFIG.loras) == epoch


def test_without_loras_only_the_base_model_is_drawn() -> None:
    cells = sweep_cells(SweepConfig(prompts=("x",)))
    assert cells == [Cell(None, 0.0, "x", (1,))]
