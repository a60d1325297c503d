"""A stand-in for Forge: inference tensors, in-place residuals, an odd Linear, baked LoRAs."""

from __future__ import annotations

import functools
import importlib
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import CLIPTextModel

from tests.tiny_models import text_config, tokenizer

from . import ldm, webui

NONE = str([])


class Linear(nn.Module):
    """ForgeOperations.Linear: linear in all but class."""

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        made = nn.Linear(in_features, out_features, bias)
        self.weight = nn.Parameter(made.weight.detach())
        self.bias = nn.Parameter(made.bias.detach()) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight, self.bias)


def with_forge_linears(module: nn.Module) -> nn.Module:
    """The module with every nn.Linear exchanged, as using_forge_operations makes them."""
    for name, child in list(module.named_children()):
        if isinstance(child, nn.Linear):
            mine = Linear(child.in_features, child.out_features, child.bias is not None)
            mine.load_state_dict(child.state_dict())
            setattr(module, name, mine)
        else:
            with_forge_linears(child)
    return module


class LoraLoader:
    """Bakes patches into the weights, as inference tensors, and knows them by name and weight."""

    def __init__(self, model: nn.Module) -> None:
        self.model, self.backup, self.loaded_hash = model, {}, NONE

    @torch.inference_mode()
    def refresh(self, patches: dict[Any, Any]) -> None:
        if str(list(patches)) == self.loaded_hash:
            return
        for (module, name), weight in self.backup.items():
            setattr(module, name, weight)
        self.backup.clear()
        for deltas in patches.values():
            for module, delta in deltas:
                self.backup.setdefault((module, "weight"), module.weight)
                module.weight = nn.Parameter(module.weight + delta, requires_grad=False)
        self.loaded_hash = str(list(patches))


class Patcher:
    """ModelPatcher: the model, and the LoRAs that are to be on it when it is loaded."""

    def __init__(self, model: nn.Module, patches: dict[Any, Any] | None = None) -> None:
        if not hasattr(model, "lora_loader"):
            model.lora_loader = LoraLoader(model)
        self.model, self.lora_loader, self.patches = model, model.lora_loader, patches or {}
        self.load_device = torch.device("cpu")

    def refresh_loras(self) -> None:
        self.lora_loader.refresh(self.patches)


class Objects(SimpleNamespace):
    """ForgeObjects."""

    def shallow_copy(self) -> Objects:
        return Objects(**vars(self))


class Engine:
    """ForgeDiffusionEngine with its three copies of what is loaded."""

    patcher: Any = Patcher
    linear: Any = Linear

    def __init__(self, folder: Path, kind: str) -> None:
        words, width, sdxl = tokenizer(folder), 16, kind == "sdxl"
        self.is_sd1, self.is_sd2, self.is_sdxl = kind == "sd1", kind == "sd2", sdxl
        self.current_lora_hash, self.is_flat = NONE, kind != "sd1"
        names = {"sd1": ["clip_l"], "sd2": ["clip_h"], "sdxl": ["clip_l", "clip_g"]}[kind]
        clip = SimpleNamespace(cond_stage_model=nn.ModuleDict(), tokenizer=SimpleNamespace())
        for name in names:
            holder = nn.Module()
            holder.transformer = CLIPTextModel(text_config(words, width)).eval()
            if self.linear is Linear:
                with_forge_linears(holder.transformer)
            clip.cond_stage_model[name] = holder
            setattr(clip.tokenizer, name, words if name == "clip_l" else tokenizer(folder, "!"))
        if sdxl:
            clip.cond_stage_model.clip_g.transformer.text_projection = self.linear(
                width, width, False
            )
        kmodel: Any = nn.Module()
        context = len(names) * width
        vector = width + 6 * 256 if sdxl else 0
        kmodel.diffusion_model = ldm.UNet(context, vector, self.linear, True, self.is_flat)
        kmodel.predictor = nn.Module()
        kmodel.predictor.register_buffer("alphas_cumprod", ldm.alphas())
        kmodel.predictor.prediction_type = "epsilon"
        kmodel.storage_dtype = kmodel.computation_dtype = torch.float32
        clip.patcher = self.patcher(clip.cond_stage_model)
        vae = SimpleNamespace(first_stage_model=ldm.Vae().eval(), vae_dtype=torch.float32)
        vae.patcher = self.patcher(vae.first_stage_model)
        own = Objects(unet=self.patcher(kmodel), clip=clip, vae=vae)
        self.forge_objects_original, self.forge_objects = own, own.shallow_copy()
        self.forge_objects_after_applying_lora = own.shallow_copy()
        self.sd_checkpoint_info = ldm.checkpoint_info(folder)
        self.get_learned_conditioning([""])  # transformers puts hooks on its layers at first use

    @torch.inference_mode()
    def get_learned_conditioning(self, prompts: list[str]) -> tuple[Tensor, Tensor | None]:
        clip, states, pooled = self.forge_objects.clip, [], None
        for name, holder in clip.cond_stage_model.items():
            words = self.words(name)
            ids = words(prompts, padding="max_length", max_length=77, return_tensors="pt").input_ids
            output = holder.transformer(ids, output_hidden_states=True)
            states.append(output.last_hidden_state)
            pooled = output.pooler_output
        vector = torch.cat([pooled, torch.zeros(1, 6 * 256)], -1) if self.is_sdxl else None
        return torch.cat(states, -1), vector

    def words(self, name: str) -> Any:
        """A text encoder's tokenizer."""
        return getattr(self.forge_objects.clip.tokenizer, name)


def lora_module(patch: pytest.MonkeyPatch, data: Any, folder: Path) -> Any:
    """The built-in Lora extension: files are read once a name, and nothing is done twice."""

    @functools.lru_cache(maxsize=5)
    def load_lora_state_dict(filename: str) -> Any:
        return safetensors.torch.load_file(filename)

    def load_networks(names: list[tuple[str, float]]) -> None:
        engine = data.sd_model
        files = [[str(folder / "Lora" / f"{name}.safetensors"), weight] for name, weight in names]
        if engine.current_lora_hash == str(files):
            return
        engine.current_lora_hash = str(files)
        own = engine.forge_objects_original
        engine.forge_objects.unet = own.unet
        if files:
            patches = {
                (file, weight): deltas(own.unet.model, load_lora_state_dict(file), weight)
                for file, weight in files
            }
            engine.forge_objects.unet = Patcher(own.unet.model, patches)
        engine.forge_objects_after_applying_lora = engine.forge_objects.shallow_copy()

    return webui.install(
        patch, "networks", load_lora_state_dict=load_lora_state_dict, load_networks=load_networks,
        **webui.lora_files(folder),
    )  # fmt: skip


def unet_keys(kmodel: Any, into: dict[str, str]) -> dict[str, str]:
    """What backend.patcher.lora maps: a file's name of a layer -> the layer's weight."""
    from lib_lora_cook.models.ldm_layers import unet_layers
    from lib_lora_cook.models.trainable import SD1, SDXL

    sdxl = hasattr(kmodel.diffusion_model, "label_emb")
    layers = unet_layers(kmodel.diffusion_model, SDXL if sdxl else SD1)
    return {**into, **{it.name: it.name for it in layers}}


def clip_keys(encoders: Any, into: dict[str, str]) -> dict[str, str]:
    """The same for text encoders."""
    from lib_lora_cook.models.ldm_layers import clip_layers

    prefixes = ["lora_te"] if len(encoders) == 1 else ["lora_te1", "lora_te2"]
    for prefix, holder in zip(prefixes, encoders.values(), strict=True):
        into = {**into, **{it.name: it.name for it in clip_layers(holder.transformer, prefix)}}
    return into


def load_lora(tensors: dict[str, Tensor], places: dict[str, str]) -> Any:
    """(patches, what has no place)."""
    rest = {key: it for key, it in tensors.items() if key.partition(".")[0] not in places}
    return {key: it for key, it in tensors.items() if key not in rest}, rest


def deltas(kmodel: Any, tensors: dict[str, Tensor], weight: float) -> list[tuple[Any, Tensor]]:
    """What a file adds to the live layers of the UNet."""
    from lib_lora_cook.models.ldm_layers import unet_layers
    from lib_lora_cook.models.trainable import SD1, SDXL

    found = []
    sdxl = hasattr(kmodel.diffusion_model, "label_emb")
    for layer in unet_layers(kmodel.diffusion_model, SDXL if sdxl else SD1):
        live: Any = vars(layer.module).get("live", layer.module)
        if f"{layer.name}.lora_up.weight" in tensors:
            up = tensors[f"{layer.name}.lora_up.weight"].float()
            down = tensors[f"{layer.name}.lora_down.weight"].float()
            scale = float(tensors[f"{layer.name}.alpha"]) / len(down) * weight
            delta = (up.flatten(1) @ down.flatten(1)) * scale
            found.append((live, delta.view(live.weight.shape)))
    return found


def lend(patch: pytest.MonkeyPatch, folder: Path, kind: str) -> webui.Lent:
    """Forge with a toy model chosen, and not yet loaded."""
    data = SimpleNamespace(sd_model=None, forge_loading_parameters={})
    listed: list[Any] = []

    @torch.inference_mode()
    def forge_model_reload() -> tuple[Any, bool]:
        if data.sd_model is None:
            torch.manual_seed(0)
            data.sd_model = made.shared.sd_model = Engine(folder, kind)
        return data.sd_model, False

    def load_models_gpu(patchers: list[Any]) -> None:
        for patcher in patchers:
            if not any(it is patcher for it in listed):
                listed[:] = [it for it in listed if it.model is not patcher.model] + [patcher]
                patcher.refresh_loras()

    def run(task: Any, names: list[Any], rngs: list[torch.Generator]) -> list[Any]:
        processing = sys.modules["modules.processing"]
        engine, _ = forge_model_reload()
        if processing.need_global_unload:
            listed.clear()
            task.clear_prompt_cache()
        processing.need_global_unload = False
        with torch.inference_mode():
            engine.forge_objects = engine.forge_objects_original.shallow_copy()
            networks.load_networks(names)
            engine.forge_objects = engine.forge_objects_after_applying_lora.shallow_copy()
            load_models_gpu([engine.forge_objects.unet])
            task.encode = lambda it: engine.get_learned_conditioning([it])
            unet = engine.forge_objects.unet.model.diffusion_model
            return webui.drawn(task, unet, engine.forge_objects.vae.first_stage_model, rngs)

    made = webui.install_webui(patch, folder, run)
    made.shared.sd_model = SimpleNamespace()  # Forge's FakeInitialModel, till the first picture
    networks = lora_module(patch, data, folder)
    info = ldm.checkpoint_info(folder)
    refresh = lambda: data.forge_loading_parameters.update(checkpoint_info=info)  # noqa: E731
    webui.install(
        patch, "modules.sd_models", model_data=data, forge_model_reload=forge_model_reload
    )
    webui.install(patch, "modules_forge", __path__=[])
    webui.install(patch, "modules_forge.main_entry", refresh_model_loading_parameters=refresh)
    webui.install(patch, "backend", __path__=[])
    webui.install(patch, "backend.attention", attention_pytorch=ldm.with_gradient)
    webui.install(patch, "backend.memory_management", load_models_gpu=load_models_gpu)
    webui.install(patch, "backend.stream", stream_activated=True)
    webui.install(patch, "backend.patcher", __path__=[])
    webui.install(
        patch, "backend.patcher.lora", model_lora_keys_unet=unet_keys,
        model_lora_keys_clip=clip_keys, load_lora=load_lora,
    )  # fmt: skip
    webui.install(patch, "backend.nn", __path__=[])
    kernels = webui.install(patch, "backend.nn.unet", attention_function=ldm.without_gradient)

    def forward(self: Any, x: Tensor, context: Tensor | None = None, **rest: Any) -> Tensor:
        return ldm.attend(self, x, context, kernels.attention_function)

    patch.setattr(ldm.CrossAttention, "forward", forward)

    def live() -> list[nn.Module]:
        own = forge_model_reload()[0].forge_objects_original
        return [own.unet.model, own.clip.cond_stage_model, own.vae.first_stage_model]

    def switch() -> None:
        data.sd_model = None
        forge_model_reload()

    host = importlib.import_module("lib_lora_cook.hosts.forge").make_host()
    return webui.Lent(
        host, live, made.shared, made.lock, webui.draws(made.shared, made.lock, folder),
        (ldm.CrossAttention,), switch,
    )  # fmt: skip
