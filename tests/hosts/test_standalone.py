"""The standalone host: the model is lent and given back, files are worn, diffusers agrees."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from diffusers import StableDiffusionPipeline
from PIL import Image
from torch import nn

from lib_lora_cook.config import ModelConfig, NetworkConfig
from lib_lora_cook.errors import UserError
from lib_lora_cook.hosts.base import GenerateRequest
from lib_lora_cook.hosts.standalone import StandaloneHost, default_home
from lib_lora_cook.models.names import ldm_names
from lib_lora_cook.networks.attach import make_network
from lib_lora_cook.networks.targets import Target
from lib_lora_cook.networks.weights import read_file, save_network
from tests.tiny_models import save, tiny_sd1

REQUEST = GenerateRequest(("a girl, red hair", "solo"), (3, 4), "b", 4, 5.0, 64, 64)


def config_of(folder: Path, **changes: Any) -> ModelConfig:
    return ModelConfig(
        pretrained_model_name_or_path=str(folder), **{"max_token_length": 75, **changes}
    )


def parts_of(model: Any) -> list[nn.Module]:
    return [model.unet, model.vae, *model.encoders]


def write_lora(path: Path, model: Any, kind: str = "LoRA", seed: int = 1) -> Path:
    """A file as if it were trained: every adapter of the model, at random weights."""
    layers = [it for it in model.layers() if it.place != "outer"]
    if kind == "LoRA":
        layers = [it for it in layers if it.place in ("text", "attention")]
    targets = [Target(it.name, it.module, it.part, 4, 2.0) for it in layers]
    network = make_network(targets, NetworkConfig(network_type=kind))
    generator = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        parameter.data.copy_(torch.randn(parameter.shape, generator=generator) * 0.4)
    save_network(network, path, {}, "float")
    return path


def distance(one: list[Image.Image], two: list[Image.Image]) -> float:
    """Mean difference in grey levels."""
    pairs = zip(one, two, strict=True)
    return max(
        float(np.abs(np.asarray(a, dtype=float) - np.asarray(b, dtype=float)).mean())
        for a, b in pairs
    )


def state_of(parts: list[nn.Module]) -> dict[str, Any]:
    """Everything that is given back: weights, flags, modes, hooks, patched forwards."""
    modules = [it for part in parts for it in part.modules()]
    return {
        "weights": [value.clone() for part in parts for value in part.state_dict().values()],
        "grads": [value.requires_grad for part in parts for value in part.parameters()],
        "modes": [it.training for it in modules],
        "checkpointing": [getattr(it, "gradient_checkpointing", None) for it in modules],
        "hooks": [(len(it._forward_hooks), len(it._forward_pre_hooks)) for it in modules],
        "forwards": ["forward" in it.__dict__ for it in modules],
    }


def assert_given_back(before: dict[str, Any], parts: list[nn.Module]) -> None:
    after = state_of(parts)
    assert all(map(torch.equal, before.pop("weights"), after.pop("weights")))
    assert after == before


@pytest.mark.parametrize("family", ["sd1_folder", "sdxl_folder"])
@pytest.mark.parametrize("fails", [False, True])
def test_a_borrowed_model_is_given_back_as_it_was(
    tmp_path: Path, family: str, fails: bool, request: pytest.FixtureRequest
) -> None:
    host = StandaloneHost(tmp_path)
    config = config_of(request.getfixturevalue(family))
    with host.borrow_model(config) as model:
        parts = parts_of(model)
    parts[0].train()  # type: ignore[attr-defined]
    next(parts[1].parameters()).requires_grad_(True)
    before = state_of(parts)
    try:
        with host.borrow_model(config) as model:
            model.train(True)
            assert not any(it.requires_grad for part in parts for it in part.parameters())
            if fails:
                raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    assert_given_back(before, parts)


def test_a_model_that_was_borrowed_with_checkpointing_can_be_borrowed_again(
    tmp_path: Path, sd1_folder: Path
) -> None:
    host, config, found = StandaloneHost(tmp_path), config_of(sd1_folder), []
    for checkpointing in (False, True, False):
        with host.borrow_model(config) as model:
            model.train(checkpointing)
            found.append(model.encode_text(["a girl"]).hidden)
    assert torch.equal(found[0], found[1]) and torch.equal(found[0], found[2])
    assert [it.requires_grad for it in found] == [False, True, False]


def test_a_checkpoint_is_loaded_once(tmp_path: Path, sd1_folder: Path) -> None:
    host, config = StandaloneHost(tmp_path), config_of(sd1_folder)
    units = []
    for _ in range(2):
        with host.borrow_model(config) as model:
            units.append(model.unet)
    assert units[0] is units[1]
    with host.borrow_model(config_of(save(tiny_sd1(tmp_path, 5), tmp_path / "other"))) as model:
        assert model.unet is not units[0]


def test_the_model_knows_its_checkpoint_s_name(host: Any, sd1_folder: Path) -> None:
    with host.borrow_model(config_of(sd1_folder)) as model:
        assert model.checkpoint == sd1_folder.name


def test_pictures_follow_their_seeds_whatever_is_drawn_beside_them(
    host: Any, sd1_folder: Path
) -> None:
    with host.borrow_model(config_of(sd1_folder)):
        both = host.generate(REQUEST)
        alone = host.generate(GenerateRequest(REQUEST.prompts[1:], (4,), "b", 4, 5.0, 64, 64))
        other = host.generate(GenerateRequest(REQUEST.prompts[1:], (5,), "b", 4, 5.0, 64, 64))
    assert distance(both[1:], alone) <= 0.1
    assert distance(alone, other) > 1
    assert [it.size for it in both] == [(64, 64)] * 2


def test_clip_skip_is_drawn_with_as_it_is_trained_with(
    tmp_path: Path, sd1_folder: Path, sdxl_folder: Path
) -> None:
    host, drawn = StandaloneHost(tmp_path), {}
    for folder in (sd1_folder, sdxl_folder):
        for skip in (None, 1, 2):
            with host.borrow_model(config_of(folder, clip_skip=skip)):
                drawn[folder, skip] = host.generate(REQUEST)
    assert distance(drawn[sd1_folder, None], drawn[sd1_folder, 1]) == 0
    assert distance(drawn[sd1_folder, None], drawn[sd1_folder, 2]) > 0
    assert distance(drawn[sdxl_folder, None], drawn[sdxl_folder, 2]) == 0


def test_nothing_can_be_drawn_before_a_checkpoint_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No checkpoint is loaded"):
        StandaloneHost(tmp_path).generate(REQUEST)


@pytest.mark.parametrize("kind", ["LoRA", "LoCon", "LoHa"])
def test_a_worn_lora_changes_the_picture_and_comes_off_without_a_trace(
    tmp_path: Path, host: Any, sd1_folder: Path, kind: str
) -> None:
    config = config_of(sd1_folder)
    with host.borrow_model(config) as model:
        parts = parts_of(model)
        path = write_lora(tmp_path / "a.safetensors", model, kind)
        model.encode_text(["a"])  # transformers hooks its own layers at the first call
    before = state_of(parts)
    with host.open_wardrobe([path], config) as wardrobe:
        bare = host.generate(REQUEST)
        wardrobe.wear(path, 1.0)
        worn = host.generate(REQUEST)
        wardrobe.wear(path, 0.0)
        at_0 = host.generate(REQUEST)
        wardrobe.wear(path, 0.5)
        half = host.generate(REQUEST)
        wardrobe.wear(None, 1.0)
        off = host.generate(REQUEST)
        wardrobe.wear(path, 1.0)
        again = host.generate(REQUEST)
    assert distance(bare, worn) > 1 and distance(worn, half) > 0.1
    assert distance(bare, at_0) == distance(bare, off) == distance(worn, again) == 0
    assert_given_back(before, parts)


def test_an_exception_takes_the_clothes_off(tmp_path: Path, host: Any, sd1_folder: Path) -> None:
    config = config_of(sd1_folder)
    with host.borrow_model(config) as model:
        parts, path = parts_of(model), write_lora(tmp_path / "a.safetensors", model)
    before = state_of(parts)
    with pytest.raises(ZeroDivisionError), host.open_wardrobe([path], config) as wardrobe:
        wardrobe.wear(path, 1.0)
        raise ZeroDivisionError
    assert_given_back(before, parts)


def test_a_lora_of_another_family_cannot_be_worn(
    tmp_path: Path, host: Any, sd1_folder: Path, sdxl_folder: Path
) -> None:
    with StandaloneHost(tmp_path).borrow_model(config_of(sdxl_folder)) as model:
        path = write_lora(tmp_path / "sdxl.safetensors", model)
    opened = host.open_wardrobe([path], config_of(sd1_folder))
    with pytest.raises(UserError, match="sdxl.safetensors"), opened:
        pass


@pytest.fixture
def heard(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """What diffusers and peft say; their loggers do not reach the root by themselves."""
    loggers = [logging.getLogger(name) for name in ("diffusers", "peft", "transformers")]
    before = [(it.level, it.propagate) for it in loggers]
    for it in loggers:
        it.addHandler(caplog.handler)
        it.setLevel(logging.INFO)
    yield caplog
    for it, (level, propagate) in zip(loggers, before, strict=True):
        it.removeHandler(caplog.handler)
        it.setLevel(level)
        it.propagate = propagate


@pytest.mark.parametrize("kind", ["LoRA", "LoCon"])
def test_diffusers_loads_our_file_whole_and_draws_the_same_picture(
    tmp_path: Path, host: Any, sd1_folder: Path, heard: pytest.LogCaptureFixture, kind: str
) -> None:
    config = config_of(sd1_folder)
    with host.borrow_model(config) as model:
        path = write_lora(tmp_path / "a.safetensors", model, kind)
    with host.open_wardrobe([path], config) as wardrobe:
        bare = host.generate(REQUEST)
        wardrobe.wear(path, 1.0)
        ours = host.generate(REQUEST)

    theirs = StandaloneHost(tmp_path)
    with theirs.borrow_model(config) as model:
        pipeline = model.pipeline
        pipeline.load_lora_weights(str(path))
        drawn = theirs.generate(REQUEST)
    complaints = [it.getMessage() for it in heard.records if it.levelno >= logging.WARNING]
    assert [it for it in complaints if "key" in it.lower() or "lora" in it.lower()] == []

    names = {key.partition(".")[0] for key in read_file(path)[0]}
    adapted = {
        part: sum(hasattr(it, "lora_A") and len(it.lora_A) for it in module.modules())
        for part, module in (("unet", pipeline.unet), ("te", pipeline.text_encoder))
    }
    for part, count in adapted.items():
        assert count == sum(name.startswith(f"lora_{part}_") for name in names)
    assert distance(ours, drawn) <= 1
    assert distance(ours, bare) > 2


def test_diffusers_agrees_on_the_text_encoder_alone(
    tmp_path: Path, host: Any, sd1_folder: Path
) -> None:
    config = config_of(sd1_folder)
    with host.borrow_model(config) as model:
        path = write_lora(tmp_path / "a.safetensors", model)
        plain = model.encode_text(["a girl, red hair"]).hidden
    tensors = read_file(path)[0]
    safetensors.torch.save_file({k: v for k, v in tensors.items() if "lora_te" in k}, path)
    with host.open_wardrobe([path], config) as wardrobe, host.borrow_model(config) as model:
        wardrobe.wear(path, 1.0)
        with torch.no_grad():
            ours = model.encode_text(["a girl, red hair"]).hidden
    with StandaloneHost(tmp_path).borrow_model(config) as model:
        model.pipeline.load_lora_weights(str(path))
        with torch.no_grad():
            theirs = model.encode_text(["a girl, red hair"]).hidden
    assert not torch.allclose(ours, plain, atol=1e-2)
    torch.testing.assert_close(theirs, ours, rtol=1e-4, atol=1e-4)


def ldm_checkpoint(pipeline: Any) -> dict[str, torch.Tensor]:
    """The pipeline's weights under the names of an original SD1 checkpoint file."""
    unet = pipeline.unet.state_dict()
    depth = pipeline.unet.config.layers_per_block
    paths = [key.rpartition(".")[0] for key in unet]
    spelt = ldm_names(paths, depth)
    found = {
        f"model.diffusion_model.{spelt[path]}.{key.rpartition('.')[2]}": value
        for path, (key, value) in zip(paths, unet.items(), strict=True)
    }
    text = pipeline.text_encoder.state_dict().items()
    start = "cond_stage_model.transformer.text_model."
    found |= {start + key.removeprefix("text_model."): value for key, value in text}
    found |= {f"first_stage_model.{key}": it for key, it in ldm_vae(pipeline.vae).items()}
    return {key: value.contiguous() for key, value in found.items()}


def ldm_vae(vae: Any) -> dict[str, torch.Tensor]:
    """The VAE's weights under LDM's names."""
    blocks = len(vae.config.block_out_channels)
    attention = {
        "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out", "group_norm": "norm"
    }  # fmt: skip
    found = {}
    for key, value in vae.state_dict().items():
        for block in range(blocks):
            key = key.replace(f"down_blocks.{block}.resnets", f"down.{block}.block")
            key = key.replace(f"down_blocks.{block}.downsamplers.0", f"down.{block}.downsample")
            up = blocks - 1 - block
            key = key.replace(f"up_blocks.{block}.resnets", f"up.{up}.block")
            key = key.replace(f"up_blocks.{block}.upsamplers.0", f"up.{up}.upsample")
        for index in (0, 1):
            key = key.replace(f"mid_block.resnets.{index}", f"mid.block_{index + 1}")
        if "mid_block.attentions.0" in key:
            for ours, theirs in attention.items():
                key = key.replace(f"mid_block.attentions.0.{ours}", f"mid.attn_1.{theirs}")
            value = value[:, :, None, None] if value.ndim == 2 else value
        key = key.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
        found[key] = value
    return found


def test_a_checkpoint_file_with_its_configs_beside_it_is_the_same_model(
    tmp_path: Path, sd1_folder: Path
) -> None:
    shutil.copytree(sd1_folder, tmp_path / "toy")
    for weights in (tmp_path / "toy").rglob("*.safetensors"):
        weights.unlink()
    pipeline = StableDiffusionPipeline.from_pretrained(str(sd1_folder))
    safetensors.torch.save_file(ldm_checkpoint(pipeline), tmp_path / "toy.safetensors")

    folder, file = StandaloneHost(tmp_path), StandaloneHost(tmp_path)
    with folder.borrow_model(config_of(sd1_folder)) as model:
        expected = {name: it.clone() for name, it in model.unet.state_dict().items()}
        drawn = folder.generate(REQUEST)
    with file.borrow_model(config_of(tmp_path / "toy.safetensors")) as model:
        assert model.family.name == "sd1"
        assert all(torch.equal(expected[name], it) for name, it in model.unet.state_dict().items())
        assert distance(file.generate(REQUEST), drawn) == 0
        assert model.checkpoint == "toy.safetensors"


@pytest.mark.parametrize(
    "what", ["missing", "text", "empty", "lora", "folder", "index", "weights", "kind", "list"]
)
def test_what_is_no_checkpoint_is_refused_in_one_line(
    tmp_path: Path, sd1_folder: Path, what: str
) -> None:
    path = tmp_path / ("model" if what in ("folder", "index", "weights", "kind", "list") else
                       "model.safetensors")  # fmt: skip
    if what == "text":
        path.write_text("this is no checkpoint " * 9)
    elif what == "empty":
        path.write_bytes(b"")
    elif what == "lora":
        safetensors.torch.save_file({"lora_unet_a.lora_up.weight": torch.ones(2, 2)}, path)
    elif what == "folder":
        path.mkdir()
    elif what in ("index", "kind", "list"):
        path.mkdir()
        index = {"index": "{", "kind": json.dumps({"_class_name": "DDPMPipeline"}), "list": "[]"}
        (path / "model_index.json").write_text(index[what])
    elif what == "weights":
        shutil.copytree(sd1_folder, path)
        next((path / "unet").glob("*.safetensors")).unlink()
    host = StandaloneHost(tmp_path / "home")
    with pytest.raises(UserError, match=str(path)) as caught, host.borrow_model(config_of(path)):
        pass
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "home").exists()


def test_a_host_that_failed_to_load_can_load_another(tmp_path: Path, sd1_folder: Path) -> None:
    host = StandaloneHost(tmp_path)
    with pytest.raises(UserError), host.borrow_model(config_of(tmp_path / "none")):
        pass
    with host.borrow_model(config_of(sd1_folder)) as model:
        assert model.family.name == "sd1"


def test_taggers_are_folders_with_a_model(tmp_path: Path) -> None:
    host = StandaloneHost(tmp_path)
    assert host.taggers() == {}
    for name in ("wd-b", "wd-a"):
        (tmp_path / "taggers" / name).mkdir(parents=True)
        (tmp_path / "taggers" / name / "model.onnx").touch()
    (tmp_path / "taggers" / "empty").mkdir()
    (tmp_path / "taggers" / "camie-tagger-v2").mkdir()
    (tmp_path / "taggers" / "camie-tagger-v2" / "camie-tagger-v2.onnx").touch()
    assert list(host.taggers().items()) == [
        ("camie-tagger-v2", tmp_path / "taggers" / "camie-tagger-v2"),
        ("wd-a", tmp_path / "taggers" / "wd-a"), ("wd-b", tmp_path / "taggers" / "wd-b"),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["Lanczos", "Bicubic", "Nearest"])
def test_pillow_s_filters_enlarge(tmp_path: Path, name: str) -> None:
    image = Image.new("RGB", (10, 6), (1, 2, 3))
    big = StandaloneHost(tmp_path).upscale(image, name, 2.5)
    assert big.size == (25, 15)
    assert big.getpixel((7, 7)) == (1, 2, 3)


def test_an_upscaler_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    (tmp_path / "upscalers").mkdir()
    (tmp_path / "upscalers" / "4x.pth").touch()
    host = StandaloneHost(tmp_path)
    assert host.upscalers() == ["Lanczos", "Bicubic", "Nearest", "4x.pth"]
    with pytest.raises(UserError, match="ESRGAN.*Lanczos.*4x.pth"):
        host.upscale(Image.new("RGB", (2, 2)), "ESRGAN", 2)


def test_the_home_is_the_person_s_choice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LORA_COOK_HOME", str(tmp_path))
    assert default_home() == tmp_path
    monkeypatch.delenv("LORA_COOK_HOME")
    assert default_home() == Path.home() / ".lora-cook"


def test_another_vae_takes_the_place_of_the_checkpoint_s_own(
    tmp_path: Path, sd1_folder: Path
) -> None:
    other = tiny_sd1(tmp_path, seed=9).vae
    other.save_pretrained(tmp_path / "folder")
    safetensors.torch.save_file(ldm_vae(other), tmp_path / "ldm.safetensors")
    safetensors.torch.save_file(other.state_dict(), tmp_path / "plain.safetensors")
    for name in ("folder", "ldm.safetensors", "plain.safetensors"):
        config = config_of(sd1_folder, vae=str(tmp_path / name))
        with StandaloneHost(tmp_path).borrow_model(config) as model:
            found = model.vae.state_dict()
        assert all(torch.equal(found[key], it) for key, it in other.state_dict().items())
        assert model.vae.config.scaling_factor == other.config.scaling_factor
