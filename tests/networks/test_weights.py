"""LoRA files: their bytes, hashes and precisions, and what is refused."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from safetensors import safe_open
from torch import Tensor, nn

from lib_lora_cook.config import NetworkConfig
from lib_lora_cook.errors import UserError
from lib_lora_cook.models.trainable import Layer
from lib_lora_cook.networks.attach import Network, make_network
from lib_lora_cook.networks.targets import Target
from lib_lora_cook.networks.weights import (
    as_text,
    network_of_file,
    read_file,
    save_network,
    with_hashes,
)

KINDS = ("LoRA", "LoCon", "LoHa")
METADATA = {"ss_epoch": "3", "ss_steps": "40", "modelspec.title": "a", "ss_long": "x" * 500}


def some_layers(width: int = 8) -> list[Layer]:
    torch.manual_seed(0)
    return [
        Layer("lora_te_a", nn.Linear(width, width), "text_encoder", "text"),
        Layer("lora_unet_b", nn.Linear(width, width), "unet", "attention"),
        Layer("lora_unet_c", nn.Conv2d(width, width, 3, padding=1), "unet", "resnet"),
    ]


def trained(layers: list[Layer], kind: str = "LoRA", dims: tuple[int, ...] = (2, 4, 3)) -> Network:
    """As if trained: random weights, another rank for every layer."""
    ranked = zip(layers, dims, strict=True)
    targets = [Target(it.name, it.module, it.part, dim, 1.5) for it, dim in ranked]
    network = make_network(targets, NetworkConfig(network_type=kind))
    generator = torch.Generator().manual_seed(1)
    for parameter in network.parameters():
        parameter.data.copy_(torch.randn(parameter.shape, generator=generator) / 4)
    return network.eval()


def outputs(layers: list[Layer]) -> list[Tensor]:
    pixels = torch.randn(2, 8, 4, 4, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        return [
            it.module(pixels if isinstance(it.module, nn.Conv2d) else pixels.flatten(2).mT)
            for it in layers
        ]


def large_network() -> Network:
    """Of more than 1 MiB + 64 KiB in fp16, so that the legacy hash has bytes to hash."""
    layer = nn.Linear(4096, 4096)
    return trained([Layer("lora_unet_a", layer, "unet", "attention")], dims=(80,))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("precision", "digits"), [("fp16", 5e-3), ("bf16", 5e-2), ("float", 0.0)])
def test_a_file_read_again_gives_the_same_output(
    tmp_path: Path, kind: str, precision: str, digits: float
) -> None:
    layers = some_layers()
    network = trained(layers, kind)
    with network:
        expected = outputs(layers)
    save_network(network, tmp_path / "a.safetensors", {}, precision)
    again = network_of_file(tmp_path / "a.safetensors", layers).eval()
    assert [(it.name, it.dim, it.alpha) for it in again.targets] == [
        (it.name, it.dim, it.alpha) for it in network.targets
    ]
    with again:
        for found, value in zip(outputs(layers), expected, strict=True):
            assert (found - value).abs().max() <= digits


@pytest.mark.parametrize(
    ("precision", "dtype"),
    [("fp16", torch.float16), ("bf16", torch.bfloat16), ("float", torch.float32)],
)
def test_every_tensor_has_the_precision_of_the_file(
    tmp_path: Path, precision: str, dtype: torch.dtype
) -> None:
    save_network(trained(some_layers()), tmp_path / "a.safetensors", {}, precision)
    tensors, _ = read_file(tmp_path / "a.safetensors")
    assert {value.dtype for value in tensors.values()} == {dtype}
    assert tensors["lora_te_a.alpha"].shape == ()
    assert float(tensors["lora_te_a.alpha"]) == 1.5


def test_the_model_hash_is_that_of_the_bytes_behind_the_header(tmp_path: Path) -> None:
    save_network(large_network(), tmp_path / "a.safetensors", METADATA)
    data = (tmp_path / "a.safetensors").read_bytes()
    header = int.from_bytes(data[:8], "little")
    _, metadata = read_file(tmp_path / "a.safetensors")
    assert metadata["sshs_model_hash"] == hashlib.sha256(data[8 + header :]).hexdigest()


def test_the_legacy_hash_is_that_of_the_file_with_ss_metadata_only(tmp_path: Path) -> None:
    save_network(large_network(), tmp_path / "a.safetensors", METADATA)
    with safe_open(str(tmp_path / "a.safetensors"), framework="pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        metadata = file.metadata()
    plain = {key: value for key, value in metadata.items() if key.startswith("ss_")}
    data = safetensors.torch.save(tensors, plain)
    assert len(data) > 0x110000
    legacy = hashlib.sha256(data[0x100000:0x110000]).hexdigest()[:8]
    assert metadata["sshs_legacy_hash"] == legacy


def test_hashes_do_not_depend_on_titles_and_the_model_hash_not_on_metadata() -> None:
    tensors = {"lora_unet_a.lora_up.weight": torch.randn(1024, 600)}
    one = with_hashes(tensors, {**METADATA, "modelspec.title": "another, and longer"})
    two = with_hashes(tensors, METADATA)
    three = with_hashes(tensors, {})
    assert one["sshs_legacy_hash"] == two["sshs_legacy_hash"] != three["sshs_legacy_hash"]
    assert len({it["sshs_model_hash"] for it in (one, two, three)}) == 1


def test_metadata_comes_back_as_text(tmp_path: Path) -> None:
    given = {"ss_a": None, "ss_b": True, "ss_c": {"x": [1, None]}, "ss_d": 1e-4, "ss_e": [1]}
    save_network(trained(some_layers()), tmp_path / "a.safetensors", as_text(given))
    _, metadata = read_file(tmp_path / "a.safetensors")
    assert {key: metadata[key] for key in given} == {
        "ss_a": "None", "ss_b": "True", "ss_c": '{"x": [1, null]}', "ss_d": "0.0001", "ss_e": "[1]",
    }  # fmt: skip


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e6])
def test_a_weight_that_is_not_finite_in_the_file_is_never_written(
    tmp_path: Path, value: float
) -> None:
    network = trained(some_layers())
    next(network.parameters()).data[0, 0] = value  # 1e6 is none in fp16
    with pytest.raises(UserError, match="no finite numbers"):
        save_network(network, tmp_path / "a.safetensors", {}, "fp16")
    assert list(tmp_path.iterdir()) == []


def refused(path: Path, layers: list[Layer]) -> str:
    with pytest.raises(UserError) as caught:
        network_of_file(path, layers)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_lora_of_another_family_is_refused_with_an_example(tmp_path: Path) -> None:
    path = tmp_path / "sdxl.safetensors"
    save_network(trained(some_layers()), path, {})
    others = [Layer("lora_te1_a", nn.Linear(8, 8), "text_encoder", "text")]
    assert "3 of its 3 modules are not in this model, such as lora_te_a" in refused(path, others)


def test_a_lora_of_the_same_names_and_other_widths_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sd2.safetensors"
    save_network(trained(some_layers(width=16)), path, {})
    assert "do not fit this model" in refused(path, some_layers())


def test_a_file_with_a_tensor_missing_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "half.safetensors"
    tensors = trained(some_layers()).tensors()
    del tensors["lora_unet_b.lora_up.weight"]
    safetensors.torch.save_file(tensors, path)
    assert "do not fit this model" in refused(path, some_layers())


def test_kinds_of_adapter_that_are_not_known_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "lokr.safetensors"
    safetensors.torch.save_file({"lora_te_a.oft_blocks": torch.ones(2, 4, 4)}, path)
    assert "There is no LoRA, LoCon, LoHa, LoKr, DoRA" in refused(path, some_layers())
    tensors = trained(some_layers()).tensors()
    tensors["lora_te_a.dora_scale"] = torch.ones(8, 3)
    safetensors.torch.save_file(tensors, path)
    assert "do not fit this model" in refused(path, some_layers())


@pytest.mark.parametrize("what", ["text", "empty", "truncated", "checkpoint", "missing", "folder"])
def test_what_is_no_lora_file_is_refused(tmp_path: Path, what: str) -> None:
    path = tmp_path / "a.safetensors"
    save_network(trained(some_layers()), path, {})
    whole = path.read_bytes()
    path.unlink()
    make: dict[str, Any] = {
        "text": lambda: path.write_text("this is a text " * 99),
        "empty": lambda: path.write_bytes(b""),
        "truncated": lambda: path.write_bytes(whole[: len(whole) // 2]),
        "checkpoint": lambda: safetensors.torch.save_file(
            {"model.diffusion_model.out.2.weight": torch.ones(2)}, path
        ),
        "missing": lambda: None,
        "folder": path.mkdir,
    }
    make[what]()
    refused(path, some_layers())


def test_a_file_without_alpha_is_taken_at_alpha_equal_to_its_rank(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    tensors = trained(some_layers()).tensors()
    safetensors.torch.save_file({k: v for k, v in tensors.items() if "alpha" not in k}, path)
    network = network_of_file(path, some_layers())
    assert [(it.dim, it.alpha) for it in network.targets] == [(2, 2.0), (4, 4.0), (3, 3.0)]
    assert float(network.tensors()["lora_unet_b.alpha"]) == 4.0


def test_a_lora_of_some_layers_leaves_the_others_bare(tmp_path: Path) -> None:
    path = tmp_path / "unet.safetensors"
    save_network(trained(some_layers()[1:], dims=(4, 3)), path, {})
    assert [it.name for it in network_of_file(path, some_layers()).targets] == [
        "lora_unet_b", "lora_unet_c",
    ]  # fmt: skip
