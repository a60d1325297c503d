"""One run: the base model, the loop, the files, and all groups together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .loss import LossConfig
from .network import NetworkConfig, OptimizerConfig
from .pictures import BucketConfig, SubsetConfig
from .sample import SampleConfig
from .settings import setting


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """The base model and how its text is read."""

    pretrained_model_name_or_path: str = setting(
        "host",
        "The checkpoint: a file, a diffusers folder, or host for the one the WebUI has loaded",
    )
    vae: str = setting("", "Another VAE than the checkpoint's own: a file or a diffusers folder")
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
    medvram: bool = setting(
        False,
        "The text encoders and the VAE wait in main memory while the UNet trains, and come back "
        "for what is encoded; with text_encoder_lr 0",
    )
    blocks_to_swap: int = setting(
        0,
        "So many of the UNet's transformer blocks (SDXL has 70) wait in main memory and come to "
        "the GPU one after another, 66 MiB less for each; with gradient_checkpointing",
        low=0,
        high=70,
    )
    weighted_captions: bool = setting(
        False, "Read (this:1.3) and [this] in captions as emphasis, as in prompts"
    )


@dataclass(frozen=True, kw_only=True)
class LoopConfig:
    """Steps, epochs, precision and memory."""

    train_batch_size: int = setting(2, "Pictures a step", low=1)
    max_train_epochs: int | None = setting(None, "Epochs; before max_train_steps", low=1)
    max_train_steps: int = setting(1600, "Steps, if the epochs are not given", low=1)
    gradient_accumulation_steps: int = setting(1, "Batches summed up for one step", low=1)
    gradient_checkpointing: bool = setting(False, "Less memory, a third more time")
    mixed_precision: str = setting("no", "Precision of the model", choices=("no", "fp16", "bf16"))
    full_bf16: bool = setting(
        False, "The adapters and their gradients in bf16 too; with mixed_precision bf16"
    )
    cache_text_encoder_outputs: bool = setting(
        True, "Encode each caption once, where the text encoder is not trained"
    )
    seed: int = setting(42, "Same seed, same files", low=0)
    vae_batch_size: int = setting(4, "Pictures encoded at once", low=1)
    cache_latents_to_disk: bool = setting(True, "Keep encoded pictures for the next run")


@dataclass(frozen=True, kw_only=True)
class SaveConfig:
    """What is written, where, and how often."""

    output_dir: str = setting("loras", "The folder for LoRA files")
    output_dir_fallback: str = setting(
        "", "A folder on another disk, used while output_dir cannot be written to"
    )
    output_name: str = setting(
        "lora", "The name of LoRA files; name-2 where an earlier run has it already"
    )
    save_every_n_epochs: int = setting(1, "An epoch's file every N epochs; 0: never", low=0)
    save_n_epoch_ratio: int | None = setting(
        None, "At least this many epochs' files in all; before save_every_n_epochs", low=1
    )
    save_last_n_epochs: int | None = setting(None, "Keep the files of the last N epochs", low=1)
    save_every_n_steps: int | None = setting(None, "A file every N steps too", low=1)
    save_last_n_steps: int | None = setting(
        None, "Drop files of steps that are more than N steps old", low=1
    )
    save_state_every_n_steps: int | None = setting(
        None, "Keep the state to resume from every N steps too", low=1
    )
    save_state_every_n_minutes: float = setting(
        5.0, "Keep the state to resume from every N minutes; 0: only with a file", low=0
    )
    save_precision: str = setting(
        "fp16", "Precision of the files", choices=("fp16", "bf16", "float")
    )
    training_comment: str = setting("", "Kept in the file's metadata")
    metadata_title: str = setting("", "The file's title in its metadata; output_name if empty")
    metadata_author: str = setting("", "The file's author in its metadata")
    metadata_description: str = setting("", "The file's description in its metadata")
    metadata_license: str = setting("", "The file's licence in its metadata")
    metadata_tags: str = setting("", "Tags of the file in its metadata, by commas")
    no_metadata: bool = setting(False, "Tell in the file only what is needed to load it")


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
    sample: SampleConfig = field(default_factory=SampleConfig, metadata={"help": "Samples"})


GROUPS: dict[str, type[Any]] = {
    "model": ModelConfig, "bucket": BucketConfig, "network": NetworkConfig,
    "optimizer": OptimizerConfig, "loss": LossConfig, "loop": LoopConfig, "save": SaveConfig,
    "sample": SampleConfig,
}  # fmt: skip
"""The groups of TrainingConfig that are flat in the run file."""
