"""A cell of the kohya-colab notebooks, pasted as it stands, or a whole notebook."""

from __future__ import annotations

import ast
import json
import re
import textwrap
from pathlib import Path
from typing import Any

from ..config_file import parse_toml
from ..errors import UserError
from .base import Foreign, is_asked
from .kohya import add_datasets

NAMES = {
    "project_name": "output_name", "shuffle_tags": "shuffle_caption",
    "activation_tags": "keep_tokens", "keep_only_last_n_epochs": "save_last_n_epochs",
    "lr_warmup_ratio": "lr_warmup_steps", "optimizer": "optimizer_type",
    "continue_from_lora": "network_weights", "min_snr_gamma_value": "min_snr_gamma",

}  # fmt: skip
"""The cells' variables -> sd-scripts' arguments."""
SAME = {
    "resolution", "flip_aug", "caption_extension", "num_repeats", "save_every_n_epochs",
    "train_batch_size", "unet_lr", "text_encoder_lr", "lr_scheduler", "network_dim",
    "network_alpha", "optimizer_args", "weighted_captions", "keep_tokens", "max_train_epochs",
    "max_train_steps", "lr_warmup_steps", "ip_noise_gamma", "seed", "clip_skip",
}  # fmt: skip
FIXED = {
    "optimizer_type": "AdamW8bit", "seed": 42, "max_token_length": 225, "mixed_precision": "fp16",
    "save_precision": "fp16", "caption_extension": ".txt",
}  # fmt: skip
"""What the notebooks set without asking."""
_PATTERN = re.compile(r"^(\w+)\s*=\s*(?=\S)", re.MULTILINE)
PRECISIONS = {
    "float": "no", "full fp16": "fp16", "mixed fp16": "fp16", "full bf16": "bf16",
    "mixed bf16": "bf16",
}  # fmt: skip
RECOMMENDED = {
    "AdamW8bit": ["weight_decay=0.1", "betas=[0.9,0.99]"],
    "AdaFactor": ["scale_parameter=False", "relative_step=False", "warmup_init=False"],
    "Came": ["weight_decay=0.04"],
}
"""The newer notebook's arguments of its optimizers."""
_MULTINOISE = 6
"""The iterations that the notebook's switch turns on."""


def is_cell(text: str) -> bool:
    """Whether a text looks like one of the notebooks' cells."""
    names = set(_PATTERN.findall(text))
    return "#@param" in text or "#@markdown" in text or "custom_dataset" in names


def notebook_code(text: str, where: str) -> str:
    """The notebook's main cell: the others are run only by those who want what they change."""
    try:
        cells = json.loads(text)["cells"]
        codes = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
        return next((code for code in codes if "unet_lr" in variables(code)), "\n".join(codes))
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise UserError(f"This is no notebook ({error})", where, "Save it again.") from None


def read_cell(text: str, where: str) -> Foreign:
    """The variables of the cells, and the dataset in `custom_dataset`."""
    foreign = Foreign()
    text = textwrap.dedent(text)  # a cell may be copied out of an indented block
    found = variables(text)
    dataset = found.pop("custom_dataset", None)
    for name, value in found.items():
        if name in NAMES or name in SAME:
            foreign.arguments[NAMES.get(name, name)] = value
    foreign.arguments |= chosen_elsewhere(found)
    if "unet_lr" in found:
        large = int(found.get("resolution", 0)) >= 1024
        foreign.arguments = {**FIXED, **({} if large else {"clip_skip": 2}), **foreign.arguments}
    if isinstance(dataset, str):
        line = text[: text.index("custom_dataset")].count("\n")
        add_datasets(foreign, parse_toml(dataset, where, line))
    elif is_asked(found.get("project_name")):
        place = "Loras/{}/dataset" if "/Loras" in str(found.get("folder_structure")) else (
            "lora_training/datasets/{}"
        )  # fmt: skip
        name = place.format(found["project_name"].strip())
        foreign.subsets.append({"image_dir": f"/content/drive/MyDrive/{name}"})
    if not foreign.arguments and not foreign.subsets:
        raise UserError(
            "No setting of the notebook is in this text", where,
            "Paste the whole cell, from its first line to its last.",
        )  # fmt: skip
    return foreign


def variables(text: str) -> dict[str, Any]:
    """Every `name = literal` at a line's beginning, the last one of each; no code is run."""
    found: dict[str, Any] = {}
    for match in _PATTERN.finditer(text):
        value = literal_at(text, match.end())
        if value is not NotImplemented:
            found[match[1]] = value
    return found


def literal_at(text: str, start: int) -> Any:
    """The literal that begins at a place of a text, or NotImplemented."""
    for quotes in ('"""', "'''"):
        if text.startswith(quotes, start):
            found, closed, _ = text[start + 3 :].partition(quotes)
            return found if closed else NotImplemented
    line = text[start:].partition("\n")[0]
    for end in (line, line.partition(" #")[0], line.partition("#@")[0]):
        try:
            return ast.literal_eval(end.strip())
        except (ValueError, SyntaxError, MemoryError):
            continue
    return NotImplemented


def chosen_elsewhere(found: dict[str, Any]) -> dict[str, Any]:
    """What the notebooks make of several of their fields together."""
    made: dict[str, Any] = {}
    if "lr_warmup_ratio" in found:
        made["lr_warmup_steps"] = found["lr_warmup_ratio"]
    many, number = found.get("how_many"), found.get("lr_scheduler_number")
    if many:
        in_steps = found.get("preferred_unit") == "Steps"
        made["max_train_steps" if in_steps else "max_train_epochs"] = many
    if number and found.get("lr_scheduler") == "cosine_with_restarts":
        made["lr_scheduler_num_cycles"] = number
    elif number and found.get("lr_scheduler") == "polynomial":
        made["lr_scheduler_power"] = number
    if str(found.get("lora_type", "")).lower() == "locon":
        made["network_args"] = [
            f"{key}={found[key]}" for key in ("conv_dim", "conv_alpha") if key in found
        ]
    if is_asked(found.get("training_model")):
        made["pretrained_model_name_or_path"] = checkpoint_of(found)
    if found.get("precision") in PRECISIONS:
        made["mixed_precision"] = PRECISIONS[found["precision"]]
    return made | noise_of(found) | recommended(found)


def noise_of(found: dict[str, Any]) -> dict[str, Any]:
    """The switches beside the numbers of loss and noise, and what a v-prediction model needs."""
    made: dict[str, Any] = {}
    if found.get("min_snr_gamma") is True:  # the older notebook has the switch alone
        made["min_snr_gamma"] = found.get("min_snr_gamma_value", 5.0)
    for name in ("min_snr_gamma", "ip_noise_gamma"):
        if f"{name}_enabled" in found:
            made[name] = found.get(name) if found[f"{name}_enabled"] else None
    if "multinoise" in found:
        made["multires_noise_iterations"] = _MULTINOISE if found["multinoise"] else 0
    if found.get("custom_model_is_vpred") or "V-Pred" in str(found.get("training_model")):
        for name in ("v_parameterization", "zero_terminal_snr",
                     "scale_v_pred_loss_like_noise_pred"):  # fmt: skip
            made[name] = True
    return made


def recommended(found: dict[str, Any]) -> dict[str, Any]:
    """What the newer notebook's recommended values make of the chosen optimizer."""
    name = str(found.get("optimizer", ""))
    if not found.get("recommended_values"):
        return {}
    if name == "Prodigy" or name.lower().startswith("dadapt"):
        args = ["decouple=True", "weight_decay=0.01", "betas=[0.9,0.999]"]
        if name == "Prodigy":
            args += ["d_coef=2", "use_bias_correction=True", "safeguard_warmup=True"]
        return {"unet_lr": 0.75, "text_encoder_lr": 0.75, "optimizer_args": args,
                "network_alpha": found.get("network_dim")}  # fmt: skip
    return {"optimizer_args": RECOMMENDED[name]} if name in RECOMMENDED else {}


def checkpoint_of(found: dict[str, Any]) -> str:
    """The checkpoint's file, by the name that the notebook downloads it under."""
    own = ("optional_custom_training_model_url", "optional_custom_training_model")
    address = next((found[key] for key in own if found.get(key)), "")
    inside = re.search(r"\(([^)]+)\)", str(found["training_model"]))
    return Path(address).name if address else (inside[1] if inside else "host")
