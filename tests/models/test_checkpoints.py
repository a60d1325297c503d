"""What files say of themselves, and a VAE of another family, before a weight is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from lib_lora_cook.config import ModelConfig
from lib_lora_cook.models.checkpoints import family_of_checkpoint, problems, vae_scale
from lib_lora_cook.models.trainable import SD1, SD2, SDXL, ModelFamily


def write_checkpoint(folder: Path, family: ModelFamily, scale: float | None = None) -> Path:
    """The configs of a diffusers folder."""
    parts: dict[str, Any] = {"unet": ["diffusers", "UNet2DConditionModel"]}
    if family is SDXL:
        parts["text_encoder_2"] = ["transformers", "CLIPTextModelWithProjection"]
    width = {SD1: 768, SD2: 1024, SDXL: 2048}[family]
    configs = {"model_index.json": parts, "unet/config.json": {"cross_attention_dim": width}}
    if scale:
        configs["vae/config.json"] = {"latent_channels": 4, "scaling_factor": scale}
    for name, config in configs.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(config))
    return folder


def write_vae(path: Path, channels: int = 4, start: str = "") -> Path:
    save_file({f"{start}encoder.conv_out.weight": torch.zeros(2 * channels, 2, 3, 3)}, path)
    return path


def found(checkpoint: Path | str, vae: Path | str = "") -> list[str]:
    return problems(ModelConfig(pretrained_model_name_or_path=str(checkpoint), vae=str(vae)))


@pytest.mark.parametrize("family", [SD1, SD2, SDXL], ids=lambda it: it.name)
def test_the_family_of_a_folder(tmp_path: Path, family: ModelFamily) -> None:
    folder = write_checkpoint(tmp_path, family)
    assert family_of_checkpoint(folder) is family
    assert vae_scale(folder) == family.latent_scale


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("cond_stage_model.transformer.text_model.x", SD1),
        ("cond_stage_model.model.x", SD2),
        ("conditioner.embedders.1.model.x", SDXL),
    ],
    ids=["sd1", "sd2", "sdxl"],
)
def test_the_family_of_a_file(tmp_path: Path, name: str, family: ModelFamily) -> None:
    save_file({name: torch.zeros(1)}, tmp_path / "a.safetensors")
    assert family_of_checkpoint(tmp_path / "a.safetensors") is family


def test_a_checkpoint_that_is_not_there(tmp_path: Path) -> None:
    (line,) = found(tmp_path / "none")
    assert "no such checkpoint" in line and str(tmp_path / "none") in line
    assert found("host") == []


def test_the_webui_chooses_its_own_vae(tmp_path: Path) -> None:
    (line,) = found("host", write_vae(tmp_path / "v.safetensors"))
    assert "in the WebUI" in line


@pytest.mark.parametrize("start", ["", "first_stage_model."])
def test_a_vae_file_is_known_by_its_channels(tmp_path: Path, start: str) -> None:
    checkpoint = write_checkpoint(tmp_path / "sdxl", SDXL)
    assert found(checkpoint, write_vae(tmp_path / "4.safetensors", 4, start)) == []
    (line,) = found(checkpoint, write_vae(tmp_path / "16.safetensors", 16, start))
    assert "another family (16 channels; an SDXL checkpoint needs 4, scale 0.13025)" in line


@pytest.mark.parametrize("whole", [False, True])
def test_a_vae_folder_is_known_by_its_scale(tmp_path: Path, whole: bool) -> None:
    sdxl = write_checkpoint(tmp_path / "sdxl", SDXL, 0.13025)
    vae = sdxl if whole else sdxl / "vae"
    assert found(write_checkpoint(tmp_path / "other", SDXL), vae) == []
    (line,) = found(write_checkpoint(tmp_path / "sd1", SD1), vae)
    assert "scale 0.13025; an SD1 checkpoint needs 4, scale 0.18215" in line


def test_a_checkpoint_whose_own_vae_has_another_scale_takes_its_like(tmp_path: Path) -> None:
    toy = write_checkpoint(tmp_path / "toy", SD1, 0.5)
    like = write_checkpoint(tmp_path / "like", SD1, 0.5)
    assert found(toy, like) == [] and len(found(write_checkpoint(tmp_path / "a", SD1), like)) == 1


@pytest.mark.parametrize("data", [None, b"", b"rubbish"])
def test_what_is_no_vae(tmp_path: Path, data: bytes | None) -> None:
    checkpoint, vae = write_checkpoint(tmp_path / "sd1", SD1), tmp_path / "v.safetensors"
    if data is not None:
        vae.write_bytes(data)
    (line,) = found(checkpoint, vae)
    assert "is no VAE" in line and str(vae) in line
    save_file({"lora_down": torch.zeros(1)}, vae)
    assert "holds no encoder" in found(checkpoint, vae)[0]
    (tmp_path / "empty").mkdir()
    assert "is no VAE" in found(checkpoint, tmp_path / "empty")[0]
