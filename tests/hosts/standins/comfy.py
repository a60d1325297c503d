"""ComfyUI's patchers, as Forge Neo, reForge and Forge Classic have them, with their traps."""

from __future__ import annotations

import functools
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from . import ldm, webui
from .forge import deltas


class Patcher:
    """ModelPatcher: what is baked is known to the model by uuid; clones share one backup."""

    def __init__(self, model: Any, parent: Patcher | None = None) -> None:
        self.model, self.load_device = model, torch.device("cpu")
        self.patches: list[tuple[Any, Tensor]] = []
        self.patches_uuid = uuid.uuid4()
        self.backup: dict[Any, Tensor] = {} if parent is None else parent.backup
        if not hasattr(model, "current_weight_patches_uuid"):
            model.current_weight_patches_uuid = None

    def clone(self, patches: list[tuple[Any, Tensor]]) -> Patcher:
        made = Patcher(self.model, self)
        made.patches = [*self.patches, *patches]
        return made

    def load(self) -> None:
        """Bake this patcher's LoRAs, and take out what another has baked."""
        if self.model.current_weight_patches_uuid == self.patches_uuid:
            return
        for module, weight in self.backup.items():
            put(module, weight)
        self.backup.clear()
        for module, delta in self.patches:
            self.backup.setdefault(module, module.weight)
            put(module, module.weight + delta)
        self.model.current_weight_patches_uuid = self.patches_uuid


def put(module: Any, weight: Tensor) -> None:
    """utils.set_attr: an inference tensor is copied where inference mode is off."""
    try:
        module.weight = nn.Parameter(weight, requires_grad=False)
    except RuntimeError:
        module.weight = nn.Parameter(weight.clone(), requires_grad=False)


def load_models_gpu(patchers: list[Patcher]) -> None:
    for patcher in patchers:
        patcher.load()


def lora_module(patch: pytest.MonkeyPatch, data: Any, folder: Path, cached: bool) -> Any:
    """The built-in Lora extension; `cached`: a file is read once a name."""
    read = functools.lru_cache(maxsize=5)(safetensors.torch.load_file)

    def load_networks(names: list[tuple[str, float]]) -> None:
        engine = data.sd_model
        files = [(str(folder / "Lora" / f"{name}.safetensors"), weight) for name, weight in names]
        wanted = str([list(it) for it in files])
        if engine.current_lora_hash == wanted:
            return
        engine.current_lora_hash = wanted
        unet = engine.forge_objects_original.unet
        for file, weight in files:
            tensors = (read if cached else safetensors.torch.load_file)(file)
            unet = unet.clone(deltas(unet.model, tensors, weight))
        engine.forge_objects.unet = unet
        engine.forge_objects_after_applying_lora = engine.forge_objects.shallow_copy()

    return webui.install(
        patch, "networks", load_networks=load_networks, **webui.lora_files(folder),
        load_lora_state_dict=read if cached else safetensors.torch.load_file,
    )  # fmt: skip


def draw_with(load: Callable[[], Any]) -> Callable[[Any, str, torch.Generator], Any]:
    """One picture as process_images draws it, all under inference mode."""

    def run(task: Any, names: list[Any], rngs: list[torch.Generator]) -> list[Any]:
        with torch.inference_mode():
            engine = load()
            engine.forge_objects = engine.forge_objects_original.shallow_copy()
            sys.modules["networks"].load_networks(names)
            engine.forge_objects = engine.forge_objects_after_applying_lora.shallow_copy()
            objects = engine.forge_objects
            load_models_gpu([objects.unet, objects.clip.patcher])
            task.encode = lambda it: engine.get_learned_conditioning([it])
            unet = objects.unet.model.diffusion_model
            return webui.drawn(task, unet, objects.vae.first_stage_model, rngs)

    return run


def live_of(load: Callable[[], Any]) -> Callable[[], list[nn.Module]]:
    """The modules that a loan must leave as they were."""

    def live() -> list[nn.Module]:
        own = load().forge_objects_original
        return [own.unet.model, own.clip.cond_stage_model, own.vae.first_stage_model]

    return live


def apply_circular_forge(engine: Any, tiling: bool = False) -> None:
    """Tiling is a mode of every convolution, and stays from one picture to the next."""
    if engine.tiling_enabled != tiling:
        engine.tiling_enabled = tiling
        for module in engine.forge_objects_original.unet.model.modules():
            if isinstance(module, nn.Conv2d):
                module.padding_mode = "circular" if tiling else "zeros"


def attend_with(patch: pytest.MonkeyPatch, kernels: Any, name: str = "attention_function") -> None:
    """Attention looks its kernel up in a module at each call."""

    def forward(self: Any, x: Tensor, context: Tensor | None = None, **rest: Any) -> Tensor:
        return ldm.attend(self, x, context, getattr(kernels, name))

    patch.setattr(ldm.CrossAttention, "forward", forward)
