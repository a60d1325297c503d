"""A diffusers pipeline as a model to train: text, pictures, prediction, families."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lib_lora_cook.config import ModelConfig
from lib_lora_cook.models import diffusers
from lib_lora_cook.models.diffusers import DiffusersModel, family_of
from lib_lora_cook.models.trainable import SD1, SD2, SDXL, PictureSize
from tests.tiny_models import tiny_sd1, tiny_sdxl

SIZE = PictureSize((451, 300), (15, 0), (320, 192))


@pytest.fixture(scope="module")
def sd1(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return tiny_sd1(tmp_path_factory.mktemp("sd1"))


@pytest.fixture(scope="module")
def sdxl(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return tiny_sdxl(tmp_path_factory.mktemp("sdxl"))


def model(pipeline: Any, **config: Any) -> DiffusersModel:
    return DiffusersModel(pipeline, ModelConfig(**{"max_token_length": 75, **config}), "tiny")


def test_families_are_told_by_their_text_encoders(sd1: Any, sdxl: Any) -> None:
    assert family_of(sd1) is SD1
    assert family_of(sdxl) is SDXL

    class Wide:
        class unet:
            class config:
                cross_attention_dim = 1024

    assert family_of(Wide) is SD2


def test_sd1_text_is_what_the_pipeline_itself_would_say(sd1: Any) -> None:
    captions = ["a girl, red hair", ""]
    with torch.no_grad():
        ours = model(sd1).encode_text(captions).hidden
        theirs, _ = sd1.encode_prompt(captions, "cpu", 1, False)
    torch.testing.assert_close(ours, theirs)


def test_sdxl_text_is_what_the_pipeline_itself_would_say(sdxl: Any) -> None:
    captions = ["a girl, red hair", "solo"]
    with torch.no_grad():
        ours = model(sdxl).encode_text(captions, [SIZE, SIZE])
        hidden, _, pooled, _ = sdxl.encode_prompt(
            captions, device="cpu", do_classifier_free_guidance=False
        )
    torch.testing.assert_close(ours.hidden, hidden)
    torch.testing.assert_close(ours.pooled, pooled)
    assert ours.size_ids is not None
    assert ours.size_ids.tolist() == [[451, 300, 15, 0, 320, 192]] * 2


def test_clip_skip_moves_sd1_and_leaves_sdxl(sd1: Any, sdxl: Any) -> None:
    with torch.no_grad():
        plain, one, two = (
            model(sd1, clip_skip=skip).encode_text(["a girl"]).hidden for skip in (None, 1, 2)
        )
        assert torch.equal(plain, one)
        assert not torch.allclose(plain, two)
        both = [
            model(sdxl, clip_skip=skip).encode_text(["a girl"], [SIZE]).hidden for skip in (None, 2)
        ]
        assert torch.equal(*both)


@pytest.mark.parametrize(("length", "states"), [(75, 77), (150, 152), (225, 227)])
def test_long_captions_make_long_states(sd1: Any, sdxl: Any, length: int, states: int) -> None:
    with torch.no_grad():
        one = model(sd1, max_token_length=length).encode_text(["a girl"])
        two = model(sdxl, max_token_length=length).encode_text(["a girl", "b"], [SIZE, SIZE])
    assert one.hidden.shape == (1, states, 16)
    assert two.hidden.shape == (2, states, 32)


def test_the_pooled_state_is_of_the_first_chunk_of_each_caption(sdxl: Any) -> None:
    captions = ["a girl", "b"]
    with torch.no_grad():
        short, long = (
            model(sdxl, max_token_length=it).encode_text(captions, [SIZE, SIZE]).pooled
            for it in (75, 225)
        )
    torch.testing.assert_close(short, long)


def test_a_caption_says_the_same_alone_and_among_others(sd1: Any) -> None:
    with torch.no_grad():
        both = model(sd1).encode_text(["a girl", "solo, star"]).hidden
        alone = model(sd1).encode_text(["solo, star"]).hidden
    torch.testing.assert_close(both[1:], alone)


def test_the_prediction_is_the_unet_s_own(sd1: Any, sdxl: Any) -> None:
    noisy, steps = torch.randn(2, 4, 8, 8), torch.tensor([3, 900])
    with torch.no_grad():
        told = model(sd1).encode_text(["a", "b"])
        expected = sd1.unet(noisy, steps, told.hidden).sample
        assert torch.equal(model(sd1).predict(noisy, steps, told), expected)

        told = model(sdxl).encode_text(["a", "b"], [SIZE, SIZE])
        added = {"text_embeds": told.pooled, "time_ids": told.size_ids}
        expected = sdxl.unet(noisy, steps, told.hidden, added_cond_kwargs=added).sample
        assert torch.equal(model(sdxl).predict(noisy, steps, told), expected)


def test_sdxl_hears_the_size_of_the_picture(sdxl: Any) -> None:
    noisy, steps = torch.randn(1, 4, 8, 8), torch.tensor([300])
    other = PictureSize((64, 64), (0, 0), (64, 64))
    with torch.no_grad():
        found = [
            model(sdxl).predict(noisy, steps, model(sdxl).encode_text(["a"], [size]))
            for size in (SIZE, other)
        ]
    assert not torch.allclose(*found)


def test_pictures_come_back_from_their_latents_scale(sd1: Any) -> None:
    pixels = torch.rand(2, 3, 64, 64) * 2 - 1
    latents = model(sd1).encode_images(pixels, [torch.Generator().manual_seed(it) for it in (1, 2)])
    with torch.no_grad():
        posterior = sd1.vae.encode(pixels).latent_dist
    noise = torch.cat(
        [torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(it)) for it in (1, 2)]
    )
    expected = (posterior.mean + posterior.std * noise) * sd1.vae.config.scaling_factor
    torch.testing.assert_close(latents, expected)
    assert not latents.requires_grad


def test_layers_are_text_encoders_first_and_live(sd1: Any, sdxl: Any) -> None:
    layers = model(sd1).layers()
    assert [layers[0].part, layers[-1].part] == ["text_encoder", "unet"]
    live = {id(it) for part in (sd1.unet, sd1.text_encoder) for it in part.modules()}
    assert all(id(layer.module) in live for layer in layers)
    prefixes = {layer.name.split("_")[1] for layer in model(sdxl).layers()}
    assert prefixes == {"te1", "te2", "unet"}


def test_v_prediction_is_the_checkpoint_s_or_the_person_s_word(tmp_path: Path) -> None:
    pipeline = tiny_sd1(tmp_path)
    assert not model(pipeline).v_prediction
    assert model(pipeline, v_parameterization=True).v_prediction
    pipeline.scheduler.register_to_config(prediction_type="v_prediction")
    assert model(pipeline).v_prediction


def gradients(pipeline: Any, checkpointing: bool) -> dict[str, Tensor]:
    """Of the text encoder's and the UNet's weights, unfrozen by hand."""
    it = model(pipeline)
    it.train(checkpointing)
    for part in (it.unet, *it.encoders):
        part.requires_grad_(True)
    noisy = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    told = it.encode_text(["a girl"], [SIZE])
    it.predict(noisy, torch.tensor([300]), told).square().mean().backward()
    named = [*it.unet.named_parameters()]
    for index, encoder in enumerate(it.encoders):
        named += [(f"{index}.{name}", value) for name, value in encoder.named_parameters()]
    return {name: value.grad.clone() for name, value in named if value.grad is not None}


@pytest.mark.parametrize("make", [tiny_sd1, tiny_sdxl])
def test_checkpointing_gives_the_same_gradients(make: Any, tmp_path: Path) -> None:
    plain, checkpointed = (gradients(make(tmp_path), on) for on in (False, True))
    assert plain.keys() == checkpointed.keys()
    assert any(name.startswith("0.") for name in plain)
    for name, value in plain.items():
        torch.testing.assert_close(checkpointed[name], value, msg=name)


def test_training_freezes_every_weight(sd1: Any) -> None:
    sd1.unet.requires_grad_(True)
    model(sd1).train(False)
    parts = (sd1.unet, sd1.vae, sd1.text_encoder)
    assert not any(parameter.requires_grad for part in parts for parameter in part.parameters())


def test_while_pictures_are_encoded_the_unet_waits_and_not_all_of_it_comes_back(
    sd1: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved: list[tuple[Any, str, list[Any]]] = []

    def bring(part: Any, device: torch.device, but: Any = ()) -> None:
        moved.append((part, device.type, list(but)))

    monkeypatch.setattr(diffusers, "bring", bring)
    monkeypatch.setattr(diffusers, "MAIN", torch.device("meta"))
    lent = model(sd1, medvram=True, blocks_to_swap=2)
    with pytest.raises(ZeroDivisionError), lent.encoding():
        assert moved == [(lent.unet, "meta", [])]
        raise ZeroDivisionError
    assert moved[1:] == [(lent.unet, "cpu", lent.swapped)] and len(lent.swapped) == 2
    with model(sd1).encoding():
        assert len(moved) == 2, "where nothing is to wait it stays"
