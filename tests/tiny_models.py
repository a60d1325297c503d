"""Random models of the right architectures, small enough for a test."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
)

WORDS = ["a", "b", "girl", "red", "hair", "solo", "star", ","]


def tokenizer(folder: Path, pad: str = "<|endoftext|>") -> CLIPTokenizer:
    """A CLIP tokenizer that knows single letters and a few words."""
    letters = [chr(code) for code in range(33, 127)]
    units = [*letters, *(letter + "</w>" for letter in letters)]
    merges: list[str] = []
    for word in WORDS:
        parts = [*word[:-1], word[-1] + "</w>"]
        while len(parts) > 1:
            merge = f"{parts[0]} {parts[1]}"
            if merge not in merges:
                merges.append(merge)
                units.append(parts[0] + parts[1])
            parts = [parts[0] + parts[1], *parts[2:]]
    vocabulary = {unit: index for index, unit in enumerate(dict.fromkeys(units))}
    for special in ("<|startoftext|>", "<|endoftext|>"):
        vocabulary[special] = len(vocabulary)
    content: dict[str, Any] = {
        "vocab": vocabulary, "merges": [tuple(merge.split()) for merge in merges]
    }  # fmt: skip
    if "vocab_file" in inspect.signature(CLIPTokenizer.__init__).parameters:
        content = tokenizer_files(folder, vocabulary, merges)
    return CLIPTokenizer(
        **content, unk_token="<|endoftext|>", bos_token="<|startoftext|>",
        eos_token="<|endoftext|>", pad_token=pad, model_max_length=77,
    )  # fmt: skip


def tokenizer_files(folder: Path, vocabulary: dict[str, int], merges: list[str]) -> dict[str, Any]:
    """The same on disk, where transformers before 5 read it."""
    files = {"vocab_file": folder / "vocab.json", "merges_file": folder / "merges.txt"}
    files["vocab_file"].write_text(json.dumps(vocabulary), encoding="utf-8")
    files["merges_file"].write_text("\n".join(["#version: 0.2", *merges]), encoding="utf-8")
    return {name: str(path) for name, path in files.items()}


def text_config(words: CLIPTokenizer, width: int, layers: int = 3) -> CLIPTextConfig:
    """A CLIP text encoder of a few small layers."""
    return CLIPTextConfig(
        vocab_size=len(words), hidden_size=width, intermediate_size=2 * width,
        num_hidden_layers=layers, num_attention_heads=2, max_position_embeddings=77,
        bos_token_id=words.bos_token_id, eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id, projection_dim=width,
    )  # fmt: skip


def vae() -> AutoencoderKL:
    """8x downsampling to 4 channels."""
    return AutoencoderKL(
        block_out_channels=(8, 8, 8, 8), layers_per_block=1, norm_num_groups=4, latent_channels=4,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        sample_size=64,
    )  # fmt: skip


def scheduler() -> DDIMScheduler:
    """SD's schedule."""
    return DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False,
        set_alpha_to_one=False, steps_offset=1,
    )  # fmt: skip


def tiny_sd1(folder: Path, seed: int = 0) -> StableDiffusionPipeline:
    """An SD1 pipeline of random weights."""
    torch.manual_seed(seed)
    words = tokenizer(folder)
    unet = UNet2DConditionModel(
        sample_size=8, block_out_channels=(16, 32), layers_per_block=1, norm_num_groups=8,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"), cross_attention_dim=16,
        attention_head_dim=2,
    )  # fmt: skip
    return StableDiffusionPipeline(
        vae=vae(), text_encoder=CLIPTextModel(text_config(words, 16)), tokenizer=words, unet=unet,
        scheduler=scheduler(), safety_checker=None, feature_extractor=None,
        requires_safety_checker=False,
    )  # fmt: skip


def tiny_sdxl(folder: Path, seed: int = 0) -> StableDiffusionXLPipeline:
    """An SDXL pipeline of random weights."""
    torch.manual_seed(seed)
    first, second = tokenizer(folder), tokenizer(folder, pad="!")
    unet = UNet2DConditionModel(
        sample_size=8, block_out_channels=(16, 32), layers_per_block=1, norm_num_groups=8,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), cross_attention_dim=32,
        attention_head_dim=2, use_linear_projection=True, addition_embed_type="text_time",
        addition_time_embed_dim=8, projection_class_embeddings_input_dim=16 + 6 * 8,
    )  # fmt: skip
    return StableDiffusionXLPipeline(
        vae=vae(), text_encoder=CLIPTextModel(text_config(first, 16)),
        text_encoder_2=CLIPTextModelWithProjection(text_config(second, 16)), tokenizer=first,
        tokenizer_2=second, unet=unet, scheduler=scheduler(),
    )  # fmt: skip


def save(pipeline: Any, folder: Path) -> Path:
    """The pipeline as a diffusers folder."""
    pipeline.save_pretrained(str(folder))
    return folder
