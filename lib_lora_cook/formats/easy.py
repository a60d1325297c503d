"""LoRA Easy Training Scripts: the TOML of its page, and the flat JSON of its earlier versions."""

from __future__ import annotations

from pathlib import Path

from .base import Foreign, Table, is_asked
from .kohya import folders_of

JSON_NAMES = {
    "base_model": "pretrained_model_name_or_path", "output_folder": "output_dir",
    "change_output_name": "output_name", "net_dim": "network_dim", "alpha": "network_alpha",
    "train_resolution": "resolution", "num_epochs": "max_train_epochs",
    "max_steps": "max_train_steps", "scheduler": "lr_scheduler",
    "cosine_restarts": "lr_scheduler_num_cycles", "scheduler_power": "lr_scheduler_power",
    "warmup_lr_ratio": "lr_warmup_steps", "unet_only": "network_train_unet_only",
    "text_only": "network_train_text_encoder_only", "test_seed": "seed",
    "buckets": "enable_bucket", "min_bucket_resolution": "min_bucket_reso",
    "max_bucket_resolution": "max_bucket_reso", "shuffle_captions": "shuffle_caption",
    "gradient_acc_steps": "gradient_accumulation_steps", "lora_model_for_resume": "network_weights",
    "vae": "vae", "num_workers": "max_data_loader_n_workers",
    "persistent_workers": "persistent_data_loader_workers",
}  # fmt: skip
"""The JSON's own names -> sd-scripts'."""
_OF_THE_PAGE = {
    "img_folder", "reg_img_folder", "height_resolution", "lyco", "save_json_folder",
    "save_json_name", "load_json_path", "multi_run_folder", "json_load_skip_list",
    "save_json_only", "tag_occurrence_txt_file", "sort_tag_occurrence_alphabetically", "save_as",
}  # fmt: skip
"""Keys about the program's own files, or read apart."""
_TOML_OWN = {
    "save_toml", "save_toml_location", "tag_occurrence", "tag_file_location", "train_mode",
}  # fmt: skip


def is_easy_toml(table: Table) -> bool:
    """Whether a parsed TOML has the page's sections."""
    return any(
        isinstance(section, dict) and ("args" in section or "dataset_args" in section)
        for section in table.values()
    )


def is_easy_json(table: Table) -> bool:
    """Whether a parsed JSON is one of the earlier versions'."""
    return "img_folder" in table or ("net_dim" in table and "base_model" in table)


def read_toml(table: Table) -> Foreign:
    """`[general_args.args]`, `[general_args.dataset_args]` and the like, and `[[subsets]]`."""
    foreign = Foreign()
    for name, section in table.items():
        if name == "subsets":
            foreign.subsets = list(section)
        elif isinstance(section, dict):
            for part in ("args", "dataset_args"):
                foreign.arguments |= section.get(part, {})
            known = {"args", "dataset_args", "train_mode"}
            foreign.unknown += [f"{name}.{key}" for key in section if key not in known]
        else:
            foreign.unknown.append(name)
    foreign.arguments = {
        key: value for key, value in foreign.arguments.items() if key not in _TOML_OWN
    }
    return foreign


def read_json(table: Table, folder: Path) -> Foreign:
    """The flat JSON; its resolution may come as width and height."""
    foreign = Foreign()
    for key, value in table.items():
        if key not in _OF_THE_PAGE:
            foreign.arguments[JSON_NAMES.get(key, key)] = value
    if is_asked(table.get("height_resolution")):
        foreign.arguments["resolution"] = [table["train_resolution"], table["height_resolution"]]
    if is_asked(table.get("lyco")):
        foreign.arguments["network_module"] = "lycoris.kohya"
    for key in ("img_folder", "reg_img_folder"):
        if is_asked(table.get(key)):
            is_reg = key == "reg_img_folder"
            foreign.subsets += folders_of(str(table[key]), folder, is_reg=is_reg)
    return foreign
