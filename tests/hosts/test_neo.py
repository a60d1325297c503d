"""Forge Neo's adapter over a stand-in that has the traps of the real one."""

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
from tests.hosts.standins import neo, webui
from tests.hosts.standins.contract import *  # noqa: F403
from tests.hosts.standins.contract import CONFIG, REQUEST, recipe


@pytest.fixture(params=[False, True], ids=["sd1", "sdxl"])
def lent(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[webui.Lent]:
    with monkeypatch.context() as patch:
        yield neo.lend(patch, tmp_path, request.param)


def test_weights_lie_where_they_lay_after_a_lora_was_taken_out(lent: Any, tmp_path: Path) -> None:
    places = [it.data_ptr() for it in lent.live()[0].parameters()]
    cooking.cook(recipe(tmp_path), lent.host, jobs.null_job)
    lent.draw("a red star <lora:toy:1>")
    with lent.host.borrow_model(CONFIG):
        assert [it.data_ptr() for it in lent.live()[0].parameters()] == places


def test_what_the_host_has_set_for_speed_is_its_own_again(lent: Any) -> None:
    kernels, stream = sys.modules["backend.nn.unet"], sys.modules["backend.stream"]
    before = kernels.attention_function
    with lent.host.borrow_model(CONFIG):
        assert (kernels.attention_function is before, stream.mover_stream) == (False, None)
    assert (kernels.attention_function is before, stream.mover_stream) == (True, "a stream")


def test_tiling_is_off_during_a_loan(lent: Any) -> None:
    unet, tile = lent.live()[0], sys.modules["modules_forge.utils"].apply_circular_forge
    modes = lambda: {it.padding_mode for it in unet.modules() if hasattr(it, "padding_mode")}  # noqa: E731
    tile(lent.shared.sd_model, True)
    with lent.host.borrow_model(CONFIG):
        assert modes() == {"zeros"}
    assert modes() == {"circular"}


def test_what_a_picture_spoils_during_a_loan_is_mended(lent: Any) -> None:
    with lent.host.borrow_model(CONFIG):
        weight = next(lent.live()[0].parameters())
        with torch.inference_mode():  # as a model comes back that had to make room
            lent.live()[0].to(torch.float64).to(torch.float32)
        lent.host.generate(REQUEST)
        assert not any(it.is_inference() for it in lent.live()[0].parameters())
        assert weight.shape == next(lent.live()[0].parameters()).shape


def test_a_file_that_was_written_over_is_baked_anew(lent: Any, tmp_path: Path) -> None:
    cooking.cook(recipe(tmp_path), lent.host, jobs.null_job)
    old = lent.draw("a red star <lora:toy:1>")
    path = tmp_path / "Lora" / "toy.safetensors"
    (tmp_path / "Lora" / "toy-000001.safetensors").replace(path)
    lent.host.refresh_loras()
    assert lent.draw("a red star <lora:toy:1>").tobytes() != old.tobytes()


def test_a_trial_leaves_flags_and_weights_as_they_were(lent: Any, tmp_path: Path) -> None:
    with torch.inference_mode():
        lent.live()[0].requires_grad_(True)
    kept = lambda: {  # noqa: E731
        name: (it.requires_grad, it.data_ptr()) for name, it in lent.live()[0].named_parameters()
    }
    before = kept()
    cooking.cook(recipe(tmp_path), lent.host, jobs.null_job)
    assert kept() == before


def test_a_refiner_is_refused_in_words(lent: Any) -> None:
    lent.live()
    encoders = lent.shared.sd_model.forge_objects_original.clip.cond_stage_model
    lent.shared.sd_model.is_sd1, lent.shared.sd_model.is_sdxl = False, True
    del encoders["clip_l"]
    with pytest.raises(UserError, match="no refiner"), lent.host.borrow_model(CONFIG):
        pass
    assert lent.lock.owner == 0


def test_a_rectified_flow_is_refused_in_words(lent: Any) -> None:
    lent.live()[0].predictor.prediction_type = "const"
    with pytest.raises(UserError, match="predicts const"), lent.host.borrow_model(CONFIG):
        pass


def test_a_quantised_model_is_refused_in_words(lent: Any) -> None:
    head = lent.live()[0].diffusion_model.out[2]
    head.weight.data = head.weight.data.to(torch.float8_e4m3fn)
    with pytest.raises(UserError, match="float8_e4m3fn"), lent.host.borrow_model(CONFIG):
        pass
