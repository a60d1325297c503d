"""The JSON that bmaltais' kohya_ss saves from its page."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from .base import Foreign, Table, is_asked
from .kohya import add_dataset_file, folders_of

KINDS = {
    "Standard": ("networks.lora", ""), "Kohya LoCon": ("networks.lora", ""),
    "LyCORIS/LoCon": ("lycoris.kohya", "locon"), "LyCORIS/LoHa": ("lycoris.kohya", "loha"),
    "LyCORIS/LoKr": ("lycoris.kohya", "lokr"),
}  # fmt: skip
"""Its LoRA_type -> sd-scripts' network_module and LyCORIS' algo."""
NAMES = {
    "epoch": "max_train_epochs", "max_resolution": "resolution", "optimizer": "optimizer_type",
    "lora_network_weights": "network_weights", "sdxl_no_half_vae": "no_half_vae",
    "sdxl_cache_text_encoder_outputs": "cache_text_encoder_outputs",
}  # fmt: skip
NETWORK = {
    "conv_dim", "conv_alpha", "rank_dropout", "module_dropout", "block_dims", "block_alphas",
    "conv_block_dims", "conv_block_alphas", "down_lr_weight", "mid_lr_weight", "up_lr_weight",
    "block_lr_zero_threshold",
}  # fmt: skip
_CONV = {"conv_dim", "conv_alpha"}
_WITH_LYCORIS = {
    "factor", "decompose_both", "use_tucker", "use_cp", "use_scalar", "train_norm", "rescaled",
    "constrain", "bypass_mode", "dora_wd", "rank_dropout_scale", "unit",
}  # fmt: skip
"""Fields of the page that stand there with a value whatever kind is trained."""
_LAUNCH = {
    "num_processes", "num_machines", "main_process_port", "model_list", "dynamo_mode", "unit",
    "noise_offset_type", "LoRA_type", "lr_warmup", "additional_parameters", "save_as_bool",
    "LyCORIS_preset", "train_on_input", "no_token_padding", "stop_text_encoder_training_pct",
    "split_mode", "multi_gpu", "gpu_ids", "extra_accelerate_launch_args", "huber_param",
    "train_data_dir", "reg_data_dir", "factor", "caption_extention",
}  # fmt: skip
_OTHER_MODELS = (
    "flux", "sd3", "t5xxl", "clip_g", "clip_l", "single_blocks", "double_blocks", "logit_",
    "mode_scale", "weighting_scheme", "discrete_flow", "guidance_scale", "timestep_sampling",
    "model_prediction_type", "lumina", "train_blocks", "blocks_to_swap", "ae", "learning_rate_te",
    "train_t5xxl", "split_qkv", "train_double", "train_single", "in_dims", "img_", "txt_",
    "single_dim", "single_mod", "sigmoid_scale", "apply_t5", "enable_all_linear", "huggingface",
    "metadata_", "log_", "text_encoder_batch", "ggpo",
)  # fmt: skip
"""Beginnings of fields of other model families' and of uploading: the page always writes them."""


def is_gui(table: Table) -> bool:
    """Whether a parsed JSON is the page's."""
    return "LoRA_type" in table or {"max_resolution", "num_cpu_threads_per_process"} <= set(table)


def read_gui(table: Table, folder: Path) -> Foreign:
    """The page's fields; the warm-up is in percent of the steps."""
    foreign = Foreign()
    kind = str(table.get("LoRA_type", "Standard"))
    module, algorithm = KINDS.get(kind, (kind, ""))
    foreign.arguments["network_module"] = module
    network: list[str] = [f"algo={algorithm}"] if algorithm else []
    for key, value in table.items():
        name = NAMES.get(key, key)
        if key in NETWORK:
            if is_asked(value) and not (kind == "Standard" and key in _CONV):
                network.append(f"{key}={value}")
        elif key not in _LAUNCH | _WITH_LYCORIS and not key.startswith(_OTHER_MODELS):
            foreign.arguments[name] = value
    foreign.arguments["network_args"] = network
    foreign.arguments |= spoken_otherwise(table)
    add_dataset_file(foreign, folder)
    for key in ("train_data_dir", "reg_data_dir"):
        if is_asked(table.get(key)):
            is_reg = key == "reg_data_dir"
            foreign.subsets += folders_of(str(table[key]), folder, is_reg=is_reg)
    foreign.arguments |= command_line(str(table.get("additional_parameters") or ""))
    return foreign


def command_line(text: str) -> dict[str, Any]:
    """`--name value --switch` as arguments."""
    found: dict[str, Any] = {}
    for part in text.split("--")[1:]:
        name, *values = shlex.split(part)
        found[name] = values if len(values) > 1 else (values[0] if values else True)
    return found


def spoken_otherwise(table: Table) -> dict[str, Any]:
    """Fields whose zero means none, and the warm-up."""
    zero_is_none = (
        "max_train_epochs", "max_train_steps", "min_snr_gamma", "noise_offset", "ip_noise_gamma",
        "adaptive_noise_scale", "scale_weight_norms", "vae_batch_size", "v_pred_like_loss",
        "save_every_n_epochs", "save_every_n_steps", "save_last_n_epochs", "save_last_n_steps",
        "max_grad_norm_off", "lr_scheduler_num_cycles", "sample_every_n_epochs",
        "sample_every_n_steps", "seed", "clip_skip",
    )  # fmt: skip
    found: dict[str, Any] = {}
    for key in zero_is_none:
        if key in table and not is_asked(table[key]):
            found[key] = None
    if is_asked(table.get("lr_warmup")) and not is_asked(table.get("lr_warmup_steps")):
        found["lr_warmup_steps"] = float(table["lr_warmup"]) / 100
    if not is_asked(found.get("max_train_epochs", table.get("max_train_epochs"))):
        found["max_train_epochs"] = table.get("epoch")
    if table.get("noise_offset_type") == "Multires":
        found["noise_offset"] = None
    elif table.get("noise_offset_type") == "Original":
        found["multires_noise_iterations"] = None
    return found
