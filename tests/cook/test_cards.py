"""What a run tells of its files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lib_lora_cook.config import BucketConfig, SubsetConfig, TrainingConfig
from lib_lora_cook.cook.cards import activation_text, card_of, trial_of
from lib_lora_cook.models.trainable import SDXL


def pictures(*captions: str, is_reg: bool = False) -> list[Any]:
    subset = SubsetConfig(is_reg=is_reg)
    return [SimpleNamespace(caption=it, subset=subset) for it in captions]


@pytest.mark.parametrize(
    ("captions", "text"),
    [
        (["xyz, red", "xyz, blue"], "xyz"),
        (["xyz, red", "red, xyz"], ""),
        (["", "xyz"], ""),
        (["a whole sentence."], "a whole sentence."),
    ],
)
def test_the_tag_that_all_captions_begin_with_calls_it(captions: list[str], text: str) -> None:
    config = TrainingConfig(subsets=(SubsetConfig(image_dir="x"),))
    found = [*pictures(*captions), *pictures("anything", is_reg=True)]
    assert activation_text(config, found) == text
    named = replace(config, subsets=(SubsetConfig(image_dir="x", class_tokens="mizu"),))
    assert activation_text(named, found) == "mizu"


def test_the_card_of_an_epoch(tmp_path: Path) -> None:
    model: Any = SimpleNamespace(checkpoint="toy.safetensors", family=SDXL)
    config = TrainingConfig()
    run: Any = SimpleNamespace(config=config, model=model, pictures=pictures("xyz"))
    card = card_of(run, 3, 120)
    assert (card.activation_text, card.family) == ("xyz", "sdxl")
    assert card.notes.startswith("Epoch 3, step 120; 1 pictures; LoRA of dim ")
    assert card.notes.endswith("trained on toy.safetensors")


def test_a_trial_is_small_and_of_the_run_s_shape() -> None:
    config = TrainingConfig(bucket=BucketConfig(resolution=(1024, 100)))
    trial = trial_of(config, "xyz")
    assert (trial.prompts, trial.width, trial.height) == (("xyz",), 512, 64)
