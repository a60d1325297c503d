"""LoRA files: safetensors under kohya's keys, with its hashes and metadata (KOHYA 2.1 to 2.4)."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..config import NetworkConfig
from ..errors import UserError
from .attach import Network, make_network
from .targets import AdaptableLayer, Target

PRECISIONS = {"fp16": torch.float16, "bf16": torch.bfloat16, "float": torch.float32}
LEGACY_START, LEGACY_END = 0x100000, 0x110000
RANKED = {"lora_down.weight": 0, "hada_w1_b": 0}
"""The tensor whose first side is the rank, by kind of adapter."""


def save_network(
    network: Network, path: Path, metadata: dict[str, str], precision: str = "fp16"
) -> None:
    """Write a LoRA file whole or not at all.

    Raises ValueError when a weight is not finite: such a file is never published.
    """
    tensors = {k: v.to("cpu", PRECISIONS[precision]) for k, v in network.tensors().items()}
    broken = [name for name, value in tensors.items() if not torch.isfinite(value).all()]
    if broken:
        raise ValueError(f"{path.name} is not written: {broken[0]} is not finite")
    write_atomically(path, safetensors.torch.save(tensors, with_hashes(tensors, metadata)))


def write_atomically(path: Path, data: bytes) -> None:
    """A file appears whole or not at all, power cuts included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(part, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


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


def network_of_file(path: Path, layers: Iterable[AdaptableLayer]) -> Network:
    """The network that a file holds, made for these layers; UserError where they do not match."""
    tensors, _ = read_file(path)
    return network_of_tensors(tensors, layers, str(path))


def network_of_tensors(
    tensors: dict[str, Tensor], layers: Iterable[AdaptableLayer], where: str
) -> Network:
    """A network with the weights, ranks and alphas of LoRA tensors under kohya's keys."""
    ranks = {}
    for key, value in tensors.items():
        name, _, kind = key.partition(".")
        if kind in RANKED:
            alpha = tensors.get(f"{name}.alpha", torch.tensor(float(value.shape[0])))
            ranks[name] = (value.shape[RANKED[kind]], float(alpha))
    by_name = {layer.name: layer for layer in layers}
    strangers = sorted(ranks.keys() - by_name.keys())
    if strangers or not ranks:
        what = f"{len(strangers)} of its {len(ranks)} modules are not in this model"
        example = f", such as {strangers[0]}" if strangers else ""
        raise UserError(what + example, where, "Choose a LoRA of the model's own family.")
    targets = [
        Target(name, by_name[name].module, by_name[name].part, *ranks[name])
        for name in by_name
        if name in ranks
    ]
    loha = any(key.endswith("hada_w1_b") for key in tensors)
    network = make_network(targets, NetworkConfig(network_type="LoHa" if loha else "LoCon"))
    for target in targets:
        tensors.setdefault(f"{target.name}.alpha", torch.tensor(float(target.dim)))
    network.load_tensors(tensors)
    return network


def as_text(metadata: dict[str, Any]) -> dict[str, str]:
    """Metadata as safetensors keeps it: dicts and lists as JSON, the rest by str()."""
    return {
        key: json.dumps(value) if isinstance(value, (dict, list)) else str(value)
        for key, value in metadata.items()
    }
