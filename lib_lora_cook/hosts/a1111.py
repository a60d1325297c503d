"""AUTOMATIC1111: its live modules for training, its own process_images for pictures."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from modules import devices, sd_hijack, sd_hijack_optimizations, sd_models, sd_unet, shared
from torch import nn

from ..config import ModelConfig
from ..errors import UserError
from ..models.ldm import LdmModel, LdmParts
from ..models.ldm_text import (
    IdTokenizer,
    RepaddedTokenizer,
    TextEncoder,
    clip_encoder,
    open_clip_encoder,
)
from ..models.trainable import SD1, SD2, SDXL, ModelFamily, TrainableModel
from . import borrow, refuse
from .base import Wardrobe
from .webui import DRAWING, TRAINING, WebuiHost

MERGED = (nn.Linear, nn.Conv2d, nn.GroupNorm, nn.LayerNorm, nn.MultiheadAttention)
"""The classes of layers into which the host merges LoRAs."""
WITHIN_ATTENTION = "NonDynamicallyQuantizableLinear"
"""The output layer of nn.MultiheadAttention, which is merged along with it, never by itself."""


class A1111Host(WebuiHost):
    """The checkpoint that AUTOMATIC1111 has loaded."""

    name = "a1111"

    @contextmanager
    def borrow_model(self, config: ModelConfig, precision: str = "no") -> Iterator[TrainableModel]:
        """The loaded model for training, in the precision it is loaded in."""
        with self.at_work(TRAINING), borrow.gradients():
            sd_model = loaded_model(config)
            refuse_untrainable(sd_model)
            parts = parts_of(sd_model).lent(config, self.rest)
            with (
                self.loan([sd_model], lambda: self._trainable(sd_model), parts),
                LdmModel(parts, config) as model,
            ):
                yield model

    @contextmanager
    def open_wardrobe(self, loras: Sequence[Path], config: ModelConfig) -> Iterator[Wardrobe]:
        """LoRA files in memory for the loaded model; pictures are drawn as the host draws."""
        with self.at_work(DRAWING):
            sd_model = loaded_model(config)
            with (
                self._without_loras(sd_model),
                LdmModel(parts_of(sd_model), config) as model,
                self.dressed(loras, model) as wardrobe,
            ):
                yield wardrobe

    @contextmanager
    def _trainable(self, sd_model: Any) -> Iterator[None]:
        """The model without anything that a generation has put on it."""
        with ExitStack() as stack:
            stack.enter_context(borrow.kept_flags([sd_model]))
            stack.enter_context(self._without_loras(sd_model))
            stack.enter_context(without_patches())
            stack.enter_context(borrow.emptied(shared.loaded_hypernetworks))
            stack.enter_context(without_tiling())
            stack.enter_context(borrow.swapped(sd_unet, "current_unet", None))
            stack.enter_context(borrow.swapped(sd_hijack.model_hijack, "fixes", None))
            for kind in attention_classes(sd_model.model.diffusion_model):
                forward = sd_hijack_optimizations.scaled_dot_product_attention_forward
                stack.enter_context(borrow.swapped(kind, "forward", forward))
            yield

    @contextmanager
    def _without_loras(self, sd_model: Any) -> Iterator[None]:
        """The weights of the checkpoint itself: the last prompt's LoRAs are still merged in them.

        They are merged again on the way out, unless a file of theirs may have been written anew.
        """
        networks = sys.modules.get("networks")
        if networks is None or not hasattr(networks, "network_apply_weights"):
            yield  # the built-in Lora extension is switched off
            return
        before, self.loras_changed = list(networks.loaded_networks), False
        networks.loaded_networks.clear()
        apply_loras(networks, sd_model)
        try:
            yield
        finally:
            if sd_models.model_data.sd_model is sd_model and before and not self.loras_changed:
                networks.loaded_networks[:] = before
                apply_loras(networks, sd_model)

    @contextmanager
    def kept_loras(self) -> Iterator[None]:
        """Afterwards the host holds the LoRAs as loaded that it holds now, and no more copies.

        It keeps a copy of every weight that it has ever merged a LoRA into.
        """
        networks, sd_model = sys.modules["networks"], shared.sd_model
        before, copied = list(networks.loaded_networks), set(copies(sd_model))
        try:
            yield
        finally:
            networks.loaded_networks.clear()
            apply_loras(networks, sd_model)
            for module in set(copies(sd_model)) - copied:
                module.network_weights_backup = None
            networks.loaded_networks[:] = before

    def unmatched(self, lora: Path) -> list[str]:
        """The layers of a file that the host's own loader has no place for."""
        from ..networks.weights import layers_of_file  # brings LyCORIS

        networks = sys.modules["networks"]
        loaded = networks.load_network(lora.stem, networks.available_networks[lora.stem])
        matched = {it.network_key.partition(".")[0] for it in loaded.modules.values()}
        return sorted(layers_of_file(lora) - matched)


def make_host() -> A1111Host:
    """The host around us."""
    return A1111Host()


def loaded_model(config: ModelConfig) -> Any:
    """The loaded model on its device; UserError where there is none or another is asked for."""
    sd_model = shared.sd_model
    info = getattr(sd_model, "sd_checkpoint_info", None)
    if sd_model is None or info is None:
        raise UserError("No checkpoint is loaded", "", "Load one at the top of the WebUI.")
    names = (info.filename, info.name, info.title, info.name_for_extra)
    refuse.refuse_other_checkpoint(config.pretrained_model_name_or_path, names)
    family_of(sd_model)
    refuse.refuse_inpainting(sd_model.model.diffusion_model)
    if not getattr(sd_model, "lowvram", False):
        sd_models.send_model_to_device(sd_model)
    return sd_model


def refuse_untrainable(sd_model: Any) -> None:
    """UserError where the model is split between devices, or quantised."""
    if getattr(sd_model, "lowvram", False):
        raise UserError(
            "The WebUI was started with --medvram or --lowvram, which moves the model away between "
            "the steps", "", "Start it without, or with --medvram-sdxl for an SD1 checkpoint.",
        )  # fmt: skip
    refuse.refuse_quantised([sd_model])
    refuse.refuse_elsewhere([sd_model.model.diffusion_model], torch.device(devices.device))


def family_of(sd_model: Any) -> ModelFamily:
    """Which family the loaded model is; UserError for what cannot be trained here."""
    if getattr(sd_model, "is_sdxl", False):
        if len(text_embedders(sd_model)) == 2:
            return SDXL
    elif getattr(sd_model.model.diffusion_model, "num_classes", None) is None:  # else unCLIP's
        wrapped = getattr(getattr(sd_model, "cond_stage_model", None), "wrapped", None)
        if hasattr(wrapped, "transformer") and getattr(sd_model, "is_sd1", False):
            return SD1
        if getattr(sd_model, "is_sd2", False):
            return SD2
    raise UserError(
        f"A model of the kind {type(sd_model).__name__} cannot be trained here", "",
        "Load an SD1, SD2 or SDXL checkpoint that is no refiner.",
    )  # fmt: skip


def text_embedders(sd_model: Any) -> list[Any]:
    """SDXL's wrapped text encoders, in kohya's order."""
    return [it for it in sd_model.conditioner.embedders if hasattr(it, "wrapped")]


def parts_of(sd_model: Any) -> LdmParts:
    """What LdmModel needs of the host's model."""
    family, unet = family_of(sd_model), sd_model.model.diffusion_model
    vae, info = sd_model.first_stage_model, sd_model.sd_checkpoint_info
    schedule = getattr(sd_model, "alphas_cumprod_original", sd_model.alphas_cumprod)
    return LdmParts(
        family, unet,
        lambda noisy, timesteps, states, vector: unet(noisy, timesteps, context=states, y=vector),
        encoders_of(sd_model, family), vae, lambda pixels: vae.quant_conv(vae.encoder(pixels)),
        float(sd_model.scale_factor), schedule, getattr(sd_model, "parameterization", "") == "v",
        torch.device(devices.device), next(unet.parameters()).dtype, next(vae.parameters()).dtype,
        Path(info.filename).name, info.sha256 or "",
        refuse.refuse_changed(
            lambda: sd_models.model_data.sd_model is sd_model
            and sd_model.sd_checkpoint_info is info,
            lambda: next(unet.parameters()),
        ),
    )  # fmt: skip


def encoders_of(sd_model: Any, family: ModelFamily) -> tuple[TextEncoder, ...]:
    """The live text encoders, with tokenizers that pad as kohya's do."""
    if family is SDXL:
        first, second = (it.wrapped for it in text_embedders(sd_model))
        return (
            clip_encoder(first.transformer, first.tokenizer, "lora_te1"),
            open_clip_encoder(second, RepaddedTokenizer(first.tokenizer), "lora_te2"),
        )
    hijacked = sd_model.cond_stage_model
    wrapped = hijacked.wrapped
    if family is SD2:
        ends = (hijacked.id_start, hijacked.id_end, hijacked.id_pad)
        words = IdTokenizer(hijacked.tokenize, *ends)
        return (open_clip_encoder(wrapped, words, "lora_te", wrapped.layer_idx),)
    return (clip_encoder(wrapped.transformer, wrapped.tokenizer, "lora_te"),)


def attention_classes(unet: nn.Module) -> set[type]:
    """The classes that compute attention in the UNet, whose forward the host's settings swap."""
    return {type(it) for it in unet.modules() if type(it).__name__ == "CrossAttention"}


def copies(sd_model: nn.Module) -> list[Any]:
    """The layers of whose weights the host keeps a copy."""
    return [it for it in sd_model.modules() if vars(it).get("network_weights_backup") is not None]


@torch.no_grad()
def apply_loras(networks: Any, sd_model: Any) -> None:
    """Have the host merge what it holds as loaded into every layer now, not at its next use."""
    for module in sd_model.modules():
        if isinstance(module, MERGED) and type(module).__name__ != WITHIN_ATTENTION:
            networks.network_apply_weights(module)


@contextmanager
def without_patches() -> Iterator[None]:
    """The classes of layers compute as PyTorch's do: what merges LoRAs at each call is off them.

    Reload UI takes those patches off and puts them on again some seconds later; in between they
    have nothing to call, and a layer that was adapted before would still call them.
    """
    networks: Any = sys.modules.get("networks")
    originals = getattr(networks, "originals", None)
    names = {kind: f"{kind.__name__}_forward" for kind in MERGED}
    own = {kind: getattr(originals, name, None) for kind, name in names.items()}
    worn = {kind: vars(kind)["forward"] for kind, forward in own.items() if forward is not None}
    for kind in worn:
        setattr(kind, "forward", own[kind])  # noqa: B010
    try:
        yield
    finally:
        for kind, forward in worn.items():
            taken_off = getattr(networks.originals, names[kind], None) is None
            if vars(kind)["forward"] is own[kind] and not taken_off:
                setattr(kind, "forward", forward)  # noqa: B010


@contextmanager
def without_tiling() -> Iterator[None]:
    """No convolution wraps around."""
    hijack = sd_hijack.model_hijack
    before = hijack.circular_enabled
    hijack.apply_circular(False)
    try:
        yield
    finally:
        hijack.apply_circular(before)
