"""A stand-in for Forge Neo: ComfyUI's patchers under inference mode, a VAE that is always in it."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from . import comfy, forge, ldm, webui


class Encoder(nn.Conv2d):
    """Its forward hands out inference tensors, whoever calls."""

    @torch.inference_mode()
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x)


class Engine(forge.Engine):
    """ForgeDiffusionEngine of Neo."""

    patcher, linear = comfy.Patcher, nn.Linear

    def __init__(self, folder: Path, sdxl: bool) -> None:
        super().__init__(folder, "sdxl" if sdxl else "sd1")
        self.tiling_enabled = False
        vae: Any = self.forge_objects_original.vae.first_stage_model
        vae.encoder = Encoder(3, 8, 8, stride=8)
        vae.latent_format = SimpleNamespace(scale_factor=vae.scaling_factor)
        del vae.scaling_factor


def lend(patch: pytest.MonkeyPatch, folder: Path, sdxl: bool) -> webui.Lent:
    """Forge Neo with a toy model chosen, and not yet loaded."""
    data = SimpleNamespace(sd_model=None, forge_loading_parameters={})

    @torch.inference_mode()
    def forge_model_reload() -> tuple[Any, bool]:
        if data.sd_model is None:
            torch.manual_seed(0)
            data.sd_model = made.shared.sd_model = Engine(folder, sdxl)
        return data.sd_model, False

    load = lambda: forge_model_reload()[0]  # noqa: E731
    made = webui.install_webui(patch, folder, comfy.draw_with(load))
    made.shared.sd_model = SimpleNamespace()  # FakeInitialModel, till the first picture
    comfy.lora_module(patch, data, folder, cached=False)
    info = ldm.checkpoint_info(folder)
    refresh = lambda: data.forge_loading_parameters.update(checkpoint_info=info)  # noqa: E731
    webui.install(
        patch, "modules.sd_models", model_data=data, forge_model_reload=forge_model_reload
    )
    webui.install(patch, "modules_forge", __path__=[])
    webui.install(patch, "modules_forge.main_entry", refresh_model_loading_parameters=refresh)
    webui.install(patch, "modules_forge.utils", apply_circular_forge=comfy.apply_circular_forge)
    webui.install(patch, "backend", __path__=[])
    webui.install(patch, "backend.attention", attention_pytorch=ldm.with_gradient)
    webui.install(patch, "backend.memory_management", load_models_gpu=comfy.load_models_gpu)
    webui.install(patch, "backend.stream", mover_stream="a stream")
    webui.install(patch, "backend.patcher", __path__=[])
    webui.install(
        patch, "backend.patcher.lora", model_lora_keys_unet=forge.unet_keys,
        model_lora_keys_clip=forge.clip_keys, load_lora=forge.load_lora,
    )  # fmt: skip
    webui.install(patch, "backend.nn", __path__=[])
    kernels = webui.install(patch, "backend.nn.unet", attention_function=ldm.without_gradient)
    comfy.attend_with(patch, kernels)

    def switch() -> None:
        data.sd_model = None
        forge_model_reload()

    host = importlib.import_module("lib_lora_cook.hosts.neo").make_host()
    return webui.Lent(
        host, comfy.live_of(load), made.shared, made.lock,
        webui.draws(made.shared, made.lock, folder), (ldm.CrossAttention,), switch,
    )  # fmt: skip
