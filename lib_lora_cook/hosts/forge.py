"""Forge: its live modules for training, its own process_images for pictures."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from backend import attention, memory_management, stream
from backend.nn import unet as backend_unet
from backend.patcher.lora import load_lora, model_lora_keys_clip, model_lora_keys_unet
from modules import processing, sd_models, shared
from modules_forge import main_entry
from torch import Tensor, nn

from ..config import ModelConfig
from ..errors import UserError
from ..models.ldm import LdmModel, LdmParts
from ..models.ldm_text import TextEncoder, clip_encoder
from ..models.trainable import SD1, SD2, SDXL, ModelFamily, TrainableModel
from . import blocks, borrow, refuse
from .base import Wardrobe
from .webui import DRAWING, TRAINING, WebuiHost

NOTHING_WORN = str([])
"""What Forge calls no LoRA, wherever it remembers which are on."""


class ForgeHost(WebuiHost):
    """The checkpoint that Forge has loaded, or loads now as it would for a picture."""

    name = "forge"

    def __init__(self) -> None:
        super().__init__()
        self._tensors: borrow.NormalTensors | None = None

    @contextmanager
    def borrow_model(self, config: ModelConfig, precision: str = "no") -> Iterator[TrainableModel]:
        """The loaded model for training, in the precision it is loaded in."""
        with self.at_work(TRAINING), borrow.gradients():
            sd_model = loaded_model(config)
            take_off_loras(sd_model)
            bring_to_device(sd_model)
            parts = parts_of(sd_model).lent(config, self.rest)
            live = live_modules(sd_model)
            with (
                self.loan(live, lambda: self._trainable(sd_model), parts),
                LdmModel(parts, config) as model,
            ):
                yield model

    @contextmanager
    def open_wardrobe(self, loras: Sequence[Path], config: ModelConfig) -> Iterator[Wardrobe]:
        """LoRA files in memory for the loaded model; pictures are drawn as the host draws."""
        with self.at_work(DRAWING):
            sd_model = loaded_model(config)
            take_off_loras(sd_model)
            bring_to_device(sd_model)
            with (
                LdmModel(parts_of(sd_model), config) as model,
                self.dressed(loras, model) as wardrobe,
            ):
                yield wardrobe

    def generate(self, request: Any) -> list[Any]:
        """Draw with the host's own process_images; Cancelled when the person interrupts it."""
        try:
            return super().generate(request)
        finally:
            if self._tensors is not None:  # moving a model spoils its tensors anew
                self._tensors.renew()

    @contextmanager
    def _trainable(self, sd_model: Any) -> Iterator[None]:
        """The model with ordinary tensors, kernels that have a gradient, and no write in place."""
        take_off_loras(sd_model)
        bring_to_device(sd_model)
        modules = live_modules(sd_model)
        with ExitStack() as stack:
            stack.enter_context(borrow.kept_flags(modules))
            self._tensors = stack.enter_context(borrow.NormalTensors(modules))
            stack.callback(setattr, self, "_tensors", None)
            pytorch = attention.attention_pytorch
            stack.enter_context(borrow.swapped(backend_unet, "attention_function", pytorch))
            stack.enter_context(borrow.swapped(stream, "stream_activated", False))
            stack.enter_context(blocks.out_of_place(modules[0]))
            yield

    def unmatched(self, lora: Path) -> list[str]:
        """The layers of a file that the host's own loader has no place for."""
        from ..networks.weights import read_file  # brings LyCORIS

        own = shared.sd_model.forge_objects_original
        rest, _ = read_file(lora)
        for places in (
            model_lora_keys_unet(own.unet.model, {}),
            model_lora_keys_clip(own.clip.cond_stage_model, {}),
        ):
            _, rest = load_lora(rest, places)
        return sorted({name.partition(".")[0] for name in rest})

    def refresh_loras(self) -> None:
        """Make the host see new LoRA files, and forget what it has read of old ones by name."""
        super().refresh_loras()
        networks = sys.modules.get("networks")
        cached = getattr(networks, "load_lora_state_dict", None)
        if cached is not None and hasattr(cached, "cache_clear"):
            cached.cache_clear()


def make_host() -> ForgeHost:
    """The host around us."""
    return ForgeHost()


def loaded_model(config: ModelConfig) -> Any:
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
    refuse.refuse_quantised(live_modules(sd_model))
    refuse.refuse_inpainting(unet.diffusion_model)
    if unet.predictor.prediction_type not in ("epsilon", "v_prediction"):
        raise UserError(
            f"A model that predicts {unet.predictor.prediction_type} cannot be trained here", "",
            "Load an ordinary SD1 or SDXL checkpoint.",
        )  # fmt: skip
    return sd_model


def take_off_loras(sd_model: Any) -> None:
    """The weights of the checkpoint itself: the last prompt's LoRAs are still baked into them.

    Forge is told that it has forgotten them, or it would draw the next picture without.
    """
    own = sd_model.forge_objects_original
    patchers = (own.unet, own.clip.patcher)
    if all(it.lora_loader.loaded_hash == NOTHING_WORN for it in patchers):
        return
    for patcher in patchers:
        patcher.refresh_loras()
    sd_model.current_lora_hash = NOTHING_WORN
    sd_model.forge_objects = own.shallow_copy()
    sd_model.forge_objects_after_applying_lora = own.shallow_copy()
    processing.need_global_unload = True


def bring_to_device(sd_model: Any) -> None:
    """All parts on the device that computes, as Forge loads them; UserError where they do not fit.

    The text encoder's embeddings are turned to fp32 at its first use: the host does that itself.
    """
    own = sd_model.forge_objects_original
    tables = [it.weight for it in own.clip.cond_stage_model.modules() if is_table(it)]
    if any(table.dtype != torch.float32 for table in tables):
        sd_model.get_learned_conditioning([""])
    patchers = [own.unet, own.clip.patcher, own.vae.patcher]
    memory_management.load_models_gpu(patchers)
    for patcher in patchers:
        refuse.refuse_elsewhere([patcher.model], patcher.load_device)


def is_table(module: nn.Module) -> bool:
    """Whether a module looks up embeddings."""
    return isinstance(module, nn.Embedding)


def live_modules(sd_model: Any) -> list[nn.Module]:
    """UNet with its predictor, text encoders, VAE: never swapped while a model is loaded."""
    own = sd_model.forge_objects_original
    return [own.unet.model, own.clip.cond_stage_model, own.vae.first_stage_model]


def family_of(sd_model: Any) -> ModelFamily:
    """Which family the loaded model is; UserError for what cannot be trained here."""
    encoders = sd_model.forge_objects_original.clip.cond_stage_model
    if sd_model.is_sd1:
        return SD1
    if sd_model.is_sdxl and hasattr(encoders, "clip_l") and hasattr(encoders, "clip_g"):
        return SDXL
    if sd_model.is_sd2 and hasattr(encoders, "clip_h"):
        return SD2
    raise UserError(
        f"A model of the kind {type(sd_model).__name__} cannot be trained here", "",
        "Load an SD1, SD2 or SDXL checkpoint that is no refiner.",
    )  # fmt: skip


def parts_of(sd_model: Any) -> LdmParts:
    """What LdmModel needs of the host's model."""
    own, info = sd_model.forge_objects_original, sd_model.sd_checkpoint_info
    kmodel, vae, family = own.unet.model, own.vae.first_stage_model, family_of(sd_model)
    unet, predictor = kmodel.diffusion_model, kmodel.predictor
    return LdmParts(
        family, unet, partial(blocks.call_unet, unet), encoders_of(sd_model, family), vae,
        partial(moments_of, vae), float(vae.scaling_factor), predictor.alphas_cumprod,
        predictor.prediction_type == "v_prediction", own.unet.load_device,
        kmodel.computation_dtype, own.vae.vae_dtype, Path(info.filename).name, info.sha256 or "",
        refuse.refuse_changed(
            lambda: sd_models.model_data.sd_model is sd_model,
            lambda: next(unet.parameters()),
        ),
        must_recompute=kmodel.storage_dtype != kmodel.computation_dtype,
    )  # fmt: skip


def moments_of(vae: Any, pixels: Tensor) -> Tensor:
    """Mean and log variance of the latents."""
    hidden: Tensor = vae.encoder(pixels)
    return hidden if vae.quant_conv is None else vae.quant_conv(hidden)


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
