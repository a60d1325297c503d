"""The settings inside a LoRA file: "cook like this one"."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from ..errors import UserError
from .arguments import literal
from .base import Foreign, Table, is_asked

SAME = {
    "learning_rate", "unet_lr", "text_encoder_lr", "gradient_checkpointing", "max_train_steps",
    "gradient_accumulation_steps", "lr_warmup_steps", "lr_scheduler", "network_module",
    "network_dim", "network_alpha", "network_dropout", "mixed_precision", "full_fp16",
    "full_bf16", "v2", "clip_skip", "max_token_length", "cache_latents", "seed", "lowram",
    "noise_offset", "noise_offset_random_strength", "multires_noise_iterations",
    "multires_noise_discount", "adaptive_noise_scale", "zero_terminal_snr", "training_comment",
    "max_grad_norm", "caption_dropout_rate", "caption_dropout_every_n_epochs",
    "caption_tag_dropout_rate", "face_crop_aug_range", "prior_loss_weight", "min_snr_gamma",
    "scale_weight_norms", "ip_noise_gamma", "ip_noise_gamma_random_strength", "loss_type",
    "huber_schedule", "huber_scale", "huber_c", "fp8_base", "fp8_base_unet", "output_name",
    "shuffle_caption", "keep_tokens", "random_crop", "flip_aug", "color_aug", "enable_bucket",
    "min_bucket_reso", "max_bucket_reso", "bucket_no_upscale",
}  # fmt: skip
"""`ss_` keys that carry the argument of the same name."""
NAMES = {
    "sd_model_name": "pretrained_model_name_or_path", "num_epochs": "max_train_epochs",
    "debiased_estimation": "debiased_estimation_loss", "batch_size_per_device": "train_batch_size",
}  # fmt: skip
_LARGEST_HEADER = 100 * 1024 * 1024
"""Bytes; safetensors' own limit."""


def read_lora(path: Path) -> Foreign:
    """The arguments in a safetensors file's metadata; UserError where there are none."""
    metadata = {key[3:]: value for key, value in metadata_of(path).items() if key[:3] == "ss_"}
    if not metadata:
        raise UserError(
            "This file does not say how it was trained", path,
            "Take another one: this one's metadata was taken out.",
        )  # fmt: skip
    foreign = Foreign()
    for key, value in metadata.items():
        if key in SAME or key in NAMES:
            foreign.arguments[NAMES.get(key, key)] = literal(value)
    if args := parsed(metadata, "network_args", foreign):
        foreign.arguments["network_args"] = args
    foreign.arguments |= optimizer_of(metadata.get("optimizer", ""))
    add_datasets(foreign, metadata)
    return foreign


def metadata_of(path: Path) -> dict[str, str]:
    """`__metadata__` of a safetensors file: eight bytes of length, then a JSON header."""
    try:
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= _LARGEST_HEADER:
                raise ValueError("its header has no sensible length")
            header = json.loads(file.read(length))
        metadata = header.get("__metadata__", {})
        if not isinstance(metadata, dict):
            raise ValueError("its metadata is no table")
        return {str(key): str(value) for key, value in metadata.items()}
    except (OSError, ValueError, AttributeError) as error:
        raise UserError(
            f"This is no safetensors file ({error})", path, "Choose a LoRA file."
        ) from None


def parsed(metadata: dict[str, str], key: str, foreign: Foreign) -> Any:
    """What a metadata's JSON holds, None where there is none; one that is cut off is named."""
    try:
        return json.loads(metadata.get(key) or "null")
    except ValueError:
        foreign.unknown.append(f"ss_{key}")
        return None


def optimizer_of(text: str) -> Table:
    """`torch.optim.adamw.AdamW(weight_decay=0.1,betas=(0.9, 0.99))` as name and arguments."""
    match = re.match(r"\s*([\w.]+)\s*(?:\((.*)\))?\s*$", text, re.DOTALL)
    if not match:
        return {}
    args = re.findall(r"(\w+)=((?:\([^)]*\)|\[[^\]]*\]|[^,])+)", match[2] or "")
    listed = [f"{key}={value.strip().strip('()').replace(' ', '')}" for key, value in args]
    return {"optimizer_type": match[1].split(".")[-1], "optimizer_args": listed}


def add_datasets(foreign: Foreign, metadata: dict[str, str]) -> None:
    """Resolution, batch size and folders, from `ss_datasets` or the older flat keys."""
    datasets = parsed(metadata, "datasets", foreign)
    if datasets:
        first = datasets[0]
        resolution = first.get("resolution")
        foreign.arguments |= {
            "resolution": resolution,
            "train_batch_size": first["batch_size_per_device"],
        }
        for key in ("enable_bucket", "min_bucket_reso", "max_bucket_reso", "bucket_no_upscale"):
            if key in first:
                foreign.arguments[key] = first[key]
        foreign.unknown += [f"ss_datasets[{index}]" for index in range(1, len(datasets))]
        for subset in first.get("subsets", []):
            foreign.subsets.append(subset_of(subset))
        return
    if is_asked(metadata.get("resolution")):
        foreign.arguments["resolution"] = metadata["resolution"]
    for key, is_reg in (("dataset_dirs", False), ("reg_dataset_dirs", True)):
        folders = parsed(metadata, key, foreign) or {}
        foreign.subsets += [
            {"image_dir": name, "num_repeats": facts.get("n_repeats"), "is_reg": is_reg}
            for name, facts in folders.items()
        ]


def subset_of(facts: dict[str, Any]) -> Table:
    """One subset of `ss_datasets`."""
    keys = (
        "image_dir", "class_tokens", "is_reg", "num_repeats", "shuffle_caption", "keep_tokens",
        "flip_aug", "random_crop", "color_aug", "caption_dropout_rate", "caption_prefix",
        "caption_dropout_every_n_epochs", "caption_tag_dropout_rate", "caption_suffix",
        "keep_tokens_separator", "secondary_separator", "enable_wildcard", "alpha_mask",
    )  # fmt: skip
    return {key: facts[key] for key in keys if facts.get(key) is not None}
