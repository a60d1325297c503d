"""LDM, diffusers and kohya names of the layers that can be adapted.

kohya names a module by a prefix and its path with dots turned into underscores. The paths are
diffusers' for SD1 and SD2 and LDM's for SDXL (sd-scripts `networks/lora.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from torch import nn

from .trainable import Layer, ModelFamily

RESNET_LDM = {
    "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection", "norm1": "in_layers.0", "norm2": "out_layers.0",
}  # fmt: skip
OUTER_LDM = {
    "conv_in": "input_blocks.0.0", "conv_out": "out.2", "conv_norm_out": "out.0",
    "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0", "add_embedding.linear_2": "label_emb.0.2",
}  # fmt: skip
RESNET_DIFFUSERS = {ldm: diffusers for diffusers, ldm in RESNET_LDM.items()}
OUTER_DIFFUSERS = {ldm: diffusers for diffusers, ldm in OUTER_LDM.items()}
MIDDLE_DIFFUSERS = {"0": "resnets.0", "1": "attentions.0", "2": "resnets.1"}
TEXT_LAYER = re.compile(r"encoder\.layers\.\d+\.(self_attn\.(q|k|v|out)_proj|mlp\.fc[12])$")


def ldm_name(path: str, layers_per_block: int = 2) -> str:
    """The LDM path of a diffusers UNet path (`down_blocks.1.attentions.0.proj_in` -> ...)."""
    if path in OUTER_LDM:
        return OUTER_LDM[path]
    block, *rest = path.split(".")
    if block == "mid_block":
        kind, index, *inner = rest
        slot = 1 if kind == "attentions" else 2 * int(index)
        return ".".join([f"middle_block.{slot}", *_inner(kind, inner)])
    number, kind, index, *inner = rest
    side = "input_blocks" if block == "down_blocks" else "output_blocks"
    return ".".join([side, _slot(side, int(number), kind, int(index), layers_per_block),
                     *_inner(kind, inner)])  # fmt: skip


def _slot(side: str, block: int, kind: str, index: int, layers: int) -> str:
    """Where a block's part stands among LDM's flat blocks: `4.1`."""
    if side == "input_blocks":
        first = 1 + block * (layers + 1)
        return {"resnets": f"{first + index}.0", "attentions": f"{first + index}.1",
                "downsamplers": f"{first + layers}.0"}[kind]  # fmt: skip
    first = block * (layers + 1)
    return {"resnets": f"{first + index}.0", "attentions": f"{first + index}.1",
            "upsamplers": f"{first + layers}.UP"}[kind]  # fmt: skip


def _inner(kind: str, inner: list[str]) -> list[str]:
    if kind == "resnets":
        return [RESNET_LDM.get(inner[0], inner[0]), *inner[1:]]
    return ["op"] if kind == "downsamplers" else inner


def ldm_names(paths: list[str], layers_per_block: int = 2) -> dict[str, str]:
    """diffusers path -> LDM path. An upsampler's slot is 2 behind an attention and 1 else."""
    attended = {tuple(p.split(".")[:2]) for p in paths if ".attentions." in p}
    names = {}
    for path in paths:
        slot = "2" if tuple(path.split(".")[:2]) in attended else "1"
        names[path] = ldm_name(path, layers_per_block).replace("UP", slot)
    return names


def diffusers_name(path: str, layers_per_block: int = 2) -> str:
    """The diffusers path of a layer's LDM path: the inverse of `ldm_name`."""
    if path in OUTER_DIFFUSERS:
        return OUTER_DIFFUSERS[path]
    side, *rest = path.split(".")
    if side == "middle_block":
        slot, *inner = rest
        return ".".join(["mid_block", MIDDLE_DIFFUSERS[slot], *_diffusers_inner(inner)[1]])
    number, _, *inner = rest
    kind, spelt = _diffusers_inner(inner)
    flat = int(number) - (side == "input_blocks")
    block, index = divmod(flat, layers_per_block + 1)
    place = index if kind in ("resnets", "attentions") else 0
    blocks = "down_blocks" if side == "input_blocks" else "up_blocks"
    return ".".join([blocks, str(block), kind, str(place), *spelt])


def _diffusers_inner(inner: list[str]) -> tuple[str, list[str]]:
    """(what a part of a block is, the rest of its path) as diffusers calls them."""
    start = ".".join(inner[:2])
    if start in RESNET_DIFFUSERS:
        return "resnets", [RESNET_DIFFUSERS[start], *inner[2:]]
    if inner[0] in RESNET_DIFFUSERS:
        return "resnets", [RESNET_DIFFUSERS[inner[0]], *inner[1:]]
    if inner[0] in ("op", "conv"):
        return {"op": "downsamplers", "conv": "upsamplers"}[inner[0]], ["conv"]
    return "attentions", inner


def ldm_layers_per_block(paths: list[str]) -> int:
    """How many resnets a block of an LDM UNet has, by where its first downsampler stands."""
    found = [int(p.split(".")[1]) for p in paths if re.fullmatch(r"input_blocks\.\d+\.0\.op", p)]
    last = max((int(p.split(".")[1]) for p in paths if p.startswith("input_blocks.")), default=0)
    return min(found) - 1 if found else last


def ldm_unet_layers(modules: dict[str, nn.Module], family: ModelFamily) -> list[Layer]:
    """Adaptable layers of an LDM UNet, given by path, under kohya's names."""
    depth = ldm_layers_per_block(list(modules))
    named = [(path, diffusers_name(path, depth)) for path in modules]
    return [
        Layer(
            "lora_unet_" + (path if family.name == "sdxl" else spelt).replace(".", "_"),
            modules[path], "unet", unet_place(spelt),
        )
        for path, spelt in named
    ]  # fmt: skip


def unet_layers(unet: nn.Module, family: ModelFamily, layers_per_block: int = 2) -> list[Layer]:
    """The adaptable layers of a diffusers UNet under kohya's names."""
    paths = [path for path, module in unet.named_modules() if _is_adaptable(module)]
    spelt = ldm_names(paths, layers_per_block) if family.name == "sdxl" else {p: p for p in paths}
    modules = dict(unet.named_modules())
    return [
        Layer("lora_unet_" + spelt[path].replace(".", "_"), modules[path], "unet", unet_place(path))
        for path in paths
    ]


def text_layers(encoder: nn.Module, prefix: str) -> Iterator[Layer]:
    """The adaptable layers of a CLIP text encoder under kohya's names.

    transformers 5 dropped the `text_model.` that kohya's names have; it is put back.
    """
    for path, module in encoder.named_modules():
        if TEXT_LAYER.search(path):
            spelt = "text_model." + path.removeprefix("text_model.")
            yield Layer(f"{prefix}_{spelt.replace('.', '_')}", module, "text_encoder", "text")


def unet_place(path: str) -> str:
    """Which of kohya's groups a diffusers UNet path falls into."""
    if ".attentions." in path:
        return "attention"
    if re.search(r"\.(resnets|downsamplers|upsamplers)\.", path):
        return "resnet"
    return "outer"


def _is_adaptable(module: nn.Module) -> bool:
    return isinstance(module, (nn.Linear, nn.Conv2d))
