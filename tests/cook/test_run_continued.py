"""A run that goes on from a LoRA file, from the settings to the file it writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from lib_lora_cook.errors import UserError
from lib_lora_cook.networks.weights import read_file
from tests.tiny_runs import cook_tiny, tiny_run

SHORT = {"max_train_epochs": 1, "save_precision": "float"}


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, host: Any, sd1_folder: Path) -> Path:
    """A LoCon of rank 3 with convolutions of rank 2, of the UNet and the text encoder."""
    folder = tmp_path_factory.mktemp("first")
    config = tiny_run(
        folder, sd1_folder, network_type="LoCon", network_dim=3, network_alpha=1.5, conv_dim=2,
        conv_alpha=1.0, **SHORT,
    )  # fmt: skip
    return cook_tiny(config, host).cooked.loras[-1]


@pytest.mark.parametrize(
    ("rates", "kept"), [({"text_encoder_lr": 0.0}, "lora_te_"), ({"unet_lr": 0.0}, "lora_unet_")]
)
def test_a_part_that_is_not_trained_is_in_the_new_file_as_it_was(
    tmp_path: Path, host: Any, sd1_folder: Path, first: Path, rates: dict[str, float], kept: str
) -> None:
    config = tiny_run(
        tmp_path, sd1_folder, network_type="LoCon", network_weights=str(first),
        network_dropout=0.1, **SHORT, **rates,
    )  # fmt: skip
    path = cook_tiny(config, host).cooked.loras[-1]
    (before, _), (after, told) = read_file(first), read_file(path)
    assert before.keys() == after.keys()
    same = {name for name, value in before.items() if torch.equal(value, after[name])}
    ups = {name for name in before if "lora_up" in name}
    assert same & ups == {name for name in ups if name.startswith(kept)}
    assert (told["ss_network_dim"], told["ss_network_alpha"]) == ("3", "1.5")
    arguments = json.loads(told["ss_network_args"])
    assert (arguments["conv_dim"], arguments["conv_alpha"]) == ("2", "1.0")
    assert told["ss_optimizer"] == "torch.optim.adamw.AdamW"


def test_a_file_of_another_kind_is_refused_before_the_model_is_borrowed(
    tmp_path: Path, first: Path
) -> None:
    config = tiny_run(tmp_path, tmp_path, network_type="LoHa", network_weights=str(first), **SHORT)
    nobody: Any = None
    with pytest.raises(UserError, match="is a LoCon, and network_type is LoHa"):
        cook_tiny(config, nobody)


def test_a_file_of_another_family_is_refused_before_a_picture_is_encoded(
    tmp_path: Path, host: Any, sdxl_folder: Path, first: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lib_lora_cook.cook.run.LatentStore", None)
    config = tiny_run(tmp_path, sdxl_folder, network_weights=str(first), **SHORT)
    with pytest.raises(UserError, match="not in this model, such as lora_te_.* SD1 or SD2"):
        cook_tiny(config, host)
    assert not list(tmp_path.rglob("*.safetensors"))
