"""reForge and Forge Classic: their live modules for training, their process_images for pictures.

Read and run: reForge at 3b56b268, Forge Classic at 1f95d717. Both keep AUTOMATIC1111's model object
around ComfyUI's patchers; loading the checkpoint's own patcher takes LoRAs out of the weights.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from ldm_patched.ldm.modules import attention
from ldm_patched.modules import model_management
from ldm_patched.modules.lora import model_lora_keys_clip, model_lora_keys_unet
from modules import sd_hijack, sd_models
from modules_forge import forge_util, stream
from torch import Tensor, nn

from ..config import ModelConfig
from ..errors import UserError
from ..models.ldm import LdmModel, LdmParts
from ..models.ldm_text import RepaddedTokenizer, TextEncoder, clip_encoder
from ..models.trainable import SD1, SDXL, ModelFamily, TrainableModel
from . import blocks, borrow, refuse
from .base import Wardrobe
from .webui import DRAWING, TRAINING, WebuiHost

NOTHING_WORN, NOT_KNOWN = str([]), ""
"""What the host remembers of the last prompt's LoRAs: none, and what equals no prompt's."""
KERNELS = ("optimized_attention", "optimized_attention_masked")


class ReforgeHost(WebuiHost):
    """The checkpoint that reForge or Forge Classic has loaded."""

    name = "reforge"

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
            for name in KERNELS:
                pytorch = attention.attention_pytorch
                stack.enter_context(borrow.swapped(attention, name, pytorch))
            stack.enter_context(borrow.swapped(stream, "using_stream", False))
            if hasattr(model_management, "NUM_STREAMS"):  # reForge's --async-offload
                stack.enter_context(borrow.swapped(model_management, "NUM_STREAMS", 1))
            stack.enter_context(without_tiling(sd_model))
            stack.enter_context(borrow.swapped(sd_hijack.model_hijack, "fixes", None))
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
        from ..networks.weights import layers_of_file  # brings LyCORIS

        own = sd_models.model_data.sd_model.forge_objects_original
        places = model_lora_keys_unet(own.unet.model, {})
        places = model_lora_keys_clip(own.clip.cond_stage_model, places)
        return sorted(set(layers_of_file(lora)) - set(places))

    def refresh_loras(self) -> None:
        """Make the host see new LoRA files, and forget what it has read of old ones by name."""
        super().refresh_loras()
        cached = getattr(sys.modules.get("networks"), "load_lora_state_dict", None)
        if cached is not None and hasattr(cached, "cache_clear"):
            cached.cache_clear()
        sd_model = sd_models.model_data.sd_model
        if sd_model is not None:
            sd_model.current_lora_hash = NOT_KNOWN


def make_host() -> ReforgeHost:
    """The host around us."""
    return ReforgeHost()


def loaded_model(config: ModelConfig) -> Any:
    """The loaded model; UserError where there is none, or none that can be trained."""
    sd_model = sd_models.model_data.get_sd_model()
    info = getattr(sd_model, "sd_checkpoint_info", None)
    if sd_model is None or info is None:
        raise UserError("No checkpoint is loaded", "", "Load one at the top of the WebUI.")
    names = (info.filename, info.name, info.title, info.name_for_extra)
    refuse.refuse_other_checkpoint(config.pretrained_model_name_or_path, names)
    family_of(sd_model)
    refuse.refuse_quantised(live_modules(sd_model))
    refuse.refuse_inpainting(sd_model.forge_objects_original.unet.model.diffusion_model)
    return sd_model


def bring_to_device(sd_model: Any) -> None:
    """The checkpoint's own weights, all on the device that computes; UserError if they do not fit.

    The last prompt's LoRAs are still baked into them; loading the patchers that have none takes
    them out. The host is told that it has forgotten them: the next prompt bakes anew.
    """
    own = sd_model.forge_objects_original
    patchers = [own.unet, own.clip.patcher, own.vae.patcher]
    sd_model.current_lora_hash = NOTHING_WORN
    sd_model.forge_objects = own.shallow_copy()
    sd_model.forge_objects_after_applying_lora = own.shallow_copy()
    with torch.inference_mode():  # as the host loads for a picture
        model_management.load_models_gpu(patchers)
    for patcher in patchers:
        refuse.refuse_elsewhere([patcher.model], own.unet.load_device)


def live_modules(sd_model: Any) -> list[nn.Module]:
    """UNet with its schedule, text encoders, VAE: never swapped while a model is loaded."""
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
    base, vae, family = own.unet.model, own.vae.first_stage_model, family_of(sd_model)
    unet, cast = base.diffusion_model, base.manual_cast_dtype
    schedule = getattr(sd_model, "alphas_cumprod_original", sd_model.alphas_cumprod)
    return LdmParts(
        family, unet, partial(blocks.call_unet, unet), encoders_of(sd_model, family), vae,
        partial(moments_of, vae), float(base.latent_format.scale_factor), schedule,
        predicts_velocity(base.model_sampling), own.unet.load_device, cast or base.get_dtype(),
        own.vae.vae_dtype, Path(info.filename).name, info.sha256 or "",
        refuse.refuse_changed(
            lambda: sd_models.model_data.sd_model is sd_model,
            lambda: next(unet.parameters()),
        ),
        must_recompute=cast is not None,
    )  # fmt: skip


def predicts_velocity(sampling: Any) -> bool:
    """Whether the model predicts v and not the noise; UserError where it is neither.

    The host mixes a schedule's class with a prediction's; v's is a subclass of the noise's.
    """
    kinds = {kind.__name__ for kind in type(sampling).__mro__}
    if not {"ModelSamplingDiscrete", "EPS"} <= kinds:
        raise UserError(
            "A model that predicts neither noise nor v on SD's schedule cannot be trained here",
            type(sampling).__bases__[-1].__name__, "Load an ordinary SD1 or SDXL checkpoint.",
        )  # fmt: skip
    return "V_PREDICTION" in kinds


def moments_of(vae: Any, pixels: Tensor) -> Tensor:
    """Mean and log variance of the latents."""
    hidden: Tensor = vae.encoder(pixels)
    return hidden if getattr(vae, "quant_conv", None) is None else vae.quant_conv(hidden)


def encoders_of(sd_model: Any, family: ModelFamily) -> tuple[TextEncoder, ...]:
    """The live text encoders; the host pads the second's ids itself, its tokenizer does not."""
    clip = sd_model.forge_objects_original.clip
    models, tokenizers = clip.cond_stage_model, clip.tokenizer
    first = models.clip_l.transformer
    if family is SD1:
        return (clip_encoder(first, tokenizers.clip_l.tokenizer, "lora_te"),)
    words = RepaddedTokenizer(tokenizers.clip_g.tokenizer)
    second, project = models.clip_g.transformer, partial(projected, models.clip_g)
    return (
        clip_encoder(first, tokenizers.clip_l.tokenizer, "lora_te1"),
        clip_encoder(second, words, "lora_te2", project),
    )


def projected(encoder: Any, pooled: Tensor) -> Tensor:
    """The pooled state [B, C] through the projection, which the host keeps beside the encoder."""
    weight: Tensor = encoder.text_projection
    return pooled.float() @ weight.float()


@contextmanager
def without_tiling(sd_model: Any) -> Iterator[None]:
    """No convolution wraps around."""
    before = sd_model.tiling_enabled
    forge_util.apply_circular_forge(sd_model, False)
    try:
        yield
    finally:
        forge_util.apply_circular_forge(sd_model, before)
