"""A run of ours for sd-scripts: its two TOML files and its command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import toml

from ..config import GROUPS, SubsetConfig, TrainingConfig, learning_rates, settings_of
from .base import Table
from .kohya import repeats_of

_OPTIONS = """
adaptive_noise_scale bucket_no_upscale bucket_reso_steps cache_latents cache_latents_to_disk
clip_skip debiased_estimation_loss enable_bucket full_bf16 full_fp16 dim_from_weights
gradient_accumulation_steps gradient_checkpointing huber_c huber_scale huber_schedule
ip_noise_gamma ip_noise_gamma_random_strength learning_rate loss_type lr_decay_steps
lr_scheduler lr_scheduler_args lr_scheduler_min_lr_ratio lr_scheduler_num_cycles
lr_scheduler_power lr_scheduler_timescale lr_scheduler_type lr_warmup_steps masked_loss
max_bucket_reso max_grad_norm max_timestep max_token_length max_train_epochs max_train_steps
min_bucket_reso min_snr_gamma min_timestep mixed_precision multires_noise_discount
multires_noise_iterations network_alpha network_dim network_dropout network_weights no_half_vae
noise_offset noise_offset_random_strength optimizer_args optimizer_type output_dir output_name
pretrained_model_name_or_path prior_loss_weight resize_interpolation sample_at_first
sample_every_n_epochs sample_every_n_steps sample_prompts sample_sampler save_every_n_epochs
save_every_n_steps save_last_n_epochs save_last_n_steps save_n_epoch_ratio save_precision
scale_v_pred_loss_like_noise_pred scale_weight_norms seed text_encoder_lr training_comment
unet_lr v_parameterization v_pred_like_loss vae vae_batch_size weighted_captions
zero_terminal_snr metadata_author metadata_description metadata_license metadata_tags
metadata_title
"""
OPTIONS = frozenset(_OPTIONS.split())
"""Options of sd-scripts' train_network.py (commit 48d368f) that a run of ours may set."""
_SUBSET_KEYS = """
alpha_mask caption_dropout_every_n_epochs caption_dropout_rate caption_extension caption_prefix
caption_suffix caption_tag_dropout_rate class_tokens color_aug conditioning_data_dir
enable_wildcard flip_aug image_dir is_reg keep_tokens keep_tokens_separator num_repeats
random_crop secondary_separator shuffle_caption token_warmup_min token_warmup_step
"""
SUBSET_KEYS = frozenset(_SUBSET_KEYS.split())
"""Keys of a `[[datasets.subsets]]`."""
DATASET_KEYS = (
    "enable_bucket", "min_bucket_reso", "max_bucket_reso", "bucket_reso_steps",
    "bucket_no_upscale",
)  # fmt: skip
NETWORK_ARGS = (
    "conv_dim", "conv_alpha", "rank_dropout", "module_dropout", "block_dims", "block_alphas",
    "conv_block_dims", "conv_block_alphas", "down_lr_weight", "mid_lr_weight", "up_lr_weight",
    "block_lr_zero_threshold", "loraplus_lr_ratio", "loraplus_unet_lr_ratio",
    "loraplus_text_encoder_lr_ratio",
)  # fmt: skip
ALGORITHMS = {"LoHa": "loha", "LoKr": "lokr", "DoRA": "locon"}
"""Kinds that sd-scripts trains through LyCORIS."""
SDXL_RESOLUTION = 1024
"""A run at this resolution or more is taken for SDXL where the checkpoint does not say."""


@dataclass(frozen=True)
class Exported:
    """Files by name, the command that trains them, and our settings that sd-scripts has not."""

    files: dict[str, str]
    command: str
    unknown: list[str]


def export_run(config: TrainingConfig, *, sdxl: bool | None = None) -> Exported:
    """The run for sd-scripts; its family from the resolution where it is not given."""
    unknown: list[str] = []
    arguments = arguments_of(config, unknown)
    width, height = config.bucket.resolution
    xl = min(width, height) >= SDXL_RESOLUTION if sdxl is None else sdxl
    script = "sdxl_train_network.py" if xl else "train_network.py"
    dataset = {
        "general": {"caption_extension": ".txt"},
        "datasets": [
            {
                "resolution": [width, height],
                "batch_size": config.loop.train_batch_size,
                **bucket_of(config),
                "subsets": [subset_of(subset, unknown) for subset in config.subsets],
            }
        ],
    }
    command = (
        f"accelerate launch --num_cpu_threads_per_process 1 {script} "
        "--config_file config.toml --dataset_config dataset.toml\n"
    )
    files = {"config.toml": toml.dumps(arguments), "dataset.toml": toml.dumps(dataset),
             "command.txt": command}  # fmt: skip
    return Exported(files, command.strip(), list(dict.fromkeys(unknown)))


def arguments_of(config: TrainingConfig, unknown: list[str]) -> Table:
    """`--config_file`: every setting that has a value, under its own name."""
    defaults = TrainingConfig()
    arguments: Table = {}
    for group in GROUPS:
        for name, _, value in settings_of(getattr(config, group)):
            if name in (*DATASET_KEYS, *NETWORK_ARGS, "resolution", "train_batch_size",
                        "network_type"):  # fmt: skip
                continue
            if name in OPTIONS:
                own = name == "sample_sampler" and value == "host"  # sd-scripts has its own then
                if value is not None and value not in ("", [], ()) and not own:
                    arguments[name] = list(value) if isinstance(value, tuple) else value
            elif value != getattr(getattr(defaults, group), name):
                unknown.append(name)
    arguments |= network_of(config) | trained_parts(config)
    arguments |= {"cache_latents": True, "save_model_as": "safetensors", "sdpa": True,
                  "max_data_loader_n_workers": 0}  # fmt: skip
    return arguments


def network_of(config: TrainingConfig) -> Table:
    """`network_module` and `network_args` of the kind of adapter."""
    kind, args = config.network.network_type, []
    if kind in ALGORITHMS:
        args.append(f"algo={ALGORITHMS[kind]}")
    if kind == "DoRA":
        args.append("dora_wd=True")
    network = {name: value for name, _, value in settings_of(config.network)}
    optimizer = {name: value for name, _, value in settings_of(config.optimizer)}
    for name in NETWORK_ARGS:
        value = network.get(name, optimizer.get(name))
        if value not in (None, "", 0.0, [], ()):
            args.append(f"{name}={plain(value)}")
    if kind == "LoCon" and config.network.conv_dim is None:
        args += [f"conv_dim={config.network.network_dim}",
                 f"conv_alpha={config.network.network_alpha}"]  # fmt: skip
    module = "lycoris.kohya" if kind in ALGORITHMS else "networks.lora"
    return {"network_module": module, **({"network_args": args} if args else {})}


def plain(value: Any) -> str:
    """A value as it stands behind the equals sign of a network argument."""
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def trained_parts(config: TrainingConfig) -> Table:
    """A learning rate of 0 as sd-scripts says it: that part gets no adapter."""
    unet, text, _ = learning_rates(config.optimizer)  # it has one rate for both encoders
    found: Table = {"unet_lr": unet, "text_encoder_lr": text}
    if not text:
        return {"network_train_unet_only": True, "unet_lr": unet}
    return {"network_train_text_encoder_only": True, "text_encoder_lr": text} if not unet else found


def bucket_of(config: TrainingConfig) -> Table:
    """The bucket settings of the dataset; what is left open stays so."""
    return {
        key: getattr(config.bucket, key)
        for key in DATASET_KEYS
        if getattr(config.bucket, key) is not None
    }


def subset_of(subset: SubsetConfig, unknown: list[str]) -> Table:
    """One `[[datasets.subsets]]`, with all that has a value."""
    # sd-scripts reads repeats from a folder's name only where it gets no dataset file.
    table: Table = {"num_repeats": repeats_of(PurePath(subset.image_dir).name) or 1}
    default = SubsetConfig()
    for name, _, value in settings_of(subset):
        if name in SUBSET_KEYS:
            if value not in (None, "", [], ()):
                table[name] = value
        elif value != getattr(default, name):
            unknown.append(name)
    return table
