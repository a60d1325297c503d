"""The cells of a sweep: epoch x weight x prompt x seed. Pure values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from ..config import SweepConfig


@dataclass(frozen=True)
class Cell:
    """One place of the sheet: pictures of one prompt with one LoRA at one weight."""

    lora: Path | None
    """None is the base model, which every LoRA at weight 0 is."""
    weight: float
    prompt: str
    seeds: tuple[int, ...]


def sweep_cells(config: SweepConfig) -> list[Cell]:
    """Every cell, a LoRA at a time, so that each is put on once a weight.

    Weight 0 is drawn once a prompt: there every epoch is the base model.
    """
    base = [
        Cell(None, 0.0, prompt, config.seeds) for prompt in config.prompts if 0.0 in config.weights
    ]
    dressed = [weight for weight in config.weights if weight != 0.0]
    return base + [
        Cell(Path(lora), weight, prompt, config.seeds)
        for lora, weight, prompt in product(config.loras, dressed, config.prompts)
    ]


def epoch_of(lora: Path | None, loras: Sequence[str]) -> int:
    """The place of a LoRA file among the sweep's, from 1; 0 for the base model."""
    return 0 if lora is None else [Path(name) for name in loras].index(lora) + 1
