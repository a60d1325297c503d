"""reForge's and Forge Classic's adapter over a stand-in that has the traps of the real ones."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from lib_lora_cook import cook as cooking
from lib_lora_cook import jobs
from lib_lora_cook.errors import UserError
from tests.hosts.standins import reforge, webui
from tests.hosts.standins.contract import *  # noqa: F403
from tests.hosts.standins.contract import CONFIG, recipe


@pytest.fixture(params=[False, True], ids=["sd1", "sdxl"])
def lent(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[webui.Lent]:
    with monkeypatch.context() as patch:
        yield reforge.lend(patch, tmp_path, request.param)


def test_what_the_host_has_set_for_speed_is_its_own_again(lent: Any) -> None:
    kernels = sys.modules["ldm_patched.ldm.modules.attention"]
    stream = sys.modules["modules_forge.stream"]
    memory = sys.modules["ldm_patched.modules.model_management"]
    before = kernels.optimized_attention
    with lent.host.borrow_model(CONFIG):
        masked = kernels.optimized_attention_masked
        assert {kernels.optimized_attention, masked} == {kernels.attention_pytorch}
        assert (stream.using_stream, memory.NUM_STREAMS) == (False, 1)
    assert {kernels.optimized_attention, kernels.optimized_attention_masked} == {before}
    assert (stream.using_stream, memory.NUM_STREAMS) == (True, 2)


def test_forge_classic_has_no_streams_to_count(lent: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = sys.modules["ldm_patched.modules.model_management"]
    monkeypatch.delattr(memory, "NUM_STREAMS")
    with lent.host.borrow_model(CONFIG):
        pass
    assert not hasattr(memory, "NUM_STREAMS")


def test_tiling_and_embeddings_of_the_last_prompt_are_off_during_a_loan(lent: Any) -> None:
    unet, tile = lent.live()[0], sys.modules["modules_forge.forge_util"].apply_circular_forge
    modes = lambda: {it.padding_mode for it in unet.modules() if hasattr(it, "padding_mode")}  # noqa: E731
    hijack = sys.modules["modules.sd_hijack"].model_hijack
    tile(lent.shared.sd_model, True)
    with lent.host.borrow_model(CONFIG):
        assert (modes(), hijack.fixes) == ({"zeros"}, None)
    assert (modes(), hijack.fixes) == ({"circular"}, ["an embedding of the last prompt"])


def test_a_file_that_was_written_over_is_read_and_baked_anew(lent: Any, tmp_path: Path) -> None:
    cooking.cook(recipe(tmp_path), lent.host, jobs.null_job)
    old = lent.draw("a red star <lora:toy:1>")
    path = tmp_path / "Lora" / "toy.safetensors"
    (tmp_path / "Lora" / "toy-000001.safetensors").replace(path)
    lent.host.refresh_loras()
    assert lent.draw("a red star <lora:toy:1>").tobytes() != old.tobytes()


def test_the_prediction_is_read_off_the_classes(lent: Any) -> None:
    base = lent.live()[0]
    for sampling, velocity in ((reforge.NoiseSampling, False), (reforge.VelocitySampling, True)):
        base.model_sampling = sampling()
        with lent.host.borrow_model(CONFIG) as model:
            assert model.v_prediction is velocity


def test_another_schedule_is_refused_in_words(lent: Any) -> None:
    lent.live()[0].model_sampling = reforge.FlowSampling()
    with pytest.raises(UserError, match="neither noise nor v"), lent.host.borrow_model(CONFIG):
        pass
    assert lent.lock.owner == 0


def test_the_second_text_encoder_s_ids_are_padded_with_zeros(lent: Any) -> None:
    lent.live()
    if not lent.shared.sd_model.is_sdxl:
        pytest.skip("SD1 has one text encoder")
    with lent.host.borrow_model(CONFIG) as model:
        first, second = (it.tokenizer for it in model.parts.encoders)
        settings = {"padding": "max_length", "max_length": 77, "return_tensors": "pt"}
        assert first(["a"], **settings).input_ids[0, -1] == first.eos_token_id
        assert second(["a"], **settings).input_ids[0, -1] == 0


def test_a_quantised_model_is_refused_in_words(lent: Any) -> None:
    head = lent.live()[0].diffusion_model.out[2]
    head.weight.data = head.weight.data.to(torch.float8_e4m3fn)
    with pytest.raises(UserError, match="float8_e4m3fn"), lent.host.borrow_model(CONFIG):
        pass
