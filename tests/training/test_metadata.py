"""What a file tells of its training: kohya's keys, as text, with the right values."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import torch

from lib_lora_cook.config import TrainingConfig
from lib_lora_cook.models.trainable import SD1, SD2, SDXL, ModelFamily
from lib_lora_cook.networks.weights import as_text
from lib_lora_cook.training.metadata import RunFacts, file_metadata, run_metadata
from lib_lora_cook.training.pictures import read_pictures
from tests.tiny_runs import tiny_run, write_pictures

ALWAYS = (
    "session_id", "training_started_at", "output_name", "learning_rate", "text_encoder_lr",
    "unet_lr", "num_train_images", "num_validation_images", "num_reg_images",
    "num_batches_per_epoch", "num_epochs", "gradient_checkpointing",
    "gradient_accumulation_steps", "max_train_steps", "lr_warmup_steps", "lr_scheduler",
    "network_module", "network_dim", "network_alpha", "network_dropout", "mixed_precision",
    "full_fp16", "v2", "base_model_version", "clip_skip", "max_token_length",
    "cache_latents", "seed", "lowram", "noise_offset", "multires_noise_iterations",
    "multires_noise_discount", "adaptive_noise_scale", "zero_terminal_snr",
    "training_comment", "sd_scripts_commit_hash", "optimizer", "max_grad_norm",
    "caption_dropout_rate", "caption_dropout_every_n_epochs", "caption_tag_dropout_rate",
    "face_crop_aug_range", "prior_loss_weight", "min_snr_gamma", "scale_weight_norms",
    "ip_noise_gamma", "debiased_estimation", "noise_offset_random_strength",
    "ip_noise_gamma_random_strength", "loss_type", "huber_schedule", "huber_scale",
    "huber_c", "fp8_base", "fp8_base_unet", "validation_seed", "validation_split",
    "max_validation_steps", "validate_every_n_epochs", "validate_every_n_steps",
    "resize_interpolation", "training_finished_at", "steps", "epoch", "datasets",
    "tag_frequency", "dataset_dirs", "sd_model_name",
)  # fmt: skip
"""What sd-scripts writes into every file, behind ss_, and with a dataset file."""


class Model:
    """What metadata asks of a model."""

    device, dtype, checkpoint_hash = torch.device("cpu"), torch.float32, ""

    def __init__(self, family: ModelFamily = SD1, v_prediction: bool = False) -> None:
        self.family, self.v_prediction, self.checkpoint = family, v_prediction, "toy.safetensors"


def metadata_of(config: TrainingConfig, model: Any = None) -> dict[str, str]:
    model = model or Model()
    facts = RunFacts(1000.0, 3, 2, 6, 1, "torch.optim.adamw.AdamW")
    metadata = run_metadata(config, model, read_pictures(config), facts)
    now = datetime(2024, 5, 6, 7, 8, 9, 123456)
    metadata |= file_metadata(config, model, (1, 3), now)
    return as_text(metadata)


def test_every_value_is_text_and_every_key_of_sd_scripts_is_there(tmp_path: Path) -> None:
    metadata = metadata_of(tiny_run(tmp_path, Path("toy")))
    assert {type(value) for value in metadata.values()} == {str}
    assert [key for key in ALWAYS if f"ss_{key}" not in metadata] == []
    assert not any(key.startswith("ss_ss_") for key in metadata)


def test_settings_are_told_as_they_were_set(tmp_path: Path) -> None:
    config = tiny_run(
        tmp_path, Path("toy"), clip_skip=2, min_snr_gamma=5.0, seed=7, unet_lr=5e-4,
        noise_offset=0.1, text_encoder_lr=1e-4, lr_scheduler="cosine", training_comment="hello",
        network_dropout=0.1,
        optimizer_args=["weight_decay=0.1", "betas=[0.9,0.99]"],
    )  # fmt: skip
    metadata = metadata_of(config)
    expected = {
        "clip_skip": "2", "min_snr_gamma": "5.0", "seed": "7", "unet_lr": "0.0005",
        "text_encoder_lr": "0.0001", "lr_scheduler": "cosine", "training_comment": "hello",
        "network_dim": "4", "network_alpha": "2.0", "noise_offset": "0.1", "steps": "3",
        "epoch": "1", "num_epochs": "2", "max_train_steps": "6", "num_batches_per_epoch": "3",
        "lr_warmup_steps": "1", "mixed_precision": "no", "scale_weight_norms": "None",
        "network_dropout": "0.1", "cache_latents": "True", "sd_model_name": "toy.safetensors",
    }  # fmt: skip
    assert {key: metadata[f"ss_{key}"] for key in expected} == expected
    assert metadata["ss_optimizer"] == "torch.optim.adamw.AdamW"


@pytest.mark.parametrize(
    ("model", "version", "v2", "architecture", "prediction"),
    [
        (Model(SD1), "sd_v1", "False", "stable-diffusion-v1/lora", "epsilon"),
        (Model(SD1, True), "sd_v1_v", "False", "stable-diffusion-v1/lora", "v"),
        (Model(SD2, True), "sd_v2_v", "True", "stable-diffusion-v2-768-v/lora", "v"),
        (Model(SD2), "sd_v2", "True", "stable-diffusion-v2-512/lora", "epsilon"),
        (Model(SDXL), "sdxl_base_v1-0", "False", "stable-diffusion-xl-v1-base/lora", "epsilon"),
        (Model(SDXL, True), "sdxl_base_v1-0", "False", "stable-diffusion-xl-v1-base/lora", "v"),
    ],
    ids=["sd1", "sd1-v", "sd2-v", "sd2", "sdxl", "sdxl-v"],
)
def test_the_family_is_told_as_the_webui_reads_it(
    tmp_path: Path, model: Model, version: str, v2: str, architecture: str, prediction: str
) -> None:
    metadata = metadata_of(tiny_run(tmp_path, Path("toy")), model)
    assert metadata["ss_base_model_version"] == version
    assert metadata["ss_v2"] == v2
    assert metadata["modelspec.architecture"] == architecture
    assert metadata["modelspec.prediction_type"] == prediction


@pytest.mark.parametrize(
    ("changes", "module", "args"),
    [
        ({}, "networks.lora", {}),
        ({"network_type": "LoCon", "conv_dim": 8, "conv_alpha": 4.0}, "networks.lora",
         {"conv_dim": "8", "conv_alpha": "4.0"}),
        ({"network_type": "LoHa", "conv_dim": 8, "conv_alpha": 4.0}, "lycoris.kohya",
         {"conv_dim": "8", "conv_alpha": "4.0", "algo": "loha"}),
        ({"rank_dropout": 0.1}, "networks.lora", {"rank_dropout": "0.1"}),
    ],
)  # fmt: skip
def test_the_network_is_told_by_its_module_and_arguments(
    tmp_path: Path, changes: dict[str, Any], module: str, args: dict[str, str]
) -> None:
    metadata = metadata_of(tiny_run(tmp_path, Path("toy"), **changes))
    assert metadata["ss_network_module"] == module
    found = json.loads(metadata.get("ss_network_args", "{}"))
    found.pop("dropout", None)
    assert found == args


def test_pictures_are_counted_with_repeats_and_tags_without(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", 3, "Red Hair, solo")
    reg = write_pictures(tmp_path / "reg", 2, "solo")
    subsets = [
        {"image_dir": str(tmp_path / "pictures"), "num_repeats": 4, "keep_tokens": 1},
        {"image_dir": str(reg), "is_reg": True},
    ]
    metadata = metadata_of(tiny_run(tmp_path, Path("toy"), subsets=subsets))
    assert metadata["ss_num_train_images"] == "12"
    assert metadata["ss_num_reg_images"] == "2"
    assert json.loads(metadata["ss_tag_frequency"]) == {
        "pictures": {"red hair": 3, "solo": 3, "a": 2, "b": 1}, "reg": {"solo": 2, "a": 1, "b": 1},
    }  # fmt: skip
    assert json.loads(metadata["ss_dataset_dirs"]) == {
        "pictures": {"n_repeats": 4, "img_count": 3}, "reg": {"n_repeats": 1, "img_count": 2},
    }  # fmt: skip
    (dataset,) = json.loads(metadata["ss_datasets"])
    first, second = dataset["subsets"]
    assert (first["image_dir"], first["img_count"], first["num_repeats"]) == ("pictures", 3, 4)
    assert (first["keep_tokens"], first["is_reg"], second["is_reg"]) == (1, False, True)
    assert dataset["resolution"] == [64, 64]
    buckets = dataset["bucket_info"]["buckets"].values()
    counts = {tuple(it["resolution"]): it["count"] for it in buckets}
    assert counts == {(64, 64): 8 + 1, (96, 32): 4 + 1}


def test_modelspec_follows_the_standard(tmp_path: Path) -> None:
    metadata = metadata_of(tiny_run(tmp_path, Path("toy"), clip_skip=2, max_timestep=900))
    assert metadata["modelspec.sai_model_spec"] == "1.0.1"
    assert metadata["modelspec.implementation"] == "diffusers"
    assert metadata["modelspec.date"] == "2024-05-06T07:08:09"
    assert metadata["modelspec.resolution"] == "64x64"
    assert metadata["modelspec.encoder_layer"] == "2"
    assert metadata["modelspec.timestep_range"] == "0,900"
    assert metadata["modelspec.title"].startswith("tiny")


def test_what_a_person_tells_of_the_file_is_in_it(tmp_path: Path) -> None:
    config = tiny_run(
        tmp_path, Path("toy"), metadata_title="Kafka", metadata_author="me", metadata_tags="a,b",
        metadata_description="a girl", metadata_license="CC0",
    )  # fmt: skip
    told = metadata_of(config)
    names = ("title", "author", "tags", "description", "license")
    assert [told[f"modelspec.{it}"] for it in names] == ["Kafka", "me", "a,b", "a girl", "CC0"]
    assert told["ss_output_name"] == "tiny"
    plain = metadata_of(tiny_run(tmp_path, Path("toy")))
    assert plain["modelspec.title"] == "tiny"
    assert "modelspec.author" not in plain


def test_without_metadata_only_what_loads_it_is_told(tmp_path: Path) -> None:
    """KOHYA 2.2; modelspec.* stays."""
    told = metadata_of(tiny_run(tmp_path, Path("toy"), no_metadata=True, rank_dropout=0.1))
    assert {it for it in told if not it.startswith("modelspec.")} == {
        "ss_v2", "ss_base_model_version", "ss_network_module", "ss_network_dim",
        "ss_network_alpha", "ss_network_args",
    }  # fmt: skip
    assert "modelspec.title" in told


def test_what_is_not_set_is_none_as_with_sd_scripts(tmp_path: Path) -> None:
    told = metadata_of(tiny_run(tmp_path, Path("toy")))
    unset = ("network_dropout", "multires_noise_iterations", "training_comment", "clip_skip")
    assert {told[f"ss_{it}"] for it in unset} == {"None"}
    assert "ss_network_args" not in told


def test_a_checkpoint_file_has_its_first_hash(tmp_path: Path) -> None:
    """8 hex of sha256 of 64 KiB at 1 MiB."""
    file = tmp_path / "a.safetensors"
    file.write_bytes(bytes(0x100000) + b"x" * 0x10000 + b"more")
    expected = hashlib.sha256(b"x" * 0x10000).hexdigest()[:8]
    assert metadata_of(tiny_run(tmp_path, file))["ss_sd_model_hash"] == expected
    assert "ss_sd_model_hash" not in metadata_of(tiny_run(tmp_path, tmp_path))


def test_a_hash_that_nobody_has_computed_is_not_told(tmp_path: Path) -> None:
    config, model = tiny_run(tmp_path, Path("toy")), Model()
    assert "ss_new_sd_model_hash" not in metadata_of(config, model)
    model.checkpoint_hash = "abc"
    assert metadata_of(config, model)["ss_new_sd_model_hash"] == "abc"


def test_two_runs_of_one_file_tell_the_same_session(tmp_path: Path) -> None:
    one, two = (tiny_run(tmp_path, Path("toy"), seed=seed) for seed in (1, 2))
    first = metadata_of(one)["ss_session_id"]
    assert metadata_of(one)["ss_session_id"] == first != metadata_of(two)["ss_session_id"]
