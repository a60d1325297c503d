"""A stand-in for AUTOMATIC1111: LoRA patches of whole classes, caches by name, an odd kernel."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn
from transformers import CLIPTextModel

from tests.tiny_models import text_config, tokenizer

from . import ldm, webui

PATCHED = (nn.Linear, nn.Conv2d)


class Hijacked(nn.Module):
    """What the host puts around a text encoder of open_clip's: its tokenizer gives bare ids."""

    def __init__(self, words: Any, width: int) -> None:
        super().__init__()
        self.wrapped, self.words = ldm.PenultimateEmbedder(len(words), width), words
        self.id_start, self.id_end, self.id_pad = words.bos_token_id, words.eos_token_id, 0

    def tokenize(self, texts: list[str]) -> list[list[int]]:
        return [ids[1:-1] for ids in self.words(texts).input_ids]


class SdModel(nn.Module):
    """LatentDiffusion or DiffusionEngine, as far as we look."""

    def __init__(self, folder: Path, kind: str) -> None:
        super().__init__()
        words, sdxl = tokenizer(folder), kind == "sdxl"
        self.is_sd1, self.is_sd2, self.is_sdxl = kind == "sd1", kind == "sd2", sdxl
        self.lowvram = False
        width = 16
        text = nn.Module()
        text.transformer, text.tokenizer = CLIPTextModel(text_config(words, width)).eval(), words
        holder = nn.Module()
        holder.wrapped = text
        if sdxl:
            second = nn.Module()
            second.wrapped = ldm.OpenClipEmbedder(len(words), width, words.eos_token_id)
            self.conditioner = nn.Module()
            self.conditioner.embedders = nn.ModuleList([holder, second])
        else:
            self.cond_stage_model = holder if self.is_sd1 else Hijacked(words, width)
        self.model = nn.Module()
        self.model.diffusion_model = (
            ldm.UNet(2 * width, width + 6 * 256) if sdxl
            else ldm.UNet(width, use_linear=self.is_sd2)
        )  # fmt: skip
        self.first_stage_model, self.scale_factor = ldm.Vae(), 0.18215
        self.alphas_cumprod = torch.zeros(1000)  # as a setting has left it
        self.alphas_cumprod_original = ldm.alphas()
        self.parameterization = "v" if self.is_sd2 else "eps"
        self.sd_checkpoint_info = ldm.checkpoint_info(folder)
        self.eval()
        for name, module in self.named_modules():
            if isinstance(module, (*PATCHED, nn.MultiheadAttention)):
                module.network_layer_name = name

    def encode(self, prompt: str) -> tuple[Tensor, Tensor | None]:
        sdxl = self.is_sdxl
        if self.is_sd2:
            hijacked = self.cond_stage_model
            inner = [hijacked.id_start, *hijacked.tokenize([prompt])[0], hijacked.id_end]
            ids = torch.tensor([inner + [hijacked.id_pad] * (77 - len(inner))])
            return hijacked.wrapped.encode_with_transformer(ids), None
        text = (self.conditioner.embedders[0] if sdxl else self.cond_stage_model).wrapped
        ids = text.tokenizer([prompt], padding="max_length", max_length=77, return_tensors="pt")
        states = text.transformer(ids.input_ids, output_hidden_states=True).last_hidden_state
        if not sdxl:
            return states, None
        out = self.conditioner.embedders[1].wrapped.encode_with_transformer(ids.input_ids)
        vector = torch.cat([out["pooled"], torch.zeros(1, 6 * 256)], -1)
        return torch.cat([states, out["penultimate"]], -1), vector


def lora_module(patch: pytest.MonkeyPatch, model: SdModel, folder: Path) -> Any:
    """The built-in Lora extension: it patches every nn.Linear of the process, and merges lazily."""
    loaded: list[Any] = []

    def network_apply_weights(layer: Any) -> None:
        name = getattr(layer, "network_layer_name", None)
        if name is None or isinstance(layer, nn.MultiheadAttention):
            return
        wanted = tuple((it.name, it.multiplier) for it in loaded)
        if getattr(layer, "network_current_names", ()) == wanted:
            return
        backup = getattr(layer, "network_weights_backup", None)
        if backup is None:
            backup = layer.network_weights_backup = layer.weight.detach().clone()
        layer.weight.copy_(backup)  # outside no_grad, as the host writes it
        with torch.no_grad():
            for it in loaded:
                delta = it.deltas.get(name)
                if delta is not None:
                    layer.weight.add_(delta * it.multiplier)
        layer.network_current_names = wanted

    def load_network(name: str, on_disk: Any) -> Any:
        known = {it.name for it in file_layers(model)}
        second = "-" if model.is_sd1 else "lora_te2_" if model.is_sdxl else "lora_te_"
        keys = safetensors.torch.load_file(on_disk.filename)
        matched = [it for it in keys if it.partition(".")[0] in known or it.startswith(second)]
        return SimpleNamespace(modules={it: SimpleNamespace(network_key=it) for it in matched})

    def patched(kind: type) -> Any:
        original = kind.forward  # type: ignore[attr-defined]

        setattr(originals, f"{kind.__name__}_forward", original)

        def forward(self: Any, x: Tensor) -> Tensor:
            network_apply_weights(self)
            return getattr(originals, f"{kind.__name__}_forward")(self, x)

        return forward

    originals = SimpleNamespace()
    for kind in PATCHED:
        patch.setattr(kind, "forward", patched(kind))
    return webui.install(
        patch, "networks", loaded_networks=loaded, network_apply_weights=network_apply_weights,
        load_network=load_network, originals=originals, **webui.lora_files(folder),
    )  # fmt: skip


def file_layers(model: SdModel) -> list[Any]:
    """The layers that a file may name."""
    from lib_lora_cook.models.ldm_layers import clip_layers, unet_layers
    from lib_lora_cook.models.trainable import SD1, SDXL

    layers = unet_layers(model.model.diffusion_model, SDXL if model.is_sdxl else SD1)
    if model.is_sd2:
        return layers
    first = model.conditioner.embedders[0] if model.is_sdxl else model.cond_stage_model
    prefix = "lora_te1" if model.is_sdxl else "lora_te"
    return layers + clip_layers(first.wrapped.transformer, prefix)


def read_lora(model: SdModel, path: Path, weight: float) -> Any:
    """A LoRA file as the deltas of the layers of this model, by their live names."""
    layers, tensors, deltas = file_layers(model), safetensors.torch.load_file(path), {}
    for layer in layers:
        if f"{layer.name}.lora_up.weight" in tensors:
            up = tensors[f"{layer.name}.lora_up.weight"].float()
            down = tensors[f"{layer.name}.lora_down.weight"].float()
            scale = float(tensors[f"{layer.name}.alpha"]) / len(down)
            delta = (up.flatten(1) @ down.flatten(1)) * scale
            target: Any = layer.module
            deltas[target.network_layer_name] = delta.view(target.weight.shape)
    return SimpleNamespace(name=path.stem, multiplier=weight, deltas=deltas)


def lend(patch: pytest.MonkeyPatch, folder: Path, kind: str) -> webui.Lent:
    """AUTOMATIC1111 with a toy model loaded."""
    torch.manual_seed(0)
    model = SdModel(folder, kind)

    def run(task: Any, names: list[Any], rngs: list[torch.Generator]) -> list[Any]:
        networks.loaded_networks[:] = [
            read_lora(model, folder / "Lora" / f"{name}.safetensors", weight)
            for name, weight in names
        ]
        with torch.no_grad():
            task.encode = model.encode
            return webui.drawn(task, model.model.diffusion_model, model.first_stage_model, rngs)

    made = webui.install_webui(patch, folder, run)
    networks = lora_module(patch, model, folder)
    ldm.use_kernel(model.model.diffusion_model, ldm.without_gradient)
    with torch.no_grad():
        model.encode("")  # transformers puts hooks on its layers at their first use
    data = SimpleNamespace(sd_model=model)
    made.shared.sd_model = model
    webui.install(patch, "modules.devices", device=torch.device("cpu"))
    webui.install(patch, "modules.sd_models", model_data=data, send_model_to_device=lambda it: None)
    webui.install(patch, "modules.sd_unet", current_unet=None)
    hijack = SimpleNamespace(fixes=None, circular_enabled=False, apply_circular=None)

    def apply_circular(on: bool) -> None:
        hijack.circular_enabled = on
        for layer in model.model.diffusion_model.modules():
            if isinstance(layer, nn.Conv2d):
                layer.padding_mode = "circular" if on else "zeros"

    hijack.apply_circular = apply_circular
    webui.install(patch, "modules.sd_hijack", model_hijack=hijack)

    def sdp(self: Any, x: Tensor, context: Tensor | None = None, **rest: Any) -> Tensor:
        assert not made.shared.loaded_hypernetworks
        return ldm.attend(self, x, context, ldm.with_gradient)

    webui.install(
        patch, "modules.sd_hijack_optimizations", scaled_dot_product_attention_forward=sdp
    )

    def switch() -> None:
        made.shared.sd_model = data.sd_model = SdModel(folder, kind)

    host = importlib.import_module("lib_lora_cook.hosts.a1111").make_host()
    return webui.Lent(
        host, lambda: [model], made.shared, made.lock, webui.draws(made.shared, made.lock, folder),
        (ldm.CrossAttention, nn.Linear, nn.Conv2d), switch,
    )  # fmt: skip
