"""SD1.5 and SDXL at their real sizes, without weights: on the meta device."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from lib_lora_cook.models.names import text_layers, unet_layers
from lib_lora_cook.models.trainable import SD1, SDXL, Layer

SD1_UNET: dict[str, Any] = {
    "sample_size": 64, "in_channels": 4, "out_channels": 4, "layers_per_block": 2,
    "block_out_channels": (320, 640, 1280, 1280), "cross_attention_dim": 768,
    "attention_head_dim": 8,
    "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
    "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
}  # fmt: skip
SDXL_UNET: dict[str, Any] = {
    "sample_size": 128, "in_channels": 4, "out_channels": 4, "layers_per_block": 2,
    "block_out_channels": (320, 640, 1280), "cross_attention_dim": 2048,
    "attention_head_dim": (5, 10, 20), "transformer_layers_per_block": (1, 2, 10),
    "use_linear_projection": True, "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256, "projection_class_embeddings_input_dim": 2816,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
}  # fmt: skip
CLIP_L = CLIPTextConfig(
    vocab_size=49408, hidden_size=768, intermediate_size=3072, num_hidden_layers=12,
    num_attention_heads=12, max_position_embeddings=77, projection_dim=768,
)  # fmt: skip
BIG_G = CLIPTextConfig(
    vocab_size=49408, hidden_size=1280, intermediate_size=5120, num_hidden_layers=32,
    num_attention_heads=20, max_position_embeddings=77, projection_dim=1280, hidden_act="gelu",
)  # fmt: skip


def real_layers(family: str) -> list[Layer]:
    """What can be adapted of `sd1` or `sdxl`, text encoders first."""
    encoders: list[tuple[str, nn.Module]]
    with torch.device("meta"):
        if family == "sd1":
            encoders = [("lora_te", CLIPTextModel(CLIP_L))]
            unet, kind = UNet2DConditionModel(**SD1_UNET), SD1
        else:
            encoders = [
                ("lora_te1", CLIPTextModel(CLIP_L)),
                ("lora_te2", CLIPTextModelWithProjection(BIG_G)),
            ]
            unet, kind = UNet2DConditionModel(**SDXL_UNET), SDXL
    texts = [layer for prefix, encoder in encoders for layer in text_layers(encoder, prefix)]
    return texts + unet_layers(unet, kind)
