"""No speed bought with wrong numbers: whole runs beside the plain way of computing them."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from lycoris.modules.locon import LoConModule
from lycoris.modules.loha import LohaModule

from lib_lora_cook.models import diffusers as models
from lib_lora_cook.models.text import hidden_states, last_states
from lib_lora_cook.networks import attach
from lib_lora_cook.training import train as training
from lib_lora_cook.training.train import Step
from tests.tiny_models import tiny_sd1, tiny_sdxl
from tests.tiny_runs import make_tiny_trainer, run_trainer, tiny_run

NOWHERE = Path("no checkpoint is read")
LYCORIS = {"LoRA": LoConModule, "LoCon": LoConModule, "LoHa": LohaModule}


@pytest.fixture(scope="module")
def pipelines(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("models")
    return {"sd1": tiny_sd1(folder), "sdxl": tiny_sdxl(folder)}


def run_of(folder: Path, pipeline: Any, **changes: Any) -> tuple[list[float], Any]:
    """The losses and the final weights of a run of 50 steps."""
    changes = {"max_train_steps": 50, "unet_lr": 1e-3, "text_encoder_lr": 1e-3, **changes}
    trainer = make_tiny_trainer(tiny_run(folder, NOWHERE, **changes), pipeline)
    losses = [it.loss for it in run_trainer(trainer) if isinstance(it, Step)]
    return losses, trainer.loop.network.tensors()


@pytest.mark.parametrize("kind", LYCORIS)
def test_after_50_steps_losses_and_adapters_are_those_of_lycoris_own_modules(
    kind: str, tmp_path: Path, pipelines: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    changes: dict[str, Any] = {"network_type": kind, "clip_skip": 2}
    if kind != "LoRA":
        changes |= {"conv_dim": 2, "conv_alpha": 1.0}
    losses, weights = run_of(tmp_path, pipelines["sd1"], **changes)
    monkeypatch.setattr(training, "quick_convolutions", lambda layers: nullcontext())
    monkeypatch.setitem(attach.KINDS, kind, (LYCORIS[kind], attach.KINDS[kind][1]))
    monkeypatch.setattr(
        models, "last_states", lambda *given, norm: hidden_states(*given, norm=norm)[0]
    )
    wanted, others = run_of(tmp_path, pipelines["sd1"], **changes)
    assert losses == pytest.approx(wanted, rel=1e-4)
    off = torch.stack([(weights[name] - others[name]).norm() for name in weights]).norm()
    size = torch.stack([it.norm() for it in others.values()]).norm()
    assert off < 1e-3 * size


@pytest.mark.parametrize("skip", [1, 2, 3])
@pytest.mark.parametrize("norm", [False, True])
def test_layers_that_no_one_reads_are_left_out_and_the_states_stay(
    skip: int, norm: bool, pipelines: dict[str, Any]
) -> None:
    encoder = pipelines["sd1"].text_encoder
    layers = getattr(encoder, "text_model", encoder).encoder.layers
    found = []
    ids, ran = torch.randint(0, 40, (2, 77)), []
    handles = [it.mlp.register_forward_hook(lambda *given: ran.append(given[0])) for it in layers]
    for short in (last_states, hidden_states, last_states):  # The first call of all is short.
        ran.clear()
        states = short(encoder, ids, skip, norm=norm)
        found.append(states if short is last_states else states[0])
        left = 1 - skip if short is last_states else 0
        assert ran == [it.mlp for it in layers][: len(layers) + left]
    for handle in handles:
        handle.remove()
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])
    assert all("forward" not in it.__dict__ for it in layers)
