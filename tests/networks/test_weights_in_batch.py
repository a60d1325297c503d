"""A weight for each picture of a batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lib_lora_cook.config import ModelConfig
from lib_lora_cook.hosts.base import GenerateRequest
from tests.hosts.test_standalone import write_lora

REQUEST = GenerateRequest(
    ("a", "b"), (1, 2), steps=2, cfg_scale=2.0, width=64, height=64, negative_prompt="n"
)


@pytest.mark.parametrize("kind", ["LoRA", "LoCon", "LoHa", "LoKr"])
def test_a_batch_of_weights_is_what_one_weight_at_a_time_draws(
    tmp_path: Path, host: Any, sd1_folder: Path, kind: str
) -> None:
    config = ModelConfig(pretrained_model_name_or_path=str(sd1_folder), max_token_length=75)
    with host.borrow_model(config) as model:
        path = write_lora(tmp_path / "a.safetensors", model, kind)
    with host.open_wardrobe([path], config) as wardrobe:
        assert wardrobe.wears_several(path)
        wardrobe.wear(path, [0.5, 1.0])
        together = host.generate(REQUEST)
        alone = []
        for weight in (0.5, 1.0):
            wardrobe.wear(path, weight)
            alone.append(host.generate(REQUEST))
    for place in (0, 1):
        same, other = (
            np.abs(np.asarray(together[place], float) - np.asarray(it[place], float)).mean()
            for it in (alone[place], alone[1 - place])
        )
        assert same <= 0.1 < other


def test_dora_takes_one_weight_at_a_time(tmp_path: Path, host: Any, sd1_folder: Path) -> None:
    config = ModelConfig(pretrained_model_name_or_path=str(sd1_folder), max_token_length=75)
    with host.borrow_model(config) as model:
        path = write_lora(tmp_path / "a.safetensors", model, "DoRA")
    with host.open_wardrobe([path], config) as wardrobe:
        assert not wardrobe.wears_several(path)
