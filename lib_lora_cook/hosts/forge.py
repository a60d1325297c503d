"""Forge: its live modules for training, its own process_images for pictures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from backend import attention, memory_management, stream
from backend.nn import unet as backend_unet
from backend.patcher.lora import load_lora, model_lora_keys_clip, model_lora_keys_unet
from modules import processing, sd_models
from modules_forge import main_entry
from torch import nn

from ..config import ModelConfig
from ..errors import UserError
from ..models.ldm import LdmParts
from ..models.ldm_text import TextEncoder, clip_encoder
from ..models.trainable import SD1, SD2, ModelFamily
from . import blocks, borrow, patched, refuse


class ForgeHost(patched.PatchedHost):
    """The checkpoint that Forge has loaded, or loads now as it would for a picture."""

    name = "forge"

    def loaded_model(self, config: ModelConfig) -> Any:
        """The loaded model; UserError where there is none, or none that can be trained."""
        if not sd_models.model_data.forge_loading_parameters:
            main_entry.refresh_model_loading_parameters()
        if sd_models.model_data.forge_loading_parameters.get("checkpoint_info") is None:
            raise UserError("No checkpoint is chosen", "", "Choose one at the top of the WebUI.")
        sd_model, _ = sd_models.forge_model_reload()
        info = sd_model.sd_checkpoint_info
        names = (info.filename, info.name, info.title, info.name_for_extra)
        refuse.refuse_other_checkpoint(config.pretrained_model_name_or_path, names)
        family_of(sd_model)
        unet = sd_model.forge_objects_original.unet.model
        refuse.refuse_quantised(patched.live_modules(sd_model))
        refuse.refuse_inpainting(unet.diffusion_model)
        if unet.predictor.prediction_type not in ("epsilon", "v_prediction"):
            raise UserError(
                f"A model that predicts {unet.predictor.prediction_type} cannot be trained here",
                "", "Load an ordinary SD1 or SDXL checkpoint.",
            )  # fmt: skip
        return sd_model

    def bring_to_device(self, sd_model: Any) -> None:
        """The checkpoint's own weights, without LoRAs, all on the device that computes."""
        take_off_loras(sd_model)
        widen_tables(sd_model)
        patchers = patched.patchers_of(sd_model)
        memory_management.load_models_gpu(patchers)
        for patcher in patchers:
            refuse.refuse_elsewhere([patcher.model], patcher.load_device)

    def parts_of(self, sd_model: Any) -> LdmParts:
        """What LdmModel needs of the host's model."""
        own, info = sd_model.forge_objects_original, sd_model.sd_checkpoint_info
        kmodel, vae, family = own.unet.model, own.vae.first_stage_model, family_of(sd_model)
        unet, predictor = kmodel.diffusion_model, kmodel.predictor
        return LdmParts(
            family, unet, partial(blocks.call_unet, unet), encoders_of(sd_model, family), vae,
            partial(patched.moments_of, vae), latent_scale(vae), predictor.alphas_cumprod,
            predictor.prediction_type == "v_prediction", own.unet.load_device,
            kmodel.computation_dtype, own.vae.vae_dtype, Path(info.filename).name,
            info.sha256 or "",
            refuse.refuse_changed(
                lambda: sd_models.model_data.sd_model is sd_model,
                lambda: next(unet.parameters()),
            ),
            must_recompute=kmodel.storage_dtype != kmodel.computation_dtype,
        )  # fmt: skip

    def swaps(self, sd_model: Any) -> Iterator[AbstractContextManager[None]]:
        """What of the program must be otherwise for a gradient, each put back by itself."""
        yield borrow.swapped(backend_unet, "attention_function", attention.attention_pytorch)
        yield borrow.swapped(stream, "stream_activated", False)

    def unmatched(self, lora: Path) -> list[str]:
        """The layers of a file that the host's own loader has no place for."""
        from ..networks.weights import read_file  # brings LyCORIS

        own = sd_models.model_data.sd_model.forge_objects_original
        rest, _ = read_file(lora)
        for places in (
            model_lora_keys_unet(own.unet.model, {}),
            model_lora_keys_clip(own.clip.cond_stage_model, {}),
        ):
            _, rest = load_lora(rest, places)
        return sorted({name.partition(".")[0] for name in rest})


def make_host() -> ForgeHost:
    """The host around us."""
    return ForgeHost()


def take_off_loras(sd_model: Any) -> None:
    """The weights of the checkpoint itself: the last prompt's LoRAs are still baked into them."""
    own = sd_model.forge_objects_original
    patchers = (own.unet, own.clip.patcher)
    if all(it.lora_loader.loaded_hash == patched.NOTHING_WORN for it in patchers):
        return
    for patcher in patchers:
        patcher.refresh_loras()
    patched.forget_loras(sd_model)
    processing.need_global_unload = True


def widen_tables(sd_model: Any) -> None:
    """The text encoders' embeddings in fp32, to which the host turns them at its first use."""
    encoders = sd_model.forge_objects_original.clip.cond_stage_model
    tables = [it.weight for it in encoders.modules() if isinstance(it, nn.Embedding)]
    if any(table.dtype != torch.float32 for table in tables):
        sd_model.get_learned_conditioning([""])


def family_of(sd_model: Any) -> ModelFamily:
    """Which family the loaded model is; UserError for what cannot be trained here."""
    encoders = sd_model.forge_objects_original.clip.cond_stage_model
    if getattr(sd_model, "is_sd2", False) and hasattr(encoders, "clip_h"):
        return SD2
    return patched.family_of(sd_model)


def latent_scale(vae: Any) -> float:
    """What latents are multiplied with; Neo keeps it with the format of its latents."""
    if hasattr(vae, "latent_format"):
        return float(vae.latent_format.scale_factor)
    return float(vae.scaling_factor)


def encoders_of(sd_model: Any, family: ModelFamily) -> tuple[TextEncoder, ...]:
    """The live text encoders; Forge's tokenizers pad as kohya's do."""
    clip = sd_model.forge_objects_original.clip
    models, tokenizers = clip.cond_stage_model, clip.tokenizer
    if family is SD1:
        return (clip_encoder(models.clip_l.transformer, tokenizers.clip_l, "lora_te"),)
    if family is SD2:
        return (clip_encoder(models.clip_h.transformer, tokenizers.clip_h, "lora_te"),)
    second = models.clip_g.transformer
    return (
        clip_encoder(models.clip_l.transformer, tokenizers.clip_l, "lora_te1"),
        clip_encoder(second, tokenizers.clip_g, "lora_te2", second.text_projection),
    )
