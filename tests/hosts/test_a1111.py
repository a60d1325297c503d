"""AUTOMATIC1111's adapter over a stand-in that has the traps of the real one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from lib_lora_cook import cook as cooking
from lib_lora_cook import jobs
from lib_lora_cook.errors import UserError
from tests.hosts.standins import a1111, webui
from tests.hosts.standins.contract import *  # noqa: F403
from tests.hosts.standins.contract import CONFIG, recipe


@pytest.fixture(params=["sd1", "sd2", "sdxl"])
def lent(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[webui.Lent]:
    with monkeypatch.context() as patch:
        yield a1111.lend(patch, tmp_path, request.param)


def test_hypernetworks_and_tiling_are_off_during_a_loan(lent: Any) -> None:
    import sys

    hijack = sys.modules["modules.sd_hijack"].model_hijack
    networks = lent.shared.loaded_hypernetworks
    networks.append("a hypernetwork")
    hijack.apply_circular(True)
    with lent.host.borrow_model(CONFIG):
        assert (networks, hijack.circular_enabled) == ([], False)
    assert (networks, hijack.circular_enabled) == (["a hypernetwork"], True)


def test_reload_ui_takes_the_lora_patches_away_in_the_middle_of_a_run(
    lent: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    originals = sys.modules["networks"].originals

    def unload(event: Any) -> None:
        for kind in a1111.PATCHED:
            name = f"{kind.__name__}_forward"
            if (own := getattr(originals, name)) is not None:
                monkeypatch.setattr(kind, "forward", own)
                setattr(originals, name, None)

    options = cooking.Options(watch=unload)
    lent.shared.opts.lora_cook_try = False
    cooked = cooking.cook(recipe(tmp_path), lent.host, jobs.null_job, options)
    assert (cooked.stopped, cooked.steps) == (None, 2)
    assert torch.nn.Linear.forward.__qualname__ == "Linear.forward"


def test_a_model_split_by_medvram_is_refused_in_words(lent: Any) -> None:
    lent.live()[0].lowvram = True
    with pytest.raises(UserError, match="--medvram"), lent.host.borrow_model(CONFIG):
        pass
    assert lent.lock.owner == 0


def test_a_quantised_model_is_refused_in_words(lent: Any) -> None:
    unet = lent.live()[0].model.diffusion_model
    unet.out[2].weight.data = unet.out[2].weight.data.to(torch.float8_e4m3fn)
    with pytest.raises(UserError, match="float8_e4m3fn"), lent.host.borrow_model(CONFIG):
        pass


def test_the_schedule_is_the_checkpoint_s_own(lent: Any) -> None:
    with lent.host.borrow_model(CONFIG) as model:
        assert float(model.alphas_cumprod[0]) == pytest.approx(0.99915)
