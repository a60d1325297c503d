"""Forge Neo: its live modules for training, its own process_images for pictures.

Read and run: release 2.26. Its patchers are ComfyUI's: what is baked into the weights is known by
the uuid of the patches, and loading the checkpoint's own patcher takes it out again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from backend import attention, memory_management, stream
from backend.nn import unet as backend_unet
from backend.patcher.lora import load_lora, model_lora_keys_clip, model_lora_keys_unet
from modules import sd_models
from modules_forge import main_entry
from modules_forge import utils as forge_utils
from torch import Tensor, nn

from ..config import ModelConfig
from ..errors import UserError
from ..models.ldm import LdmModel, LdmParts
from ..models.ldm_text import TextEncoder, clip_encoder
from ..models.trainable import SD1, SDXL, ModelFamily, TrainableModel
from . import blocks, borrow, refuse
from .base import Wardrobe
from .webui import DRAWING, TRAINING, WebuiHost

NOTHING_WORN, NOT_KNOWN = str([]), ""
"""What Neo remembers of the LoRAs of the last prompt: none, and what equals no prompt's."""


class NeoHost(WebuiHost):
    """The checkpoint that Forge Neo has loaded, or loads now as it would for a picture."""

    name = "neo"

    def __init__(self) -> None:
        super().__init__()
        self._lend_again: Callable[[], None] = lambda: None

    @contextmanager
    def borrow_model(self, config: ModelConfig, precision: str = "no") -> Iterator[TrainableModel]:
        """The loaded model for training, in the precision it is loaded in."""
        with self.at_work(TRAINING), borrow.gradients():
            sd_model = loaded_model(config)
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
            self._lend_again()

    @contextmanager
    def _trainable(self, sd_model: Any) -> Iterator[None]:
        """The model with ordinary tensors, kernels that have a gradient, and no write in place."""
        bring_to_device(sd_model)
        modules = live_modules(sd_model)
        with ExitStack() as stack:
            stack.enter_context(borrow.kept_flags(modules))
            tensors = stack.enter_context(borrow.NormalTensors(modules))
            pytorch = attention.attention_pytorch
            stack.enter_context(borrow.swapped(backend_unet, "attention_function", pytorch))
            stack.enter_context(borrow.swapped(stream, "mover_stream", None))
            stack.enter_context(without_coarse_sums())
            stack.enter_context(without_tiling(sd_model))
            stack.enter_context(blocks.out_of_place(modules[0]))

            def lend_again() -> None:  # a picture may have moved the model and spoilt its tensors
                bring_to_device(sd_model)
                tensors.renew()

            stack.enter_context(borrow.swapped(self, "_lend_again", lend_again))
            yield

    @contextmanager
    def kept_loras(self) -> Iterator[None]:
        """Afterwards no LoRA is in the weights, and those that were made anew have their flags."""
        sd_model = sd_models.model_data.sd_model
        with borrow.kept_flags(live_modules(sd_model)):
            try:
                yield
            finally:
                bring_to_device(sd_model)

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

    def refresh_loras(self) -> None:
        """Make the host see new LoRA files, and bake anew what has been written over."""
        super().refresh_loras()
        sd_models.model_data.sd_model.current_lora_hash = NOT_KNOWN


def make_host() -> NeoHost:
    """The host around us."""
    return NeoHost()


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


def bring_to_device(sd_model: Any) -> None:
    """The checkpoint's own weights, all on the device that computes; UserError if they do not fit.

    The last prompt's LoRAs are baked into them, or added at each call; loading the patchers that
    have none takes them out. Neo is told that it has forgotten them: the next prompt bakes anew.
    """
    own = sd_model.forge_objects_original
    tables = [it.weight for it in own.clip.cond_stage_model.modules() if is_table(it)]
    patchers = [own.unet, own.clip.patcher, own.vae.patcher]
    sd_model.current_lora_hash = NOTHING_WORN
    sd_model.forge_objects = own.shallow_copy()
    sd_model.forge_objects_after_applying_lora = own.shallow_copy()
    with torch.inference_mode():  # as the host loads; outside it would copy what it puts back
        memory_management.load_models_gpu(patchers)
        if any(table.dtype != torch.float32 for table in tables):
            sd_model.get_learned_conditioning([""])  # the host turns them to fp32 at its first use
    for patcher in patchers:
        refuse.refuse_elsewhere([patcher.model], own.unet.load_device)


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
    raise UserError(
        f"A model of the kind {type(sd_model).__name__} cannot be trained here", "",
        "Load an SD1 or SDXL checkpoint that is no refiner.",
    )  # fmt: skip


def parts_of(sd_model: Any) -> LdmParts:
    """What LdmModel needs of the host's model."""
    own, info = sd_model.forge_objects_original, sd_model.sd_checkpoint_info
    kmodel, vae, family = own.unet.model, own.vae.first_stage_model, family_of(sd_model)
    unet, predictor = kmodel.diffusion_model, kmodel.predictor
    return LdmParts(
        family, unet, partial(blocks.call_unet, unet), encoders_of(sd_model, family), vae,
        partial(moments_of, vae), float(vae.latent_format.scale_factor), predictor.alphas_cumprod,
        predictor.prediction_type == "v_prediction", own.unet.load_device,
        kmodel.computation_dtype, own.vae.vae_dtype, Path(info.filename).name, info.sha256 or "",
        refuse.refuse_changed(
            lambda: sd_models.model_data.sd_model is sd_model,
            lambda: next(unet.parameters()),
        ),
        must_recompute=kmodel.storage_dtype != kmodel.computation_dtype,
    )  # fmt: skip


def moments_of(vae: Any, pixels: Tensor) -> Tensor:
    """Mean and log variance of the latents; the encoder hands out an inference tensor."""
    hidden: Tensor = vae.encoder(pixels).clone()
    return hidden if vae.quant_conv is None else vae.quant_conv(hidden)


def encoders_of(sd_model: Any, family: ModelFamily) -> tuple[TextEncoder, ...]:
    """The live text encoders; Neo's tokenizers pad as kohya's do."""
    clip = sd_model.forge_objects_original.clip
    models, tokenizers = clip.cond_stage_model, clip.tokenizer
    if family is SD1:
        return (clip_encoder(models.clip_l.transformer, tokenizers.clip_l, "lora_te"),)
    second = models.clip_g.transformer
    return (
        clip_encoder(models.clip_l.transformer, tokenizers.clip_l, "lora_te1"),
        clip_encoder(second, tokenizers.clip_g, "lora_te2", second.text_projection),
    )


@contextmanager
def without_tiling(sd_model: Any) -> Iterator[None]:
    """No convolution wraps around."""
    before = sd_model.tiling_enabled
    forge_utils.apply_circular_forge(sd_model, False)
    try:
        yield
    finally:
        forge_utils.apply_circular_forge(sd_model, before)


@contextmanager
def without_coarse_sums() -> Iterator[None]:
    """Halves are summed in fp32, which --fast-fp16 switches off: gradients would drown."""
    matmul = torch.backends.cuda.matmul
    if not hasattr(matmul, "allow_fp16_accumulation"):  # before torch 2.7
        yield
        return
    with borrow.swapped(matmul, "allow_fp16_accumulation", False):
        yield
