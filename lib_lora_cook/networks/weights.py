"""LoRA files: safetensors under kohya's keys, with its hashes and metadata (KOHYA 2.1 to 2.4)."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from lycoris.modules import get_module
from lycoris.modules.locon import LoConModule
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from ..errors import UserError
from .adapters import OURS, LowRank
from .atomic import write_atomically
from .attach import KINDS, Network
from .targets import AdaptableLayer, Target

PRECISIONS = {"fp16": torch.float16, "bf16": torch.bfloat16, "float": torch.float32}
LEGACY_START, LEGACY_END = 0x100000, 0x110000
ADAPTERS = {kind for kind, _ in KINDS.values()} | set(OURS)


def save_network(
    network: Network, path: Path, metadata: dict[str, str], precision: str = "fp16"
) -> None:
    """Write a LoRA file whole or not at all.

    UserError when a weight is not finite: such a file is never published.
    """
    tensors = {k: v.to("cpu", PRECISIONS[precision]) for k, v in network.tensors().items()}
    refuse_broken(tensors, path)
    write_atomically(path, safetensors.torch.save(tensors, with_hashes(tensors, metadata)))


def refuse_broken(tensors: dict[str, Tensor], path: Path) -> None:
    """UserError when a weight is not finite: it is NaN, or too large for the file's precision."""
    broken = [name for name, value in tensors.items() if not torch.isfinite(value).all()]
    if broken:
        raise UserError(
            f"It is not written, because {len(broken)} of its {len(tensors)} tensors hold no "
            f"finite numbers, such as {broken[0]}", path,
            "Lower the learning rate; the files before it are good.",
        )  # fmt: skip


def with_hashes(tensors: dict[str, Tensor], metadata: dict[str, str]) -> dict[str, str]:
    """The metadata with `sshs_model_hash` and `sshs_legacy_hash` as networks.lora writes them.

    model: sha256 of all behind the header; legacy: 8 hex of sha256 of 64 KiB at 1 MiB, of the file
    with only the ss_* metadata.
    """
    plain = {key: value for key, value in metadata.items() if key.startswith("ss_")}
    data = safetensors.torch.save(tensors, plain)
    header = int.from_bytes(data[:8], "little")
    model = hashlib.sha256(data[8 + header :]).hexdigest()
    legacy = hashlib.sha256(data[LEGACY_START:LEGACY_END]).hexdigest()[:8]
    return {**metadata, "sshs_model_hash": model, "sshs_legacy_hash": legacy}


def read_file(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """(tensors, metadata) of a LoRA file; UserError where it is not one."""
    if not path.is_file():
        raise UserError("There is no such LoRA file", str(path), "Check the name.")
    try:
        with safe_open(str(path), framework="pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            return tensors, file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise UserError(
            f"This LoRA file cannot be read ({error})", str(path), "Save it or fetch it again."
        ) from None


def layers_of_file(path: Path) -> set[str]:
    """The names of the layers that a LoRA file has weights for."""
    return {name.partition(".")[0] for name in read_file(path)[0]}


def network_of_file(path: Path, layers: Iterable[AdaptableLayer]) -> Network:
    """The network that a file holds, made for these layers; UserError where they do not match."""
    tensors, _ = read_file(path)
    return network_of_tensors(tensors, layers, str(path))


def network_of_tensors(
    tensors: dict[str, Tensor], layers: Iterable[AdaptableLayer], where: str
) -> Network:
    """A network with the kinds, weights, ranks and alphas of LoRA tensors under kohya's keys."""
    parts = by_module(tensors)
    kinds = {name: get_module(part, name) for name, part in parts.items()}
    known = {name: kind for name, kind in kinds.items() if kind[0] in ADAPTERS}
    if not known:
        names = ", ".join(KINDS)
        raise UserError(f"There is no {names} in this file", where, "Choose another.")
    by_name = {layer.name: layer for layer in layers}
    if strangers := sorted(kinds.keys() - by_name.keys()):
        what = f"{len(strangers)} of its {len(kinds)} modules are not in this model"
        raise UserError(
            f"{what}, such as {strangers[0]}: it is of {family_of_tensors(tensors)}", where,
            "Choose a LoRA of the model's own family.",
        )  # fmt: skip
    if half := sorted(kinds.keys() - known.keys()):
        raise UserError(
            f"Its tensors do not fit this model ({half[0]} is not whole, or of another kind)",
            where, "Fetch the file again, or choose another.",
        )  # fmt: skip
    try:
        return Network(
            _adapter_of_tensors(by_name[name], parts[name]) for name in by_name if name in known
        )
    except (RuntimeError, TypeError, AttributeError) as error:  # Other shapes, or tensors missing.
        why = " ".join(str(error).split(":", 1)[-1].split())[:160]
        raise UserError(
            f"Its tensors do not fit this model, it is of {family_of_tensors(tensors)} ({why})",
            where, "Choose a LoRA of the model's own family.",
        ) from None  # fmt: skip


def by_module(tensors: dict[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """The tensors of each module, under their whole keys."""
    parts: dict[str, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        parts.setdefault(key.split(".")[0], {})[key] = tensor
    return parts


def family_of_tensors(tensors: dict[str, Tensor]) -> str:
    """The family of base models that a LoRA is of, by its names and the width of its text."""
    names = {key.split(".")[0] for key in tensors}
    if any(re.match(r"lora_te[12]_|lora_unet_(in|out)put_blocks_", name) for name in names):
        return "SDXL"
    if not any(re.match(r"lora_te_|lora_unet_(down|mid|up)_block", name) for name in names):
        return "a family that is not known here"
    widths: set[int] = {
        value.shape[-1] for key, value in tensors.items()
        if re.search(r"attn2_to_k\.(lora_down\.weight|hada_w1_b)$", key)
    }  # fmt: skip
    return "SD1" if widths == {768} else "SD2" if widths == {1024} else "SD1 or SD2"


def kind_of_tensors(tensors: dict[str, Tensor]) -> str:
    """The `network_type` of a LoRA by the names of its tensors; empty where none is known."""
    ends = {key.partition(".")[2] for key in tensors}
    if "lora_up.weight" not in ends:
        return "LoHa" if "hada_w1_a" in ends else "LoKr" if any("lokr" in it for it in ends) else ""
    if "dora_scale" in ends:
        return "DoRA"
    convolved = any(
        key.endswith("lora_down.weight") and value.shape[2:] not in ((), (1, 1))
        for key, value in tensors.items()
    )
    return "LoCon" if convolved else "LoRA"


def _adapter_of_tensors(
    layer: AdaptableLayer, tensors: dict[str, Tensor]
) -> tuple[Target, nn.Module]:
    """The adapter that a file holds for one layer, in fp32 on the layer's device."""
    kind, _ = get_module(tensors, layer.name)
    kind = OURS.get(kind, kind)
    start = f"{layer.name}."
    own = {key.removeprefix(start): it for key, it in tensors.items()}
    rank = own.get("lora_down.weight", own.get("hada_w1_b"))
    if rank is not None:  # without an alpha it is the rank
        own.setdefault("alpha", torch.tensor(float(rank.shape[0])))
    if "dora_scale" in own and kind is LowRank:
        adapter = _dora(layer, own)
    else:
        full = {start + key: value for key, value in own.items()}
        with torch.no_grad():
            adapter = kind.make_module_from_state_dict(
                layer.name, layer.module, *kind.extract_state_dict(full, layer.name)
            )
        adapter.bypass_mode = kind is LowRank
    weight: Any = layer.module.weight
    adapter.to(device=weight.device, dtype=torch.float32)
    alpha = float(adapter.alpha)
    return Target(layer.name, layer.module, layer.part, adapter.lora_dim, alpha), adapter


def _dora(layer: AdaptableLayer, own: dict[str, Tensor]) -> Any:
    """DoRA by either form of its norms: [1, in] of old, [out, 1] of LyCORIS 4."""
    adapter = LoConModule(
        layer.name, layer.module, 1.0, own["lora_down.weight"].shape[0], float(own["alpha"]),
        weight_decompose=True, wd_on_out=own["dora_scale"].shape[0] != 1, bypass_mode=False,
    )  # fmt: skip
    adapter.load_state_dict(own)
    return adapter


def as_text(metadata: dict[str, Any]) -> dict[str, str]:
    """Metadata as safetensors keeps it: dicts and lists as JSON, the rest by str()."""
    return {
        key: json.dumps(value) if isinstance(value, (dict, list)) else str(value)
        for key, value in metadata.items()
    }
