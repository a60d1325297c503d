"""What is trained at which learning rate, and whether a gradient reaches all of it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..config import NetworkConfig, TrainingConfig, learning_rates
from ..errors import UserError
from ..models.trainable import TrainableModel
from ..networks import blocks
from ..networks.attach import Network
from .optimizers import is_adaptive

TEXT_LAYER = re.compile(r"(lora_te\d?)_text_model_encoder_layers_(\d+)_")
PARTS = ("unet", "text_encoder")
ATTENTION = re.compile(r"_(to_(q|k|v)|(q|k|v)_proj)$")
NOT_LORA = ("LoHa", "LoKr", "DoRA")
"""Kinds that know no dropout of inner features."""
UNLIKELY = 1e-9
"""How likely it may be that module_dropout alone kept an adapter from its gradient."""


def parameter_groups(config: TrainingConfig, network: Network) -> list[dict[str, Any]]:
    """kohya's groups, in its order: text encoder, then UNet or its blocks, LoRA+ apart.

    What has a learning rate of 0 is in none.
    """
    rates = learning_rates(config.optimizer)
    by_block = blocks.blocks_of(config.network, (it.name for it in network.targets))
    found: dict[str, dict[str, Any]] = {}
    for target, adapter in network.trained():
        name, rate = blocks.group_of(target.name, target.part, rates, by_block)
        ratio = plus_ratio(config.network, target.part)
        for key, parameter in adapter.named_parameters():
            faster = ratio is not None and "lora_up" in key
            title = name + " plus" * faster
            lr = rate * ratio if faster and ratio is not None else rate
            group = found.setdefault(title, {"name": title, "lr": lr, "params": []})
            group["params"].append(parameter)
    return [group for group in found.values() if group["lr"] > 0]


def problems(config: TrainingConfig) -> list[str]:
    """What does not fit together in the network's settings, in words that say what to do."""
    network, kind = config.network, config.network.network_type
    wrong = blocks.problems(network)
    plus = sorted({it for part in PARTS if (it := plus_ratio(network, part))})
    if plus and kind in ("LoHa", "LoKr"):
        wrong.append(f"loraplus_lr_ratio has nothing to work on in a {kind}: leave it out")
    if network.network_dropout and kind in NOT_LORA:
        wrong.append(
            f"network_dropout does nothing in a {kind}: set rank_dropout or module_dropout instead"
        )
    dropouts = {
        "network_dropout": network.network_dropout, "rank_dropout": network.rank_dropout,
        "module_dropout": network.module_dropout,
    }  # fmt: skip
    wrong += [
        f"{name} is 1, so nothing would be left to train: 0.1 is usual"
        for name, rate in dropouts.items() if rate == 1
    ]  # fmt: skip
    shares = {network.down_lr_weight, network.mid_lr_weight, network.up_lr_weight} - {""}
    if is_adaptive(config.optimizer.optimizer_type) and (plus not in ([], [1.0]) or shares):
        wrong.append(
            f"{config.optimizer.optimizer_type} needs one learning rate for all: leave out "
            "loraplus_lr_ratio and down_, mid_ and up_lr_weight, or choose AdamW"
        )
    return wrong


def plus_ratio(config: NetworkConfig, part: str) -> float | None:
    """LoRA+'s ratio of a part (arXiv 2402.12354), None where it is not used."""
    of_text = part == "text_encoder"
    own = config.loraplus_text_encoder_lr_ratio if of_text else config.loraplus_unet_lr_ratio
    return own or config.loraplus_lr_ratio or None


@dataclass
class GradientCheck:
    """Stops a run in which some adapters get no gradient, before it has cost an hour.

    Some attention kernels compute no gradient and say nothing; what stands before them then stays
    as it was while the loss falls.
    """

    silent: set[str]
    """Adapters in which no gradient was seen yet, those left out that can have none."""
    looks: int
    """Steps until all must have had one."""

    @classmethod
    def of(cls, network: Network, config: TrainingConfig, model: TrainableModel) -> GradientCheck:
        """A check of all that is trained."""
        unread = unread_layers((layer.name for layer in model.layers()), model, config)
        wanted = {target.name for target, _ in network.trained()} - unread
        return cls(wanted, looks_for(config.network.module_dropout))

    def look(self, network: Network) -> None:
        """Look at the gradients of a step; UserError where one is missing for good."""
        if not self.silent:
            return
        self.silent = {
            name for name in self.silent
            if all(it.grad is None for it in network.adapters[name].parameters())
        }  # fmt: skip
        self.looks -= 1
        if self.silent and self.looks <= 0:
            raise self.refusal(len(network.trained()))

    def refusal(self, trained: int) -> UserError:
        """What is told of the adapters without a gradient."""
        names = sorted(self.silent)
        to_do = "Turn gradient_checkpointing off, or leave these layers out."
        if all(ATTENTION.search(name) for name in names):
            to_do = (
                "The attention in use has no gradient: start the WebUI with --opt-sdp-attention, "
                "without xformers, sage or flash attention."
            )
        return UserError(
            f"No gradient reaches {len(names)} of {trained} adapters, such as "
            f"{', '.join(names[:3])}, so they would never learn",
            "the first step", to_do,
        )  # fmt: skip


def looks_for(module_dropout: float) -> int:
    """Steps after which an adapter that module_dropout skips at times must have been in one."""
    if not 0 < module_dropout < 1:
        return 1
    return max(1, math.ceil(math.log(UNLIKELY) / math.log(module_dropout)))


def unread_layers(names: Iterable[str], model: TrainableModel, config: TrainingConfig) -> set[str]:
    """Text layers whose output no one reads, so that they have no gradient.

    Under clip_skip the last ones; of SDXL's first encoder the last; of SD2's the last where the
    host has not cut it off.
    """
    found = [(match[1], int(match[2]), name) for name in names if (match := TEXT_LAYER.match(name))]
    depths = {encoder: 1 + max(n for it, n, _ in found if it == encoder) for encoder, _, _ in found}
    skipped = {
        "lora_te": 1 if model.family.name == "sd2" else (config.model.clip_skip or 1) - 1,
        "lora_te1": 1, "lora_te2": 0,
    }  # fmt: skip
    return {name for encoder, layer, name in found if layer >= depths[encoder] - skipped[encoder]}
