"""OneTrainer's training config and its concepts, both JSON."""

from __future__ import annotations

import json
from pathlib import Path, PureWindowsPath
from typing import Any

from .base import Foreign, Table, is_asked

NAMES = {
    "base_model_name": "pretrained_model_name_or_path", "batch_size": "train_batch_size",
    "epochs": "max_train_epochs", "lora_rank": "network_dim", "lora_alpha": "network_alpha",
    "gradient_accumulation_steps": "gradient_accumulation_steps", "resolution": "resolution",
    "learning_rate": "learning_rate", "learning_rate_warmup_steps": "lr_warmup_steps",
    "lora_model_name": "network_weights", "clip_grad_norm": "max_grad_norm",
    "offset_noise_weight": "noise_offset", "perturbation_noise_weight": "ip_noise_gamma",
    "rescale_noise_scheduler_to_zero_terminal_snr": "zero_terminal_snr",
    "force_v_prediction": "v_parameterization", "aspect_ratio_bucketing": "enable_bucket",
    "masked_training": "masked_loss", "dropout_probability": "network_dropout", "seed": "seed",
}  # fmt: skip
"""OneTrainer's keys that mean what a kohya argument means."""
DEFAULTS: Table = {
    "resolution": "512", "batch_size": 1, "epochs": 100, "lora_rank": 16, "lora_alpha": 1.0,
    "learning_rate": 3e-6, "learning_rate_warmup_steps": 200.0, "clip_grad_norm": 1.0,
    "learning_rate_scheduler": "CONSTANT", "train_dtype": "FLOAT_16", "output_dtype": "FLOAT_32",
    "gradient_checkpointing": "ON",
}  # fmt: skip
"""What OneTrainer takes where its file says nothing, and we would take something else."""
SCHEDULERS = {
    "CONSTANT": "constant_with_warmup", "LINEAR": "linear", "COSINE": "cosine",
    "COSINE_WITH_RESTARTS": "cosine_with_restarts",
    "COSINE_WITH_HARD_RESTARTS": "cosine_with_restarts",
}  # fmt: skip
OPTIMIZERS = {
    "ADAMW": "AdamW", "ADAMW_8BIT": "AdamW8bit", "PRODIGY": "Prodigy", "LION": "Lion",
    "LION_8BIT": "Lion8bit", "ADAFACTOR": "Adafactor", "CAME": "CAME", "SGD": "SGDNesterov",
    "DADAPT_ADAM": "DAdaptAdam", "DADAPT_LION": "DAdaptLion", "DADAPT_SGD": "DAdaptSGD",
    "DADAPT_ADA_GRAD": "DAdaptAdaGrad", "SCHEDULE_FREE_ADAMW": "AdamWScheduleFree",
    "PRODIGY_PLUS_SCHEDULE_FREE": "ProdigyPlusScheduleFree",
}  # fmt: skip
PRECISIONS = {"FLOAT_16": "fp16", "BFLOAT_16": "bf16", "FLOAT_32": "no"}
FILES = {"FLOAT_16": "fp16", "BFLOAT_16": "bf16", "FLOAT_32": "float"}
OPTIMIZER_ARGS = (
    "weight_decay", "eps", "decouple", "use_bias_correction", "safeguard_warmup", "d_coef", "d0",
    "growth_rate", "relative_step", "scale_parameter", "warmup_init", "clip_threshold",
)  # fmt: skip
OF_THE_PROGRAM = {
    "__version", "training_method", "model_type", "debug_mode", "debug_dir", "workspace_dir",
    "cache_dir", "tensorboard", "tensorboard_expose", "tensorboard_port", "tensorboard_always_on",
    "validation", "validate_after", "validate_after_unit", "continue_last_backup",
    "include_train_config", "train_device", "temp_device", "dataloader_threads", "latent_caching",
    "clear_cache_before_training", "only_cache", "enable_autocast_cache", "samples",
    "sample_definition_file_name", "sample_after", "sample_after_unit", "sample_image_format",
    "backup_after", "backup_after_unit", "rolling_backup", "rolling_backup_count",
    "backup_before_save", "save_filename_prefix", "save_skip_first", "concept_file_name",
    "concepts", "optimizer", "optimizer_defaults", "unet", "text_encoder", "text_encoder_2",
    "text_encoder_3", "text_encoder_4", "vae", "prior", "transformer", "effnet_encoder", "decoder",
    "decoder_text_encoder", "decoder_vqgan", "embedding", "additional_embeddings", "cloud",
    "secrets", "output_model_destination", "output_model_format", "output_dtype", "train_dtype",
    "fallback_train_dtype", "gradient_checkpointing", "learning_rate_scheduler", "peft_type",
    "lora_decompose", "loss_weight_fn", "loss_weight_strength", "min_noising_strength",
    "max_noising_strength", "text_encoder_layer_skip", "text_encoder_2_layer_skip", "save_every",
    "save_every_unit", "learning_rate_cycles", "scheduler_params", "unmasked_probability",
    "unmasked_weight", "embedding_learning_rate", "embedding_weight_dtype", "lora_weight_dtype",
    "huggingface_cache_dir", "offline_mode", "device_indexes", "async_offloading", "compile",
    "attention_mechanism", "frames", "layer_offload_fraction", "enable_activation_offloading",
    "enable_async_offloading", "gradient_reduce_precision", "fused_gradient_reduce",
    "async_gradient_reduce", "async_gradient_reduce_buffer", "quantization", "ema_decay",
    "ema_update_step_interval", "preserve_embedding_norm", "mse_strength", "huber_delta",
    "vb_loss_strength", "timestep_shift", "noising_weight", "noising_bias", "multi_gpu",
    "lora_decompose_norm_epsilon", "samples_to_tensorboard", "non_ema_sampling",
    "text_encoder_sequence_length", "text_encoder_2_sequence_length", "prevent_overwrites",
    "dynamic_timestep_shifting", "unconditional_transformer", "text_encoder_3_layer_skip",
    "text_encoder_4_layer_skip", "oft_block_size", "oft_coft", "coft_eps", "oft_block_share",
}  # fmt: skip
"""Keys read elsewhere in this file, or about files, folders and speed."""
NEUTRAL = {
    "ema": "OFF", "timestep_distribution": "UNIFORM", "learning_rate_scaler": "NONE",
    "loss_scaler": "NONE", "layer_filter_preset": "full", "masked_training": False,
}  # fmt: skip


def is_config(table: Any) -> bool:
    """Whether a parsed JSON is a training config."""
    return isinstance(table, dict) and bool({"training_method", "base_model_name"} & set(table))


def is_concepts(table: Any) -> bool:
    """Whether a parsed JSON is a list of concepts."""
    if not isinstance(table, list) or not all(isinstance(it, dict) for it in table):
        return False
    return all("path" in it for it in table) and any("text" in it or "image" in it for it in table)


def read_config(table: Table, folder: Path) -> Foreign:
    """A training config; its concepts are inside, or in the file it names."""
    foreign = Foreign()
    given = DEFAULTS | {key: value for key, value in table.items() if value is not None}
    for key, value in given.items():
        if key in NAMES:
            foreign.arguments[NAMES[key]] = value
        elif key not in OF_THE_PROGRAM and is_asked(value) and NEUTRAL.get(key) != value:
            foreign.unknown.append(key)
    for part in (network, learning, loss, files):
        foreign.arguments |= part(given, foreign.unknown)
    concepts = given.get("concepts")
    if concepts is None:
        concepts = concepts_of_file(given, folder, foreign.unknown)
    add_concepts(foreign, concepts)
    return foreign


def network(given: Table, unknown: list[str]) -> Table:
    """The kind of adapter, and which parts get one."""
    if given.get("training_method", "LORA") != "LORA":
        unknown.append(f"training_method = {given['training_method']}")
    peft = str(given.get("peft_type", "LORA"))
    found: Table = {"network_module": "networks.lora"}
    if peft == "LOHA":
        found = {"network_module": "lycoris.kohya", "network_args": ["algo=loha"]}
    elif peft == "LORA" and given.get("lora_decompose"):
        found = {"network_module": "lycoris.kohya", "network_args": ["algo=lora", "dora_wd=True"]}
    elif peft != "LORA":
        unknown.append(f"peft_type = {peft}")
    return found


def learning(given: Table, unknown: list[str]) -> Table:
    """Learning rates of the parts, schedule and optimizer."""
    found: Table = {}
    scheduler = str(given["learning_rate_scheduler"])
    if scheduler in SCHEDULERS:
        found["lr_scheduler"] = SCHEDULERS[scheduler]
    else:
        unknown.append(f"learning_rate_scheduler = {scheduler}")
    if "RESTARTS" in scheduler and is_asked(given.get("learning_rate_cycles")):
        found["lr_scheduler_num_cycles"] = given["learning_rate_cycles"]
    for part, key in (("unet", "unet_lr"), ("text_encoder", "text_encoder_lr")):
        settings = given.get(part) or {}
        if settings.get("train") is False:
            found[key] = 0.0
        elif settings.get("learning_rate") is not None:
            found[key] = settings["learning_rate"]
    optimizer = given.get("optimizer") or {}
    optimizer = {"optimizer": optimizer} if isinstance(optimizer, str) else optimizer
    name = str(optimizer.get("optimizer", "ADAMW"))
    found["optimizer_type"] = OPTIMIZERS.get(name, name)
    if name not in OPTIMIZERS:
        unknown.append(f"optimizer = {name}")
    found["optimizer_args"] = optimizer_args(optimizer)
    return found


def optimizer_args(optimizer: Table) -> list[str]:
    """`key=value` of what the optimizer's table gives a value."""
    args = [f"{key}={optimizer[key]}" for key in OPTIMIZER_ARGS if optimizer.get(key) is not None]
    betas = [optimizer.get(f"beta{number}") for number in (1, 2)]
    return args + ([f"betas={betas[0]},{betas[1]}"] if None not in betas else [])


def loss(given: Table, unknown: list[str]) -> Table:
    """Weight of the loss, and the timesteps."""
    found: Table = {}
    weight = str(given.get("loss_weight_fn", "CONSTANT"))
    if weight == "MIN_SNR_GAMMA":
        found["min_snr_gamma"] = given.get("loss_weight_strength", 5.0)
    elif weight == "DEBIASED_ESTIMATION":
        found["debiased_estimation_loss"] = True
    elif weight != "CONSTANT":
        unknown.append(f"loss_weight_fn = {weight}")
    if is_asked(given.get("min_noising_strength")):
        found["min_timestep"] = round(1000 * float(given["min_noising_strength"]))
    if given.get("max_noising_strength", 1.0) != 1.0:
        found["max_timestep"] = round(1000 * float(given["max_noising_strength"]))
    return found


def files(given: Table, unknown: list[str]) -> Table:
    """Precision, checkpointing, clip skip, and where the LoRA goes."""
    found: Table = {}
    train, output = given.get("train_dtype"), given.get("output_dtype")
    if train in PRECISIONS:
        found["mixed_precision"] = PRECISIONS[train]
    elif is_asked(train):
        unknown.append(f"train_dtype = {train}")
    if output in FILES:
        found["save_precision"] = FILES[output]
    checkpointing = given.get("gradient_checkpointing")
    if checkpointing is not None:
        found["gradient_checkpointing"] = checkpointing not in ("OFF", False)
    if is_asked(given.get("text_encoder_layer_skip")):
        found["clip_skip"] = int(given["text_encoder_layer_skip"]) + 1
    if is_asked(given.get("output_model_destination")):
        path = PureWindowsPath(given["output_model_destination"])
        found |= {"output_name": path.stem, "output_dir": str(path.parent).replace("\\", "/")}
    if is_asked(given.get("save_every")):
        unit = str(given.get("save_every_unit", "NEVER")).lower()
        if unit in ("epoch", "step"):
            found[f"save_every_n_{unit}s"] = given["save_every"]
        elif unit != "never":
            unknown.append(f"save_every = {given['save_every']} {unit}")
    return found


def concepts_of_file(given: Table, folder: Path, unknown: list[str]) -> list[Table]:
    """The concepts of the file that a config names, if it is there."""
    name = given.get("concept_file_name")
    if not is_asked(name):
        return []
    relative = Path(str(name).replace("\\", "/"))
    for path in (folder / relative, folder / relative.name):
        if path.is_file():
            found = json.loads(path.read_text(encoding="utf-8-sig"))
            return found if is_concepts(found) else []
    unknown.append(f"concept_file_name = {name} (there is no such file)")
    return []


def read_concepts(table: list[Table]) -> Foreign:
    """A list of concepts alone."""
    foreign = Foreign()
    add_concepts(foreign, table)
    return foreign


def add_concepts(foreign: Foreign, concepts: list[Table]) -> None:
    """Each enabled concept as a subset; balancing by samples has no repeats and is named."""
    for concept in concepts:
        if not concept.get("enabled", True):
            continue
        name = concept.get("name") or concept["path"]
        kind = concept.get("type", "STANDARD")
        if kind not in ("STANDARD", "PRIOR_PREDICTION"):
            foreign.unknown.append(f"concept {name}: type = {kind}")
            continue
        subset: Table = {"image_dir": concept["path"], "is_reg": kind == "PRIOR_PREDICTION"}
        balancing = float(concept.get("balancing", 1.0))
        if concept.get("balancing_strategy", "REPEATS") != "REPEATS":
            foreign.unknown.append(f"concept {name}: balancing_strategy = SAMPLES")
        else:
            subset["num_repeats"] = max(1, round(balancing))
        subset |= text_settings(concept.get("text") or {}, f"concept {name}", foreign.unknown)
        image = concept.get("image") or {}
        subset["flip_aug"] = bool(image.get("enable_random_flip"))
        ours = {"enable_random_flip", "enable_crop_jitter"}
        foreign.unknown += [
            f"concept {name}: {key}"
            for key, value in image.items()
            if key.startswith("enable_") and value and key not in ours
        ]
        foreign.unknown += [
            f"concept {name}: {key}" for key in ("include_subdirectories",) if concept.get(key)
        ]
        foreign.subsets.append(subset)


def text_settings(text: Table, name: str, unknown: list[str]) -> Table:
    """Where the captions come from, and what is done to their tags."""
    found: Table = {"caption_extension": ".txt"}
    if text.get("prompt_source", "sample") != "sample":
        unknown.append(f"{name}: prompt_source = {text['prompt_source']}")
    if text.get("enable_tag_shuffling"):
        found |= {"shuffle_caption": True, "keep_tokens": text.get("keep_tags_count", 1)}
    if text.get("tag_dropout_enable"):
        found["caption_tag_dropout_rate"] = text.get("tag_dropout_probability", 0.0)
    if text.get("caps_randomize_enable"):
        unknown.append(f"{name}: caps_randomize_enable")
    return found
