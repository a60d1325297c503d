"""The adapters, and what moves them."""

from __future__ import annotations

from dataclasses import dataclass

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
    network_weights: str = setting("", "Go on from this LoRA file")


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
    lr_scheduler: str = setting(
        "constant", "How the learning rate moves",
        choices=("constant", "constant_with_warmup", "linear", "cosine", "cosine_with_restarts",
                 "polynomial"),
    )  # fmt: skip
    lr_warmup_steps: float = setting(
        0.0, "Steps until the full learning rate; below 1: a share of all", low=0
    )
    lr_scheduler_num_cycles: int = setting(1, "Restarts of cosine_with_restarts", low=1)
    lr_scheduler_power: float = setting(1.0, "Power of polynomial", low=0)
    max_grad_norm: float = setting(1.0, "Gradients are clipped to this norm; 0: never", low=0)


def learning_rates(config: OptimizerConfig) -> tuple[float, float]:
    """(UNet, text encoder) learning rates; 0 means not trained."""
    unet = config.learning_rate if config.unet_lr is None else config.unet_lr
    text = config.learning_rate if config.text_encoder_lr is None else config.text_encoder_lr
    return unet, text


def conv_rank(config: NetworkConfig) -> tuple[int, float]:
    """(dim, alpha) for 3x3 convolutions; dim 0 means they are not adapted.

    LoRA has none; the others fall back to the network's own dim and alpha, as LyCORIS does.
    """
    if config.network_type == "LoRA" and config.conv_dim is None:
        return 0, 0.0
    dim = config.conv_dim or config.network_dim
    alpha = config.network_alpha if config.conv_alpha is None else config.conv_alpha
    return dim, alpha
