"""Names: diffusers to LDM for SDXL, and kohya's for all."""

from __future__ import annotations

from functools import cache

import pytest
from diffusers import UNet2DConditionModel
from torch import nn

from lib_lora_cook.models.names import ldm_names, text_layers, unet_layers, unet_place
from lib_lora_cook.models.trainable import SD1, SDXL, Layer
from tests.real_models import real_layers


@cache
def names(family: str) -> dict[str, Layer]:
    return {layer.name: layer for layer in real_layers(family)}


@pytest.mark.parametrize(
    ("path", "ldm"),
    [
        ("conv_in", "input_blocks.0.0"),
        ("time_embedding.linear_2", "time_embed.2"),
        ("add_embedding.linear_1", "label_emb.0.0"),
        ("down_blocks.0.resnets.0.conv1", "input_blocks.1.0.in_layers.2"),
        ("down_blocks.0.resnets.1.time_emb_proj", "input_blocks.2.0.emb_layers.1"),
        ("down_blocks.0.downsamplers.0.conv", "input_blocks.3.0.op"),
        ("down_blocks.1.attentions.0.proj_in", "input_blocks.4.1.proj_in"),
        ("down_blocks.1.resnets.0.conv_shortcut", "input_blocks.4.0.skip_connection"),
        ("down_blocks.2.attentions.1.transformer_blocks.9.ff.net.0.proj",
         "input_blocks.8.1.transformer_blocks.9.ff.net.0.proj"),
        ("mid_block.resnets.0.conv2", "middle_block.0.out_layers.3"),
        ("mid_block.attentions.0.proj_out", "middle_block.1.proj_out"),
        ("mid_block.resnets.1.conv1", "middle_block.2.in_layers.2"),
        ("up_blocks.0.attentions.2.proj_in", "output_blocks.2.1.proj_in"),
        ("up_blocks.0.upsamplers.0.conv", "output_blocks.2.2.conv"),
        ("up_blocks.1.resnets.0.conv1", "output_blocks.3.0.in_layers.2"),
        ("up_blocks.2.resnets.2.conv2", "output_blocks.8.0.out_layers.3"),
        ("conv_out", "out.2"),
    ],
)  # fmt: skip
def test_a_diffusers_path_has_its_ldm_name(path: str, ldm: str) -> None:
    attended = ["up_blocks.0.attentions.0.proj_in", "up_blocks.1.attentions.0.proj_in"]
    assert ldm_names([*attended, path])[path] == ldm


def test_an_upsampler_without_attention_before_it_stands_one_slot_nearer() -> None:
    """As in SD1's first up block."""
    assert ldm_names(["up_blocks.0.upsamplers.0.conv"]) == {
        "up_blocks.0.upsamplers.0.conv": "output_blocks.2.1.conv"
    }


@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_no_two_layers_share_a_name_or_a_module(family: str) -> None:
    layers = real_layers(family)
    assert len({layer.name for layer in layers}) == len(layers)
    assert len({id(layer.module) for layer in layers}) == len(layers)


def test_every_name_leads_to_the_module_it_names() -> None:
    sd1, sdxl = names("sd1"), names("sdxl")
    to_k = sd1["lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"].module
    assert isinstance(to_k, nn.Linear) and (to_k.in_features, to_k.out_features) == (768, 320)
    wide = sdxl["lora_unet_input_blocks_7_1_transformer_blocks_9_attn2_to_k"].module
    assert isinstance(wide, nn.Linear) and (wide.in_features, wide.out_features) == (2048, 1280)
    down = sdxl["lora_unet_input_blocks_3_0_op"].module
    assert isinstance(down, nn.Conv2d) and down.stride == (2, 2)
    second = sdxl["lora_te2_text_model_encoder_layers_31_mlp_fc1"].module
    assert isinstance(second, nn.Linear) and second.out_features == 5120


def test_parts_and_places() -> None:
    sd1 = names("sd1")
    assert {it.part for it in sd1.values() if it.name.startswith("lora_te_")} == {"text_encoder"}
    assert {it.part for it in sd1.values() if it.name.startswith("lora_unet_")} == {"unet"}
    assert {it.place for it in sd1.values()} == {"text", "attention", "resnet", "outer"}
    assert unet_place("mid_block.attentions.0.proj_in") == "attention"
    assert unet_place("up_blocks.0.upsamplers.0.conv") == "resnet"
    assert unet_place("conv_out") == "outer"


def test_text_encoders_are_named_alike_with_and_without_the_inner_text_model() -> None:
    """transformers 5 has no `text_model.` in CLIPTextModel any more; older versions have."""

    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.q_proj = nn.Linear(2, 2)

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.self_attn, self.norm = Attention(), nn.LayerNorm(2)

    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = nn.Module()
            self.encoder.layers = nn.ModuleList([Block()])
            self.text_projection = nn.Linear(2, 2)

    class Wrapped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.text_model = Encoder()

    expected = ["lora_te_text_model_encoder_layers_0_self_attn_q_proj"]
    for model in (Encoder(), Wrapped()):
        assert [layer.name for layer in text_layers(model, "lora_te")] == expected


def test_a_unet_of_another_depth_is_named_by_its_own_slots() -> None:
    unet = UNet2DConditionModel(
        block_out_channels=(8, 8), layers_per_block=1, norm_num_groups=4, cross_attention_dim=8,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), attention_head_dim=2,
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    )  # fmt: skip
    found = {layer.name for layer in unet_layers(unet, SDXL, 1)}
    assert "lora_unet_input_blocks_2_0_op" in found
    assert "lora_unet_output_blocks_1_1_conv" in found
    assert "lora_unet_output_blocks_3_1_proj_in" in found
    assert len(found) == len(unet_layers(unet, SD1, 1))
