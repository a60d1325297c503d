"""What a checkpoint and a VAE are, by their configs and headers alone: no weight is read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from ..config import ModelConfig
from .trainable import SD1, SD2, SDXL, ModelFamily

CHANNELS = 4
"""Of the latents of SD1, SD2 and SDXL."""


@dataclass(frozen=True)
class VaeFacts:
    """What tells one family's VAE from another's."""

    channels: int
    scale: float | None
    """None where a file does not say; SD1's and SDXL's files look alike."""


def problems(config: ModelConfig) -> list[str]:
    """What is wrong with the checkpoint's and the VAE's paths, in words that say what to do."""
    checkpoint, vae = Path(config.pretrained_model_name_or_path), config.vae
    if config.pretrained_model_name_or_path == "host":
        return ["vae is for checkpoints on disk: choose the VAE in the WebUI"] if vae else []
    if not checkpoint.exists():
        return [f"there is no such checkpoint: {checkpoint}; give a file or a diffusers folder"]
    if not vae:
        return []
    try:
        found = vae_facts(Path(vae))
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        return [f"vae {vae} is no VAE ({error}): give a .safetensors file or a diffusers folder"]
    family = family_of_checkpoint(checkpoint)
    wrong = found.channels != CHANNELS or (found.scale and found.scale != vae_scale(checkpoint))
    kind = f"{found.channels} channels" + (f", scale {found.scale:g}" if found.scale else "")
    needs = f"an {family.name.upper()} checkpoint needs {CHANNELS}, scale {vae_scale(checkpoint):g}"
    return [f"vae {vae} is of another family ({kind}; {needs}): choose another"] if wrong else []


def family_of_checkpoint(path: Path) -> ModelFamily:
    """The family of a diffusers folder or a checkpoint file; SD1 where nothing else is found."""
    if path.is_dir():
        parts = _json(path / "model_index.json")
        width = _json(path / "unet" / "config.json").get("cross_attention_dim")
        second = (parts.get("text_encoder_2") or [None])[0]
        return SDXL if second else SD2 if width == 1024 else SD1
    try:
        with safe_open(str(path), framework="pt") as file:
            names = set(file.keys())
    except (OSError, SafetensorError):
        return SD1
    if any(name.startswith("conditioner.embedders.1.") for name in names):
        return SDXL
    return SD2 if any(name.startswith("cond_stage_model.model.") for name in names) else SD1


def vae_scale(checkpoint: Path) -> float:
    """What a checkpoint multiplies its latents by: as its own VAE says, else as its family does."""
    own = _json(checkpoint / "vae" / "config.json") if checkpoint.is_dir() else {}
    return float(own.get("scaling_factor") or family_of_checkpoint(checkpoint).latent_scale)


def vae_facts(path: Path) -> VaeFacts:
    """Facts of a VAE's folder or file; ValueError, OSError or SafetensorError where it is none."""
    if path.is_dir():
        config = json.loads((vae_folder(path) / "config.json").read_text(encoding="utf-8"))
        scale = config.get("scaling_factor")
        return VaeFacts(int(config["latent_channels"]), None if scale is None else float(scale))
    with safe_open(str(path), framework="pt") as file:
        for name in file.keys():  # noqa: SIM118
            if name.endswith("encoder.conv_out.weight"):
                return VaeFacts(file.get_slice(name).get_shape()[0] // 2, None)
    raise ValueError("it holds no encoder")


def vae_folder(path: Path) -> Path:
    """Where the VAE lies in a folder: of its own, or of a whole pipeline."""
    return path / "vae" if (path / "vae").is_dir() else path


def _json(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found
