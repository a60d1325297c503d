"""The adapters, and what moves them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from .settings import setting


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """The adapters that are trained."""

    network_type: str = setting(
        "LoRA", "The kind of adapter", choices=("LoRA", "LoCon", "LoHa", "LoKr", "DoRA")
    )
    network_dim: int = setting(16, "The rank of the adapters", low=1)
    network_alpha: float = setting(8.0, "Adapters are scaled by alpha / dim", low=0)
    conv_dim: int | None = setting(None, "The rank for 3x3 convolutions (not LoRA)", low=1)
    conv_alpha: float | None = setting(None, "The alpha for 3x3 convolutions", low=0)
    network_dropout: float = setting(0.0, "Drop inner features at this rate", low=0, high=1)
    rank_dropout: float = setting(0.0, "Drop ranks at this rate", low=0, high=1)
    module_dropout: float = setting(0.0, "Skip whole adapters at this rate", low=0, high=1)
    scale_weight_norms: float | None = setting(
        None, "After each step, shrink adapters whose norm exceeds this", low=0
    )
    network_weights: str = setting("", "Go on from this LoRA file; its ranks and alphas hold")
    dim_from_weights: bool = setting(
        False, "Train the layers of network_weights only, and none that it lacks"
    )
    down_lr_weight: str = setting(
        "", "Shares of unet_lr by block (SD1 12, SDXL 9), or cosine, sine, linear, reverse_linear, "
        "zeros, +0.2 behind it to add; 0: not trained",
    )  # fmt: skip
    mid_lr_weight: str = setting("", "The same for the middle block (SD1 1, SDXL 3)")
    up_lr_weight: str = setting("", "The same for the blocks behind it (SD1 12, SDXL 9)")
    block_lr_zero_threshold: float = setting(0.0, "Shares up to this count as 0", low=0)
    block_dims: str = setting("", "network_dim by block of the UNet (SD1 25, SDXL 23)")
    block_alphas: str = setting("", "network_alpha by block")
    conv_block_dims: str = setting("", "conv_dim by block")
    conv_block_alphas: str = setting("", "conv_alpha by block")
    loraplus_lr_ratio: float | None = setting(
        None, "LoRA+: the up weights learn this many times faster", low=0
    )
    loraplus_unet_lr_ratio: float | None = setting(None, "LoRA+ of the UNet alone", low=0)
    loraplus_text_encoder_lr_ratio: float | None = setting(
        None, "LoRA+ of the text encoder alone", low=0
    )


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
    """What moves the adapters, and how fast."""

    optimizer_type: str = setting("AdamW", "The optimizer")
    optimizer_args: list[str] = setting(  # noqa: RUF009 (it is a factory)
        [], "key=value for the optimizer, as kohya writes them"
    )
    learning_rate: float = setting(1e-4, "For each part whose own rate is not given", low=0)
    unet_lr: float | None = setting(None, "Learning rate of the UNet; 0: not trained", low=0)
    text_encoder_lr: float | None = setting(
        None, "Learning rate of the text encoder; 0: not trained", low=0
    )
    text_encoder_lr2: float | None = setting(
        None, "SDXL's second text encoder, where it is not the same; 0: not trained", low=0
    )
    lr_scheduler: str = setting(
        "constant", "How the learning rate moves",
        choices=("constant", "constant_with_warmup", "linear", "cosine", "cosine_with_restarts",
                 "polynomial", "cosine_with_min_lr", "inverse_sqrt", "warmup_stable_decay",
                 "adafactor"),
    )  # fmt: skip
    lr_warmup_steps: float = setting(
        0.0, "Steps until the full learning rate; below 1: a share of all", low=0
    )
    lr_decay_steps: float = setting(
        0.0, "Steps of decay at the end of warmup_stable_decay; below 1: a share of all", low=0
    )
    lr_scheduler_num_cycles: int = setting(1, "Restarts of cosine_with_restarts", low=1)
    lr_scheduler_power: float = setting(1.0, "Power of polynomial", low=0)
    lr_scheduler_timescale: int | None = setting(
        None, "Steps that inverse_sqrt is stretched over; not set: those of the warm-up", low=1
    )
    lr_scheduler_min_lr_ratio: float | None = setting(
        None, "Where cosine_with_min_lr and warmup_stable_decay end", low=0, high=1
    )
    max_grad_norm: float = setting(1.0, "Gradients are clipped to this norm; 0: never", low=0)


class Rates(NamedTuple):
    """Learning rates by part; 0 means not trained."""

    unet: float
    text_encoder: float
    text_encoder_2: float
    """SDXL's second; the first one's where the model has one only."""


def learning_rates(config: OptimizerConfig) -> Rates:
    """The learning rates of a run, those that are not given filled in."""
    unet = config.learning_rate if config.unet_lr is None else config.unet_lr
    text = config.learning_rate if config.text_encoder_lr is None else config.text_encoder_lr
    second = text if config.text_encoder_lr2 is None else config.text_encoder_lr2
    return Rates(unet, text, second)


def conv_rank(config: NetworkConfig) -> tuple[int, float]:
    """(dim, alpha) for 3x3 convolutions; dim 0 means they are not adapted.

    LoRA has none; the others fall back to the network's own dim and alpha, as LyCORIS does.
    """
    if config.network_type == "LoRA" and config.conv_dim is None:
        return 0, 0.0
    dim = config.conv_dim or config.network_dim
    alpha = config.network_alpha if config.conv_alpha is None else config.conv_alpha
    return dim, alpha
