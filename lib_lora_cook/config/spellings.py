"""Other ways in which sd-scripts' people write a setting, put as the one that is here."""

from __future__ import annotations

from typing import Any

ONLY = {
    "network_train_unet_only": ("text_encoder_lr", "text_encoder_lr2"),
    "network_train_text_encoder_only": ("unet_lr",),
}
"""Switches that say of which part alone there are adapters: the others' learning rates are 0."""
RENAMED = {
    "text_encoder_lr1": "text_encoder_lr", "learning_rate_te1": "text_encoder_lr",
    "learning_rate_te2": "text_encoder_lr2", "train_unet_only": "network_train_unet_only",
    "train_text_encoder_only": "network_train_text_encoder_only",
}  # fmt: skip
SPELT = (*ONLY, *RENAMED)
"""Names that are no settings, but are read as some."""
NUMBERS = (
    "down_lr_weight", "mid_lr_weight", "up_lr_weight", "block_dims", "block_alphas",
    "conv_block_dims", "conv_block_alphas",
)  # fmt: skip
"""Lists that kohya writes as text."""
STEPS = ("lr_warmup_steps", "lr_decay_steps")


def respelt(table: dict[str, Any]) -> dict[str, Any]:
    """A run file's table with every setting under its own name and in its own form."""
    found = {RENAMED.get(key, key): value for key, value in table.items()}
    rates = found.get("text_encoder_lr")
    if isinstance(rates, list) and 0 < len(rates) < 3:  # one a text encoder
        found |= {"text_encoder_lr": rates[0], "text_encoder_lr2": rates[-1]}
    for switch, others in ONLY.items():
        if isinstance(found.get(switch), bool) and found.pop(switch):
            found |= dict.fromkeys(others, 0.0)
    for name in NUMBERS:
        value = found.get(name)
        if isinstance(value, list | int | float) and not isinstance(value, bool):
            found[name] = ",".join(map(str, value if isinstance(value, list) else [value]))
    for name in STEPS:
        value = found.get(name)
        if isinstance(value, str) and value.strip().removesuffix("%").isdecimal():
            number = float(value.strip().removesuffix("%"))
            found[name] = number / 100 if value.strip().endswith("%") else number
    return found
