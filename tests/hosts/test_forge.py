"""Forge's adapter over a stand-in that has the traps of the real one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lib_lora_cook.errors import UserError
from tests.hosts.standins import forge, webui
from tests.hosts.standins.contract import *  # noqa: F403
from tests.hosts.standins.contract import CONFIG


@pytest.fixture(params=["sd1", "sd2", "sdxl"])
def lent(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[webui.Lent]:
    with monkeypatch.context() as patch:
        yield forge.lend(patch, tmp_path, request.param)


def test_inference_tensors_come_back_as_they_were(lent: Any) -> None:
    weight = next(lent.live()[0].parameters())
    assert weight.is_inference()
    with lent.host.borrow_model(CONFIG):
        twin = next(lent.live()[0].parameters())
        assert not twin.is_inference()
        assert twin.data_ptr() == weight.data_ptr()
    assert next(lent.live()[0].parameters()) is weight


def test_the_kernel_and_the_stream_are_the_host_s_own_again(lent: Any) -> None:
    kernels, stream = sys.modules["backend.nn.unet"], sys.modules["backend.stream"]
    before = kernels.attention_function
    with lent.host.borrow_model(CONFIG):
        assert (kernels.attention_function is before, stream.stream_activated) == (False, False)
    assert (kernels.attention_function is before, stream.stream_activated) == (True, True)


def test_a_model_of_another_kind_is_refused_in_words(lent: Any) -> None:
    lent.live()
    lent.shared.sd_model.is_sd1 = lent.shared.sd_model.is_sdxl = False
    lent.shared.sd_model.is_sd2 = False
    with pytest.raises(UserError, match="cannot be trained here"), lent.host.borrow_model(CONFIG):
        pass
    assert lent.lock.owner == 0


def test_a_rectified_flow_is_refused_in_words(lent: Any) -> None:
    lent.live()[0].predictor.prediction_type = "const"
    with pytest.raises(UserError, match="predicts const"), lent.host.borrow_model(CONFIG):
        pass
