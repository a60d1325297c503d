"""sd-scripts' arguments as our settings: the one place that knows what each of them is here."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from ..config import GROUPS, SubsetConfig, out_of_bounds
from ..config.spellings import STEPS, respelt
from ..config_file import GROUP_OF, SUBSET_KEYS
from .base import Foreign, Table, is_asked, listed

RENAMED = {
    "batch_size": "train_batch_size", "v_pred": "v_parameterization",
    "warmup_ratio": "lr_warmup_steps", "lr_warmup_ratio": "lr_warmup_steps",
    "caption_extention": "caption_extension",  # sd-scripts' own old spelling
    "multinoise_iterations": "multires_noise_iterations", "optimizer": "optimizer_type",
    "scale_weight_norm": "scale_weight_norms",
}  # fmt: skip
"""Old and other spellings of the same setting."""
NOT_NEEDED = {
    name: why
    for names, why in (
        ("xformers sdpa mem_eff_attn split_attn", "attention is the host's, or PyTorch's own"),
        ("cache_latents skip_cache_check", "latents are always kept"),
        ("cache_text_encoder_outputs cache_text_encoder_outputs_to_disk text_encoder_batch_size",
         "encoded captions are kept whenever the text encoder is not trained"),
        ("max_data_loader_n_workers persistent_data_loader_workers num_cpu_threads_per_process",
         "there are no loader processes"),
        ("lowram highvram disable_mmap_load_safetensors tokenizer_cache_dir sdxl v2",
         "the host has loaded the model, which says itself what it is"),
        ("no_half_vae", "the VAE runs in the precision that its host gave it"),
        ("logging_dir log_with log_prefix log_config log_tracker_name log_tracker_config "
         "wandb_run_name wandb_api_key console_log_level console_log_file console_log_simple "
         "output_config debug_dataset", "the run's own log is always written"),
        ("save_state save_state_on_train_end save_last_n_epochs_state save_last_n_steps_state",
         "the state is always kept for a resume"),
    )
    for name in names.split()
}  # fmt: skip
"""Arguments that change nothing in the LoRA, and why."""
READ_ELSEWHERE = {
    "network_module", "network_args", "dataset_config", "train_data_dir", "reg_data_dir",
    "network_train_unet_only", "network_train_text_encoder_only", "use_8bit_adam",
    "use_lion_optimizer",
}  # fmt: skip
"""Arguments that other settings say here."""
ALGORITHMS = {"lora": "LoRA", "locon": "LoCon", "loha": "LoHa", "lokr": "LoKr", "dora": "DoRA"}
KINDS = {name: get_type_hints(kind) for name, kind in GROUPS.items()}
SUBSET_HINTS = get_type_hints(SubsetConfig)
NEUTRAL = {
    "save_model_as": "safetensors", "dynamo_backend": "no", "conv_block_dims": "",
    "network_multiplier": 1.0, "train_mode": "lora", "dataset_class": "", "caption_separator": ",",
    "dynamo_mode": "default", "network_alpha_type": "", "preserve_length": False,
}  # fmt: skip
"""Values of arguments we do not have that ask for nothing, beside the empty ones."""


@dataclass
class Translated:
    """A run in our words, and what of the file has none."""

    table: Table = field(default_factory=dict)
    """Our run file: flat settings, and `subsets`."""
    unknown: list[str] = field(default_factory=list)
    not_needed: dict[str, str] = field(default_factory=dict)
    """Argument -> why nothing is lost without it."""


def translate(foreign: Foreign) -> Translated:
    """sd-scripts' arguments and subsets as a run file; what we do not have is listed by name."""
    done = Translated({"version": 1}, list(foreign.unknown))
    arguments = {RENAMED.get(key, key): value for key, value in foreign.arguments.items()}
    arguments |= network_settings(arguments, done.unknown)
    arguments |= trained_parts(arguments)
    shared = {key: arguments.pop(key) for key in list(arguments) if key in SUBSET_KEYS}
    for key, value in arguments.items():
        if key in GROUP_OF:
            hints, kind = KINDS[GROUP_OF[key]], GROUPS[GROUP_OF[key]]
            put(done, done.table, (kind, hints), key, value)
        else:
            leave_out(done, key, value)
    if not foreign.subsets:  # what holds for every folder stands on top until there is one
        done.table |= subset_table(done, shared)
    done.table["subsets"] = [subset_table(done, shared | one) for one in foreign.subsets]
    done.unknown = list(dict.fromkeys(done.unknown))
    return done


def subset_table(done: Translated, foreign: Table) -> Table:
    """One subset in our words."""
    table: Table = {}
    for key, value in foreign.items():
        key = RENAMED.get(key, key)
        if key in SUBSET_KEYS:
            put(done, table, (SubsetConfig, SUBSET_HINTS), key, value)
        elif key not in ("name", "custom_attributes"):
            leave_out(done, key, value)
    return table


def put(done: Translated, table: Table, home: tuple[Any, Table], key: str, value: Any) -> None:
    """One setting in its own type; a value we do not take is listed with its name."""
    kind, hints = home
    if value is None or value == "":
        return
    try:
        read = coerced(hints[key], value)
        wrong = out_of_bounds(kind(**{key: read}))
    except (TypeError, ValueError, SyntaxError):
        wrong = ["not of its type"]
    if not wrong:
        table[key] = list(read) if isinstance(read, tuple) else read
    elif is_asked(value):
        done.unknown.append(f"{key} = {value}")


def leave_out(done: Translated, key: str, value: Any) -> None:
    """An argument we do not have: named, unless it asks for nothing."""
    if key in READ_ELSEWHERE:
        return
    if key in NOT_NEEDED:
        if is_asked(value):
            done.not_needed[key] = NOT_NEEDED[key]
    elif is_asked(value) and NEUTRAL.get(key) != value:
        done.unknown.append(key)


def coerced(wanted: Any, value: Any) -> Any:
    """A value in a setting's type; texts such as "16", "True" and "512,768" count as what they say.

    TypeError, ValueError or SyntaxError where it is nothing of the kind.
    """
    origin, options = get_origin(wanted), get_args(wanted)
    if origin is UnionType:
        return coerced(next(it for it in options if it is not NoneType), value)
    if origin is list and options[0] is str:
        return listed(value)
    if origin in (list, tuple):
        items = list(numbers(value))
        if origin is tuple and len(items) == 1:
            items *= 2
        if origin is tuple and len(options) == 2 and options[1] is not Ellipsis:
            left, right = items
            items = [left, right]
        made = [coerced(options[0], item) for item in items]
        return made if origin is list else tuple(made)
    if wanted is bool:
        return switch(value)
    if wanted in (int, float) and isinstance(value, bool):
        raise TypeError(value)
    if wanted is int:
        number = float(value)
        if number != int(number):
            raise ValueError(value)
        return int(number)
    if wanted is float:
        return float(value)
    return str(value)


def numbers(value: Any) -> Iterable[Any]:
    """`512`, `[512, 768]`, "512,768" or "(512, 768)" as its numbers."""
    if isinstance(value, str):
        return [part for part in value.strip("()[] ").split(",") if part.strip()]
    return value if isinstance(value, (list, tuple)) else [value]


def switch(value: Any) -> bool:
    """A switch, written as one of the ways in which people's files write them."""
    text = str(value).strip().lower()
    if text in ("true", "1", "yes", "on", "1.0"):
        return True
    if text in ("false", "0", "no", "off", "0.0"):
        return False
    raise ValueError(value)


def network_settings(arguments: Table, unknown: list[str]) -> Table:
    """`network_module` and its `network_args` as our network_type and the rest."""
    given = dict(part.partition("=")[::2] for part in listed(arguments.get("network_args")))
    given = {key.strip(): value.strip() for key, value in given.items()}
    module = str(arguments.get("network_module") or "networks.lora")
    algorithm = given.pop("algo", "locon" if "conv_dim" in given else "lora").lower()
    if "lycoris" in module and algorithm == "lora":
        algorithm = "locon"  # LyCORIS' name for it
    dora = switch(given.pop("dora_wd", False)) or switch(given.pop("weight_decompose", False))
    if module not in ("networks.lora", "lycoris.kohya"):
        unknown.append(f"network_module = {module}")
    elif algorithm not in ALGORITHMS or (dora and algorithm not in ("lora", "locon")):
        unknown.append(f"algo = {algorithm}" + (" with dora_wd" if dora else ""))
    settings: Table = {"network_type": "DoRA" if dora else ALGORITHMS.get(algorithm, "LoRA")}
    settings |= {RENAMED.get(key, DROPOUTS.get(key, key)): it for key, it in given.items()}
    if arguments.get("optimizer_args"):
        settings["optimizer_args"] = listed(arguments["optimizer_args"])
    return settings


DROPOUTS = {"dropout": "network_dropout", "decompose_both": "decompose_both"}
"""LyCORIS' names of what sd-scripts calls otherwise."""


def trained_parts(arguments: Table) -> Table:
    """Which parts are trained, and by which 8-bit optimizer, in today's arguments."""
    settings: Table = {}
    if is_asked(arguments.get("network_train_unet_only")):
        settings["text_encoder_lr"] = 0.0
    if is_asked(arguments.get("network_train_text_encoder_only")):
        settings["unet_lr"] = 0.0
    if is_asked(arguments.get("use_8bit_adam")) and not arguments.get("optimizer_type"):
        settings["optimizer_type"] = "AdamW8bit"
    if is_asked(arguments.get("use_lion_optimizer")) and not arguments.get("optimizer_type"):
        settings["optimizer_type"] = "Lion"
    optimizer = str(arguments.get("optimizer_type", ""))
    if optimizer.startswith("LoraEasyCustomOptimizer."):
        settings["optimizer_type"] = optimizer.rpartition(".")[2]
    rates = arguments.get("text_encoder_lr")
    if isinstance(rates, list) and rates and "text_encoder_lr" not in settings:
        settings["text_encoder_lr"] = rates[0]  # its LoRA has one rate for both encoders
    shares = respelt({name: it for name in STEPS if isinstance(it := arguments.get(name), str)})
    return settings | {name: it for name, it in shares.items() if isinstance(it, float)}


def literal(text: str) -> Any:
    """A Python literal's value, or the text itself."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
