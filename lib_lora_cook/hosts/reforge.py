"""reForge and Forge Classic: their live modules for training, their process_images for pictures.

Read and run: reForge at 3b56b268, Forge Classic at 1f95d717. Both keep AUTOMATIC1111's model object
around ComfyUI's patchers; loading the checkpoint's own patchers takes LoRAs out of the weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from ldm_patched.ldm.modules import attention
from ldm_patched.modules import model_management
from ldm_patched.modules.lora import model_lora_keys_clip, model_lora_keys_unet
from modules import sd_hijack, sd_models
from modules_forge import forge_util, stream
from torch import Tensor

from ..config import ModelConfig
from ..errors import UserError
from ..models.ldm import LdmParts
from ..models.ldm_text import RepaddedTokenizer, TextEncoder, clip_encoder
from ..models.trainable import SD1, ModelFamily
from . import blocks, borrow, patched, refuse

KERNELS = ("optimized_attention", "optimized_attention_masked")


class ReforgeHost(patched.PatchedHost):
    """The checkpoint that reForge or Forge Classic has loaded."""

    name = "reforge"

    def loaded_model(self, config: ModelConfig) -> Any:
        """The loaded model; UserError where there is none, or none that can be trained."""
        sd_model = sd_models.model_data.get_sd_model()
        info = getattr(sd_model, "sd_checkpoint_info", None)
        if sd_model is None or info is None:
            raise UserError("No checkpoint is loaded", "", "Load one at the top of the WebUI.")
        names = (info.filename, info.name, info.title, info.name_for_extra)
        refuse.refuse_other_checkpoint(config.pretrained_model_name_or_path, names)
        patched.family_of(sd_model)
        refuse.refuse_quantised(patched.live_modules(sd_model))
        refuse.refuse_inpainting(sd_model.forge_objects_original.unet.model.diffusion_model)
        return sd_model

    def bring_to_device(self, sd_model: Any) -> None:
        """The checkpoint's own weights, without LoRAs, all on the device that computes."""
        patched.forget_loras(sd_model)
        patchers = patched.patchers_of(sd_model)
        with torch.inference_mode():  # as the host loads for a picture
            model_management.load_models_gpu(patchers)
        for patcher in patchers:
            refuse.refuse_elsewhere([patcher.model], patchers[0].load_device)

    def parts_of(self, sd_model: Any) -> LdmParts:
        """What LdmModel needs of the host's model."""
        own, info = sd_model.forge_objects_original, sd_model.sd_checkpoint_info
        base, vae, family = own.unet.model, own.vae.first_stage_model, patched.family_of(sd_model)
        unet, cast = base.diffusion_model, base.manual_cast_dtype
        schedule = getattr(sd_model, "alphas_cumprod_original", sd_model.alphas_cumprod)
        return LdmParts(
            family, unet, partial(blocks.call_unet, unet), encoders_of(sd_model, family), vae,
            partial(patched.moments_of, vae), float(base.latent_format.scale_factor), schedule,
            predicts_velocity(base.model_sampling), own.unet.load_device, cast or base.get_dtype(),
            own.vae.vae_dtype, Path(info.filename).name, info.sha256 or "",
            refuse.refuse_changed(
                lambda: sd_models.model_data.sd_model is sd_model,
                lambda: next(unet.parameters()),
            ),
            must_recompute=cast is not None,
        )  # fmt: skip

    def swaps(self, sd_model: Any) -> Iterator[AbstractContextManager[None]]:
        """What of the program must be otherwise for a gradient, each put back by itself."""
        for name in KERNELS:
            yield borrow.swapped(attention, name, attention.attention_pytorch)
        yield borrow.swapped(stream, "using_stream", False)
        if hasattr(model_management, "NUM_STREAMS"):  # reForge's --async-offload
            yield borrow.swapped(model_management, "NUM_STREAMS", 1)
        yield patched.without_tiling(sd_model, forge_util.apply_circular_forge)
        yield borrow.swapped(sd_hijack.model_hijack, "fixes", None)

    def unmatched(self, lora: Path) -> list[str]:
        """The layers of a file that the host's own loader has no place for."""
        from ..networks.weights import layers_of_file  # brings LyCORIS

        own = sd_models.model_data.sd_model.forge_objects_original
        places = model_lora_keys_unet(own.unet.model, {})
        places = model_lora_keys_clip(own.clip.cond_stage_model, places)
        return sorted(set(layers_of_file(lora)) - set(places))


def make_host() -> ReforgeHost:
    """The host around us."""
    return ReforgeHost()


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
