"""A model of SD1.5's or SDXL's true size with random weights, and pictures to train on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import (
    AutoencoderKL,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from PIL import Image
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from tests import real_models, tiny_models


def write_model(family: str, folder: Path) -> None:
    """A diffusers folder: SD1.5 in fp32, 4.3 GB, or SDXL in bf16, 6.9 GB."""
    before = torch.get_default_dtype()
    folder.mkdir(parents=True)
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float32 if family == "sd1" else torch.bfloat16)
    try:
        pipeline = make_sd1(folder) if family == "sd1" else make_sdxl(folder)
    finally:
        torch.set_default_dtype(before)
    pipeline.save_pretrained(str(folder))


def make_vae(scale: float) -> AutoencoderKL:
    """Both families' VAE: 84 million weights."""
    return AutoencoderKL(
        block_out_channels=(128, 256, 512, 512), layers_per_block=2, latent_channels=4,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        scaling_factor=scale,
    )  # fmt: skip


def make_sd1(folder: Path) -> Any:
    """A pipeline of SD1.5's sizes; the tokenizer's files are in the folder."""
    return StableDiffusionPipeline(
        make_vae(0.18215), CLIPTextModel(real_models.CLIP_L), tiny_models.tokenizer(folder),
        UNet2DConditionModel(**real_models.SD1_UNET), tiny_models.scheduler(), None, None,
        requires_safety_checker=False,
    )  # fmt: skip


def make_sdxl(folder: Path) -> Any:
    """A pipeline of SDXL's sizes."""
    return StableDiffusionXLPipeline(
        make_vae(0.13025), CLIPTextModel(real_models.CLIP_L),
        CLIPTextModelWithProjection(real_models.BIG_G), tiny_models.tokenizer(folder),
        tiny_models.tokenizer(folder, pad="!"), UNet2DConditionModel(**real_models.SDXL_UNET),
        tiny_models.scheduler(),
    )  # fmt: skip


def write_pictures(folder: Path, side: int, count: int) -> None:
    """As many pictures of one size, each with a caption."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        blocks = np.random.default_rng(index).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(blocks).resize((side, side)).save(folder / f"{index}.png")
        (folder / f"{index}.txt").write_text("a red star, girl, solo, hair", encoding="utf-8")
