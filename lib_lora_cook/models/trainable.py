"""What a trainer needs of a diffusion model, whoever holds it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class ModelFamily:
    """The facts that hold for every checkpoint of one architecture."""

    name: str
    base_model_version: str
    """kohya's `ss_base_model_version`, without the _v of v-prediction."""
    architecture: str
    """`modelspec.architecture` of a LoRA (SAI ModelSpec 1.0.1)."""
    implementation: str
    text_prefixes: tuple[str, ...]
    """kohya's key prefixes of the text encoders."""
    latent_scale: float
    resolution: int


SD1 = ModelFamily(
    "sd1", "sd_v1", "stable-diffusion-v1/lora", "diffusers", ("lora_te",), 0.18215, 512
)
SD2 = ModelFamily(
    "sd2", "sd_v2", "stable-diffusion-v2-512/lora", "diffusers", ("lora_te",), 0.18215, 512
)
SDXL = ModelFamily(
    "sdxl", "sdxl_base_v1-0", "stable-diffusion-xl-v1-base/lora",
    "https://github.com/Stability-AI/generative-models", ("lora_te1", "lora_te2"), 0.13025, 1024,
)  # fmt: skip


@dataclass(frozen=True)
class Layer:
    """A layer that can be adapted: its kohya name, its module and where it stands."""

    name: str
    """kohya's module name, such as `lora_unet_mid_block_attentions_0_proj_in`."""
    module: nn.Module
    part: str
    """`unet` or `text_encoder`: which learning rate it follows."""
    place: str
    """`text`, `attention`, `resnet` (its resamplers too) or `outer`."""


@dataclass(frozen=True)
class PictureSize:
    """SDXL's size conditioning of one picture, in pixels as (height, width) or (top, left)."""

    original: tuple[int, int]
    crop: tuple[int, int]
    target: tuple[int, int]


@dataclass(frozen=True)
class Conditioning:
    """What the UNet is told.

    hidden: [B, T, C] text states; pooled: [B, P] and size_ids: [B, 6] for SDXL, else None.
    """

    hidden: Tensor
    pooled: Tensor | None = None
    size_ids: Tensor | None = None


def size_ids(sizes: Sequence[PictureSize], device: torch.device) -> Tensor:
    """[B, 6] in fp32: original height and width, crop top and left, target height and width."""
    rows = [[*size.original, *size.crop, *size.target] for size in sizes]
    return torch.tensor(rows, dtype=torch.float32).to(device, non_blocking=True)


class TrainableModel(Protocol):
    """A live diffusion model, frozen, on its device; the layers are the host's own modules."""

    family: ModelFamily
    device: torch.device
    dtype: torch.dtype
    checkpoint: str
    """The checkpoint's file or folder name."""
    checkpoint_hash: str
    """sha256 of the checkpoint, or empty where nobody has computed it."""
    alphas_cumprod: Tensor
    """[1000], fp32, before any zero-terminal rescale."""
    v_prediction: bool

    def layers(self) -> list[Layer]:
        """Every layer that can be adapted, text encoders first, in the model's own order."""

    def encode_text(
        self, captions: Sequence[str], sizes: Sequence[PictureSize] | None = None
    ) -> Conditioning:
        """Captions [B] to conditioning; gradients flow to adapters of the text encoder."""

    def encode_images(self, pixels: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
        """Pixels [B, 3, H, W] in -1..1 to scaled latents [B, 4, H/8, W/8], sampled."""

    def encoding(self) -> AbstractContextManager[None]:
        """While many pictures are encoded: what that takes is at hand, what waits may wait."""

    def predict(self, noisy: Tensor, timesteps: Tensor, conditioning: Conditioning) -> Tensor:
        """The UNet's output [B, 4, h, w] for noisy latents at timesteps [B]."""

    def vae_fingerprint(self) -> str:
        """A short name of the VAE's weights: equal names, equal latents."""

    def movable(self) -> dict[str, list[nn.Module]]:
        """What can wait in main memory, by the setting that asks for it."""

    def train(self, checkpointing: bool) -> None:
        """Make ready for gradients; checkpointing trades time for memory."""
