"""What a LoRA file tells about its training: kohya's ss_* and SAI ModelSpec 1.0.1 (KOHYA 2.2, 2.4).

The WebUI's card reads tags, dataset size, resolutions and clip skip from here.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ..config import TrainingConfig, conv_rank, learning_rates
from ..models.trainable import TrainableModel
from .pictures import Picture, tag_frequency

MODULES = {"LoRA": "networks.lora", "LoCon": "networks.lora"}
"""By network_type; the others are lycoris.kohya's."""
ALGORITHMS: dict[str, dict[str, Any]] = {
    "LoHa": {"algo": "loha"}, "LoKr": {"algo": "lokr"}, "DoRA": {"algo": "locon", "dora_wd": True},
}  # fmt: skip
AS_SET = (
    "gradient_checkpointing", "gradient_accumulation_steps", "mixed_precision", "seed",
    "max_grad_norm", "lr_scheduler", "network_dim", "network_alpha", "network_dropout",
    "scale_weight_norms", "min_snr_gamma", "noise_offset", "noise_offset_random_strength",
    "adaptive_noise_scale", "multires_noise_iterations", "multires_noise_discount",
    "ip_noise_gamma", "ip_noise_gamma_random_strength", "zero_terminal_snr", "prior_loss_weight",
    "loss_type", "huber_schedule", "huber_scale", "huber_c", "clip_skip", "max_token_length",
)  # fmt: skip
"""Settings that kohya writes as they were set, under `ss_` and their own name."""
NONE_IF_EMPTY = {"network_dropout", "multires_noise_iterations"}
"""Settings of AS_SET that are None with kohya where they are not set."""
OF_THE_NETWORK = {
    "ss_v2", "ss_base_model_version", "ss_network_module", "ss_network_dim", "ss_network_alpha",
    "ss_network_args",
}  # fmt: skip
"""What `no_metadata` leaves, beside modelspec.*."""
NOT_HERE: dict[str, Any] = {
    "ss_num_validation_images": 0, "ss_validation_seed": None, "ss_validation_split": 0.0,
    "ss_max_validation_steps": None, "ss_validate_every_n_epochs": None,
    "ss_validate_every_n_steps": None, "ss_fp8_base": False, "ss_fp8_base_unet": False,
    "ss_full_fp16": False,    "ss_lowram": False, "ss_face_crop_aug_range": None,
    "ss_resize_interpolation": None, "ss_sd_scripts_commit_hash": "(unknown)",
}  # fmt: skip
"""What sd-scripts has and this trainer has not, as it writes them when they are not used."""
NETWORK_ARGS = (
    "rank_dropout", "module_dropout", "down_lr_weight", "mid_lr_weight", "up_lr_weight",
    "block_lr_zero_threshold", "block_dims", "block_alphas", "conv_block_dims",
    "conv_block_alphas", "loraplus_lr_ratio", "loraplus_unet_lr_ratio",
    "loraplus_text_encoder_lr_ratio",
)  # fmt: skip
"""Settings that sd-scripts takes as `network_args`."""
OF_SUBSETS = (
    "caption_dropout_rate", "caption_dropout_every_n_epochs", "caption_tag_dropout_rate",
)  # fmt: skip
"""Settings of subsets that sd-scripts writes once a run; ours are the first subset's."""


@dataclass(frozen=True)
class RunFacts:
    """What is known of a run before its first step."""

    started_at: float
    """Seconds since 1970, UTC."""
    batches_per_epoch: int
    epochs: int
    steps: int
    warmup_steps: int
    optimizer: str
    """The class that trains and its arguments, see `optimizers.optimizer_text`."""


def run_metadata(
    config: TrainingConfig, model: TrainableModel, pictures: Sequence[Picture], facts: RunFacts
) -> dict[str, Any]:
    """The ss_* values that stay the same for every file of a run."""
    unet, text, second = learning_rates(config.optimizer)
    version = model.family.base_model_version + ("_v" if _marks_v(model) else "")
    metadata: dict[str, Any] = {f"ss_{name}": value for name, value in _as_set(config)}
    metadata |= NOT_HERE | {f"ss_{it}": getattr(pictures[0].subset, it) for it in OF_SUBSETS}
    metadata.update({
        "ss_session_id": hash_of(config), "ss_training_started_at": facts.started_at,
        "ss_learning_rate": config.optimizer.learning_rate,
        "ss_unet_lr": unet, "ss_text_encoder_lr": text if text == second else [text, second],
        "ss_num_train_images": _count(pictures, reg=False),
        "ss_num_reg_images": _count(pictures, reg=True),
        "ss_num_batches_per_epoch": facts.batches_per_epoch, "ss_num_epochs": facts.epochs,
        "ss_max_train_steps": facts.steps, "ss_lr_warmup_steps": facts.warmup_steps,
        "ss_network_module": MODULES.get(config.network.network_type, "lycoris.kohya"),
        "ss_network_args": network_args(config), "ss_optimizer": facts.optimizer,
        "ss_v2": model.family.name == "sd2", "ss_base_model_version": version,
        "ss_cache_latents": True, "ss_training_comment": config.save.training_comment or None,
        "ss_debiased_estimation": config.loss.debiased_estimation_loss,
        "ss_sd_model_name": model.checkpoint,
        "ss_datasets": [dataset_facts(config, pictures)],
        "ss_tag_frequency": tag_frequency(pictures), "ss_dataset_dirs": dataset_dirs(pictures),
        "ss_bucket_info": bucket_info(pictures),
        "ss_resolution": str(tuple(config.bucket.resolution)),
    })  # fmt: skip
    if metadata["ss_network_args"].keys() == {"dropout"}:
        del metadata["ss_network_args"]
    if model.checkpoint_hash:
        metadata["ss_new_sd_model_hash"] = model.checkpoint_hash
    if checkpoint := old_checkpoint_hash(Path(config.model.pretrained_model_name_or_path)):
        metadata["ss_sd_model_hash"] = checkpoint
    return {it: value for it, value in metadata.items() if is_wanted(it, config)}


def is_wanted(key: str, config: TrainingConfig) -> bool:
    """Whether a key is told, also with `no_metadata`."""
    return not config.save.no_metadata or key in OF_THE_NETWORK or not key.startswith("ss_")


def old_checkpoint_hash(path: Path) -> str:
    """The WebUI's first hash: 8 hex of sha256 of 64 KiB at 1 MiB of the file; empty without one."""
    try:
        with open(path, "rb") as file:
            file.seek(0x100000)
            return hashlib.sha256(file.read(0x10000)).hexdigest()[:8]
    except OSError:  # a folder, or the host's own
        return ""


def file_metadata(
    config: TrainingConfig, model: TrainableModel, place: tuple[int, int], now: datetime
) -> dict[str, Any]:
    """What differs from file to file; `place` is (epoch, step), `now` local time."""
    (epoch, step), save = place, config.save
    width, height = config.bucket.resolution
    architecture = model.family.architecture
    if model.v_prediction:
        architecture = architecture.replace("v2-512", "v2-768-v")
    spec: dict[str, Any] = {
        "sai_model_spec": "1.0.1", "architecture": architecture,
        "implementation": model.family.implementation,
        "title": save.metadata_title or save.output_name,
        "date": now.isoformat(timespec="seconds"), "resolution": f"{width}x{height}",
        "prediction_type": "v" if model.v_prediction else "epsilon",
        "implementation_version": "lora-cook",
    }  # fmt: skip
    texts = {
        "author": save.metadata_author, "description": save.metadata_description,
        "license": save.metadata_license, "tags": save.metadata_tags,
    }  # fmt: skip
    spec |= {name: text for name, text in texts.items() if text}
    if config.model.clip_skip:
        spec["encoder_layer"] = config.model.clip_skip
    if (config.loss.min_timestep, config.loss.max_timestep) != (0, 1000):
        spec["timestep_range"] = f"{config.loss.min_timestep},{config.loss.max_timestep}"
    metadata = {
        "ss_output_name": save.output_name, "ss_epoch": epoch, "ss_steps": step,
        "ss_training_finished_at": now.timestamp(),
        **{f"modelspec.{key}": value for key, value in spec.items()},
    }  # fmt: skip
    return {key: value for key, value in metadata.items() if is_wanted(key, config)}


def dataset_facts(config: TrainingConfig, pictures: Sequence[Picture]) -> dict[str, Any]:
    """One entry of `ss_datasets`."""
    bucket = config.bucket
    return {
        "is_dreambooth": True, "batch_size_per_device": config.loop.train_batch_size,
        "num_train_images": _count(pictures, reg=False),
        "num_reg_images": _count(pictures, reg=True),
        "resolution": list(bucket.resolution), "enable_bucket": bucket.enable_bucket,
        "min_bucket_reso": bucket.min_bucket_reso, "max_bucket_reso": bucket.max_bucket_reso,
        "tag_frequency": tag_frequency(pictures), "bucket_info": bucket_info(pictures),
        "resize_interpolation": None,
        "subsets": [subset_facts(group) for group in _by_subset(pictures)],
    }  # fmt: skip


def subset_facts(pictures: Sequence[Picture]) -> dict[str, Any]:
    """One entry of `subsets` in `ss_datasets`."""
    subset = pictures[0].subset
    names = (
        "num_repeats", "flip_aug", "shuffle_caption", "keep_tokens", "keep_tokens_separator",
        "secondary_separator", "enable_wildcard", "caption_prefix", "caption_suffix",
        "class_tokens", "is_reg", "random_crop",
    )  # fmt: skip
    return {
        "img_count": len(pictures), "image_dir": Path(subset.image_dir).name,
        "color_aug": False, "resize_interpolation": None,
        **{name: getattr(subset, name) for name in names},
    }  # fmt: skip


def dataset_dirs(pictures: Sequence[Picture]) -> dict[str, dict[str, int]]:
    """{folder: {n_repeats, img_count}}."""
    return {
        Path(group[0].subset.image_dir).name: {
            "n_repeats": group[0].subset.num_repeats or 1, "img_count": len(group),
        }
        for group in _by_subset(pictures)
    }  # fmt: skip


def bucket_info(pictures: Sequence[Picture]) -> dict[str, Any]:
    """{buckets: {n: {resolution, count}}, mean_img_ar_error}, counted with repeats."""
    counts: Counter[tuple[int, int]] = Counter()
    errors = []
    for picture in pictures:
        counts[picture.fit.bucket] += picture.subset.num_repeats or 1
        ratio = picture.image.width / picture.image.height
        errors.append(abs(picture.fit.bucket[0] / picture.fit.bucket[1] - ratio))
    buckets = {
        str(index): {"resolution": list(size), "count": counts[size]}
        for index, size in enumerate(sorted(counts))
    }
    return {"buckets": buckets, "mean_img_ar_error": sum(errors) / max(1, len(errors))}


def network_args(config: TrainingConfig) -> dict[str, str]:
    """kohya's `network_args`: strings, always with dropout."""
    network = config.network
    values: dict[str, Any] = {"dropout": network.network_dropout or None}
    dim, alpha = conv_rank(network)
    if dim:
        values |= {"conv_dim": dim, "conv_alpha": alpha}
    values |= ALGORITHMS.get(network.network_type, {})
    for name in NETWORK_ARGS:
        if getattr(network, name):
            values[name] = getattr(network, name)
    return {key: str(value) for key, value in values.items()}


def hash_of(config: TrainingConfig) -> str:
    """A number for the session, the same for the same settings."""
    return str(zlib.crc32(json.dumps(repr(config)).encode()))


def _as_set(config: TrainingConfig) -> list[tuple[str, Any]]:
    groups = (config.model, config.network, config.optimizer, config.loss, config.loop, config.save)
    return [
        (name, getattr(group, name) or (None if name in NONE_IF_EMPTY else getattr(group, name)))
        for name in AS_SET for group in groups if hasattr(group, name)
    ]  # fmt: skip


def _marks_v(model: TrainableModel) -> bool:
    return model.v_prediction and model.family.name != "sdxl"


def _count(pictures: Sequence[Picture], *, reg: bool) -> int:
    return sum(it.subset.num_repeats or 1 for it in pictures if it.subset.is_reg == reg)


def _by_subset(pictures: Sequence[Picture]) -> list[list[Picture]]:
    groups: dict[str, list[Picture]] = {}
    for picture in pictures:
        groups.setdefault(picture.subset.image_dir, []).append(picture)
    return list(groups.values())
