"""What is written for sd-scripts comes back as the same run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import toml

from lib_lora_cook.config import (
    NetworkConfig,
    OptimizerConfig,
    SubsetConfig,
    TrainingConfig,
)
from lib_lora_cook.config_file import config_of
from lib_lora_cook.formats.export import export_run
from lib_lora_cook.formats.read import read_foreign

RUN = TrainingConfig(
    subsets=(
        SubsetConfig(image_dir="/data/3_kafka", keep_tokens=1, shuffle_caption=True),
        SubsetConfig(image_dir="/data/reg", num_repeats=2, is_reg=True, class_tokens="1girl"),
    ),
    optimizer=OptimizerConfig(
        optimizer_args=["weight_decay=0.1", "betas=0.9,0.99"], unet_lr=5e-4, text_encoder_lr=1e-4,
        lr_scheduler="cosine_with_restarts", lr_scheduler_num_cycles=3, lr_warmup_steps=0.05,
    ),
)  # fmt: skip


@pytest.mark.parametrize(
    "network",
    [
        {},
        {"network_type": "LoCon", "conv_dim": 8, "conv_alpha": 4.0, "rank_dropout": 0.1},
        {"network_type": "LoHa", "conv_dim": 4, "network_dropout": 0.2},
        {"network_type": "LoKr", "module_dropout": 0.1},
        {"network_type": "DoRA", "scale_weight_norms": 1.0},
    ],
)
def test_a_run_comes_back_as_it_was(tmp_path: Path, network: dict[str, Any]) -> None:
    run = replace(RUN, network=NetworkConfig(**network))
    exported = export_run(run)
    assert exported.unknown == []
    for name, text in exported.files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    config = toml.loads(exported.files["config.toml"]) | {"dataset_config": "dataset.toml"}
    (tmp_path / "config.toml").write_text(toml.dumps(config), encoding="utf-8")
    done = read_foreign(tmp_path / "config.toml")
    assert done.unknown == []
    back, wrong = config_of(done.table, tmp_path)
    assert wrong == []
    first = replace(run.subsets[0], num_repeats=3)  # the folder's name says it no longer
    assert back.subsets == (first, run.subsets[1])
    assert back.network == run.network
    assert back.optimizer == run.optimizer
    assert (back.loss, back.bucket) == (run.loss, run.bucket)


def test_a_part_that_is_not_trained_gets_no_adapter() -> None:
    unet_only = replace(RUN, optimizer=OptimizerConfig(unet_lr=1e-4, text_encoder_lr=0.0))
    table = toml.loads(export_run(unet_only).files["config.toml"])
    assert table["network_train_unet_only"] is True
    text_only = replace(RUN, optimizer=OptimizerConfig(unet_lr=0.0, text_encoder_lr=1e-4))
    table = toml.loads(export_run(text_only).files["config.toml"])
    assert table["network_train_text_encoder_only"] is True


@pytest.mark.parametrize(("sdxl", "script"), [(True, "sdxl_train_network.py"), (False, "train_")])
def test_the_command_names_the_script_of_the_family(sdxl: bool, script: str) -> None:
    assert f" {script}" in export_run(RUN, sdxl=sdxl).command
    large = replace(RUN, bucket=replace(RUN.bucket, resolution=(1024, 1024)))
    assert "sdxl_train_network.py" in export_run(large).command
