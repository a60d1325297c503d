"""Other ways to write a setting: each ends as the setting that is here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lib_lora_cook.config import learning_rates
from lib_lora_cook.config_file import config_of


@pytest.mark.parametrize(
    ("table", "rates"),
    [
        ({"unet_lr": 1.0, "text_encoder_lr": 0.5}, (1.0, 0.5, 0.5)),
        ({"unet_lr": 1.0, "text_encoder_lr": [0.5, 0.25]}, (1.0, 0.5, 0.25)),
        ({"unet_lr": 1.0, "text_encoder_lr": [0.5]}, (1.0, 0.5, 0.5)),
        ({"unet_lr": 1.0, "text_encoder_lr1": 0.5, "text_encoder_lr2": 0.1}, (1.0, 0.5, 0.1)),
        ({"unet_lr": 1, "learning_rate_te1": 2, "learning_rate_te2": 3}, (1.0, 2.0, 3.0)),
        ({"learning_rate": 1.0, "network_train_unet_only": True}, (1.0, 0.0, 0.0)),
        ({"text_encoder_lr": 1.0, "train_text_encoder_only": True}, (0.0, 1.0, 1.0)),
        ({"learning_rate": 1.0, "network_train_unet_only": False}, (1.0, 1.0, 1.0)),
    ],
)
def test_learning_rates(table: dict[str, Any], rates: tuple[float, ...]) -> None:
    config, wrong = config_of(table, Path())
    assert (tuple(learning_rates(config.optimizer)), wrong) == (rates, [])


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("down_lr_weight", [0, 0.5, 1], "0,0.5,1"), ("mid_lr_weight", 0.5, "0.5"),
        ("up_lr_weight", "sine+.1", "sine+.1"), ("block_dims", [4, 8], "4,8"),
        ("lr_warmup_steps", "5%", 0.05), ("lr_warmup_steps", "100", 100.0),
    ],
)  # fmt: skip
def test_lists_and_shares(key: str, value: Any, expected: Any) -> None:
    config, wrong = config_of({key: value}, Path())
    groups = (config.network, config.optimizer)
    assert [getattr(it, key) for it in groups if hasattr(it, key)] == [expected]
    assert wrong == []


@pytest.mark.parametrize(
    "table",
    [
        {"network_train_unet_only": "yes"}, {"text_encoder_lr": [1, 2, 3]},
        {"lr_warmup_steps": "a few"}, {"down_lr_weight": True},
    ],
)  # fmt: skip
def test_what_is_no_other_spelling_is_told(table: dict[str, Any]) -> None:
    _, wrong = config_of(table, Path())
    assert len(wrong) == 1 and next(iter(table)) in wrong[0]
