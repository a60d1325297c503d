"""A stand-in for reForge and Forge Classic: A1111's model object around ComfyUI's patchers."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from . import comfy, forge, ldm, webui


class ModelSamplingDiscrete(nn.Module):
    """SD's schedule."""


class EPS:
    """The model predicts the noise."""


class V_PREDICTION(EPS):
    """The model predicts v."""


class NoiseSampling(ModelSamplingDiscrete, EPS):
    pass


class VelocitySampling(ModelSamplingDiscrete, V_PREDICTION):
    pass


class FlowSampling(ModelSamplingDiscrete):
    pass


class Engine(forge.Engine):
    """The WebUI's sd_model with forge_objects on it."""

    patcher, linear = comfy.Patcher, nn.Linear

    def __init__(self, folder: Path, sdxl: bool) -> None:
        super().__init__(folder, "sdxl" if sdxl else "sd1")
        self.tiling_enabled, self.alphas_cumprod = False, ldm.alphas()
        own = self.forge_objects_original
        base: Any = own.unet.model
        base.model_sampling, base.manual_cast_dtype = NoiseSampling(), None
        base.get_dtype = lambda: torch.float32
        base.latent_format = SimpleNamespace(scale_factor=0.18215)
        del base.predictor
        own.clip.tokenizer = SimpleNamespace(
            **{name: SimpleNamespace(tokenizer=it) for name, it in vars(own.clip.tokenizer).items()}
        )
        if sdxl:
            second: Any = own.clip.cond_stage_model.clip_g
            second.text_projection = nn.Parameter(second.transformer.text_projection.weight.t())
            del second.transformer.text_projection

    def words(self, name: str) -> Any:
        """Both tokenizers pad with EOS; the second's ids are padded anew by the host."""
        words = getattr(self.forge_objects.clip.tokenizer, name)
        return getattr(words, "tokenizer", words)


def lend(patch: pytest.MonkeyPatch, folder: Path, sdxl: bool) -> webui.Lent:
    """reForge with a toy model that is loaded at its first use."""
    data = SimpleNamespace(sd_model=None)

    @torch.no_grad()
    def get_sd_model() -> Any:
        if data.sd_model is None:
            torch.manual_seed(0)
            data.sd_model = made.shared.sd_model = Engine(folder, sdxl)
        return data.sd_model

    data.get_sd_model = get_sd_model
    made = webui.install_webui(patch, folder, comfy.draw_with(get_sd_model))
    made.shared.sd_model = SimpleNamespace()
    comfy.lora_module(patch, data, folder, cached=True)
    webui.install(patch, "modules.sd_models", model_data=data)
    hijack = SimpleNamespace(fixes=["an embedding of the last prompt"])
    webui.install(patch, "modules.sd_hijack", model_hijack=hijack)
    webui.install(patch, "modules_forge", __path__=[])
    webui.install(
        patch, "modules_forge.forge_util", apply_circular_forge=comfy.apply_circular_forge
    )
    webui.install(patch, "modules_forge.stream", using_stream=True)
    for name in (
        "ldm_patched",
        "ldm_patched.ldm",
        "ldm_patched.ldm.modules",
        "ldm_patched.modules",
    ):
        webui.install(patch, name, __path__=[])
    webui.install(
        patch, "ldm_patched.modules.model_management", load_models_gpu=comfy.load_models_gpu,
        NUM_STREAMS=2,
    )  # fmt: skip
    webui.install(
        patch, "ldm_patched.modules.lora", model_lora_keys_unet=forge.unet_keys,
        model_lora_keys_clip=forge.clip_keys,
    )  # fmt: skip
    kernels = webui.install(
        patch, "ldm_patched.ldm.modules.attention", attention_pytorch=ldm.with_gradient,
        optimized_attention=ldm.without_gradient, optimized_attention_masked=ldm.without_gradient,
    )  # fmt: skip
    comfy.attend_with(patch, kernels, "optimized_attention")

    def switch() -> None:
        data.sd_model = None
        get_sd_model()

    host = importlib.import_module("lib_lora_cook.hosts.reforge").make_host()
    return webui.Lent(
        host, comfy.live_of(get_sd_model), made.shared, made.lock,
        webui.draws(made.shared, made.lock, folder), (ldm.CrossAttention,), switch,
    )  # fmt: skip
