"""Every setting of a run, under kohya's name where kohya has one.

A setting is a dataclass field made by `setting()`: type, default and help stand in one place, and
the run file, the page and the command line are all built from them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import Field, dataclass, field, fields
from typing import Any


def setting(default: Any, help: str, *, choices: tuple[str, ...] = (), low: float | None = None,
            high: float | None = None) -> Any:  # fmt: skip
    """A dataclass field with its help line, its choices and its inclusive bounds."""
    metadata = {"help": help, "choices": choices, "low": low, "high": high}
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """The base model and how its text is read."""

    pretrained_model_name_or_path: str = setting(
        "host",
        "The checkpoint: a file, a diffusers folder, or host for the one the WebUI has loaded",
    )
    v_parameterization: bool = setting(
        False, "The model predicts velocity; set for v-prediction checkpoints that do not say so"
    )
    clip_skip: int | None = setting(
        None,
        "Take the text encoder's output N layers before its end (NAI family: 2)",
        low=1,
        high=12,
    )
    max_token_length: int = setting(
        225, "Tokens a caption may have: 75, 150 or 225", low=75, high=225
    )


@dataclass(frozen=True, kw_only=True)
class SubsetConfig:
    """One folder of pictures and what is done to its captions."""

    image_dir: str = setting("", "The folder of pictures; 3_name means 3 repeats")
    num_repeats: int | None = setting(
        None, "How often each picture comes in an epoch; from the folder's name if left out", low=1
    )
    class_tokens: str = setting("", "The caption of a picture that has none (the trigger)")
    caption_extension: str = setting(".txt", "The ending of caption files")
    is_reg: bool = setting(False, "Regularisation pictures: weighed by prior_loss_weight")
    keep_tokens: int = setting(
        0, "The first N tags stay where they are when tags are shuffled", low=0
    )
    keep_tokens_separator: str = setting("", "Tags before this mark stay where they are")
    shuffle_caption: bool = setting(False, "Shuffle the tags at each use")
    caption_prefix: str = setting("", "Put before every caption")
    caption_suffix: str = setting("", "Put behind every caption")
    caption_dropout_rate: float = setting(
        0.0, "How often a caption is left out whole", low=0, high=1
    )
    caption_dropout_every_n_epochs: int = setting(0, "Leave captions out in every Nth epoch", low=0)
    caption_tag_dropout_rate: float = setting(0.0, "How often each tag is left out", low=0, high=1)
    enable_wildcard: bool = setting(
        False, "Choose one of {a|b} and one line of a caption of several lines at each use"
    )
    secondary_separator: str = setting("", "Joins tags that move together when tags are shuffled")
    flip_aug: bool = setting(False, "Mirror half of the pictures; not for asymmetric characters")


@dataclass(frozen=True, kw_only=True)
class BucketConfig:
    """The sizes in pixels at which pictures are trained."""

    resolution: tuple[int, int] = setting(
        (512, 512), "Width and height of the pixel budget; one number for a square"
    )
    enable_bucket: bool = setting(True, "Train each picture near its own aspect ratio")
    min_bucket_reso: int | None = setting(
        None, "The shortest side of a bucket (256, or less where the resolution is)", low=8
    )
    max_bucket_reso: int | None = setting(
        None, "The longest side of a bucket (1024, or more where the resolution is)", low=8
    )
    bucket_reso_steps: int = setting(64, "Bucket sides are multiples of this", low=8)
    bucket_no_upscale: bool = setting(False, "Never enlarge a picture to reach a bucket")


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


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """The equation: noise, target and weight of the loss."""

    loss_type: str = setting(
        "l2", "Distance to the target", choices=("l2", "l1", "huber", "smooth_l1")
    )
    huber_schedule: str = setting(
        "snr", "How huber_c moves with the timestep", choices=("constant", "exponential", "snr")
    )
    huber_c: float = setting(0.1, "Where huber turns from square to straight", low=0)
    huber_scale: float = setting(1.0, "Scales huber_c", low=0)
    min_snr_gamma: float | None = setting(None, "Min-SNR weighting, 5 is usual", low=0)
    debiased_estimation_loss: bool = setting(False, "Weigh by 1 / sqrt(SNR)")
    scale_v_pred_loss_like_noise_pred: bool = setting(
        False, "Weigh a v-prediction loss like one of noise"
    )
    v_pred_like_loss: float | None = setting(None, "Add this much of a v-like loss", low=0)
    noise_offset: float | None = setting(
        None, "Offset of the noise by channel; 0.1 is usual", low=0
    )
    noise_offset_random_strength: bool = setting(False, "Between 0 and noise_offset at each step")
    adaptive_noise_scale: float | None = setting(
        None, "Adds |mean of latents| * this to noise_offset"
    )
    multires_noise_iterations: int = setting(
        0, "Levels of multi-resolution noise; 6 is usual", low=0
    )
    multires_noise_discount: float = setting(0.3, "Strength of each level to the last", low=0)
    ip_noise_gamma: float | None = setting(None, "Input perturbation noise; 0.1 is usual", low=0)
    ip_noise_gamma_random_strength: bool = setting(
        False, "Between 0 and ip_noise_gamma at each step"
    )
    zero_terminal_snr: bool = setting(False, "Rescale the schedule to end in pure noise")
    min_timestep: int = setting(0, "The first timestep trained", low=0, high=999)
    max_timestep: int = setting(1000, "One past the last timestep trained", low=1, high=1000)
    prior_loss_weight: float = setting(1.0, "Weight of regularisation pictures", low=0)


@dataclass(frozen=True, kw_only=True)
class LoopConfig:
    """Steps, epochs, precision and memory."""

    train_batch_size: int = setting(2, "Pictures a step", low=1)
    max_train_epochs: int | None = setting(None, "Epochs; before max_train_steps", low=1)
    max_train_steps: int = setting(1600, "Steps, if the epochs are not given", low=1)
    gradient_accumulation_steps: int = setting(1, "Batches summed up for one step", low=1)
    gradient_checkpointing: bool = setting(False, "Less memory, a third more time")
    mixed_precision: str = setting("no", "Precision of the model", choices=("no", "fp16", "bf16"))
    seed: int = setting(42, "Same seed, same files", low=0)
    vae_batch_size: int = setting(4, "Pictures encoded at once", low=1)
    cache_latents_to_disk: bool = setting(True, "Keep encoded pictures for the next run")


@dataclass(frozen=True, kw_only=True)
class SaveConfig:
    """What is written, where, and how often."""

    output_dir: str = setting("loras", "The folder for LoRA files")
    output_name: str = setting("lora", "The name of LoRA files")
    save_every_n_epochs: int = setting(1, "An epoch's file every N epochs", low=1)
    save_last_n_epochs: int | None = setting(None, "Keep the files of the last N epochs", low=1)
    save_precision: str = setting(
        "fp16", "Precision of the files", choices=("fp16", "bf16", "float")
    )
    training_comment: str = setting("", "Kept in the file's metadata")


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """One run. Its groups are flat in the run file: no two share a name."""

    model: ModelConfig = field(default_factory=ModelConfig, metadata={"help": "The base model"})
    subsets: tuple[SubsetConfig, ...] = field(default=(), metadata={"help": "Folders of pictures"})
    bucket: BucketConfig = field(default_factory=BucketConfig, metadata={"help": "Sizes"})
    network: NetworkConfig = field(default_factory=NetworkConfig, metadata={"help": "Adapters"})
    optimizer: OptimizerConfig = field(
        default_factory=OptimizerConfig, metadata={"help": "Optimizer and learning rates"}
    )
    loss: LossConfig = field(default_factory=LossConfig, metadata={"help": "Noise and loss"})
    loop: LoopConfig = field(default_factory=LoopConfig, metadata={"help": "Steps and memory"})
    save: SaveConfig = field(default_factory=SaveConfig, metadata={"help": "Files"})


@dataclass(frozen=True, kw_only=True)
class SweepConfig:
    """A sheet of pictures: epoch x weight x prompt x seed."""

    loras: tuple[str, ...] = setting((), "LoRA files, one an epoch")
    weights: tuple[float, ...] = setting((0.0, 0.4, 0.6, 0.8, 1.0), "Weights to try")
    prompts: tuple[str, ...] = setting((), "Prompts to try")
    negative_prompt: str = setting("", "What to keep out of every picture")
    seeds: tuple[int, ...] = setting((1,), "One picture a seed in every cell")
    steps: int = setting(20, "Sampling steps", low=1)
    cfg_scale: float = setting(7.0, "How closely to follow the prompt", low=1)
    width: int = setting(0, "Picture width in pixels; 0: the model's own", low=0)
    height: int = setting(0, "Picture height in pixels; 0: the model's own", low=0)


GROUPS: dict[str, type[Any]] = {
    "model": ModelConfig, "bucket": BucketConfig, "network": NetworkConfig,
    "optimizer": OptimizerConfig, "loss": LossConfig, "loop": LoopConfig, "save": SaveConfig,
}  # fmt: skip
"""The groups of TrainingConfig that are flat in the run file."""


def settings_of(config: Any) -> Iterator[tuple[str, Field[Any], Any]]:
    """(name, field, value) of every setting of one group."""
    for item in fields(config):
        yield item.name, item, getattr(config, item.name)


def out_of_bounds(config: Any) -> list[str]:
    """What of one group is outside the choices and bounds that its settings declare."""
    wrong = []
    for name, item, value in settings_of(config):
        choices, low, high = (item.metadata[key] for key in ("choices", "low", "high"))
        if choices and value not in choices:
            wrong.append(f"{name} is {value!r}: choose one of {', '.join(choices)}")
        for number in value if isinstance(value, tuple) else (value,):
            if isinstance(number, bool) or not isinstance(number, (int, float)):
                continue
            if not math.isfinite(number):
                wrong.append(f"{name} is {number}: give a number")
            elif low is not None and number < low:
                wrong.append(f"{name} is {number}: give {low} or more")
            elif high is not None and number > high:
                wrong.append(f"{name} is {number}: give {high} or less")
    return wrong


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
