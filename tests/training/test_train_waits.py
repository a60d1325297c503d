"""What a step waits for: on a device without contents, where nothing can be read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from lib_lora_cook.cook import build_network
from lib_lora_cook.cook import run as cooking
from lib_lora_cook.models.diffusers import DiffusersModel
from lib_lora_cook.networks import adapters
from lib_lora_cook.training import train as training
from lib_lora_cook.training.train import Trainer, make_trainer, optimizer_step
from tests.tiny_models import tiny_sd1, tiny_sdxl
from tests.tiny_runs import make_tiny_trainer, tiny_run

NOWHERE = Path("no checkpoint is read")
META = torch.device("meta")
MAKE = {"sd1": tiny_sd1, "sdxl": tiny_sdxl}


class Crossings(TorchDispatchMode):
    """Copies from the CPU to the device: whether each goes on without waiting for it."""

    def __init__(self) -> None:
        super().__init__()
        self.without_waiting: list[bool] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Note a copy and make it."""
        made = func(*args, **(kwargs or {}))
        if func is torch.ops.aten._to_copy.default and args[0].device != made.device == META:
            self.without_waiting.append(bool((kwargs or {}).get("non_blocking")))
        assert func is not torch.ops.aten.copy_.default or args[0].device == args[1].device
        return made


def elsewhere(family: str, folder: Path, **changes: Any) -> tuple[Trainer, Any]:
    """A trainer on a device without contents, and its first batch, which lies on the CPU."""
    changes = {"text_encoder_lr": 0.01, "min_snr_gamma": 5.0, "max_grad_norm": 1.0} | changes
    pipeline, config = MAKE[family](folder), tiny_run(folder, NOWHERE, **changes)
    batches = make_tiny_trainer(config, pipeline).batches
    for part in pipeline.components.values():
        if isinstance(part, nn.Module):
            part.to(META)
    model = DiffusersModel(pipeline, config.model)
    trainer = make_trainer(config, model, build_network(config, model), batches, print)
    return trainer, next(batches.epoch(1))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"weighted_captions": True, "noise_offset": 0.1, "adaptive_noise_scale": 0.1},
        {"loss_type": "huber", "multires_noise_iterations": 2},
        {"gradient_checkpointing": True, "ip_noise_gamma": 0.1},
    ],
)
@pytest.mark.parametrize("family", MAKE)
def test_a_step_reads_once_from_the_device_and_waits_for_no_copy_to_it(
    family: str, changes: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, reads = training.fixed_seed, []  # such a device has no generator, and no autocast

    def on_cpu(key: str, device: torch.device) -> Any:
        return own(key, torch.device("cpu"))

    def read(tensor: Tensor) -> list[float]:
        reads.append(tensor.device)
        return [1.0] * len(tensor)

    for module in (training, cooking):
        monkeypatch.setattr(module, "fixed_seed", on_cpu)
    monkeypatch.setattr(adapters, "is_autocasting", lambda device: False)
    trainer, batch = elsewhere(family, tmp_path, **changes)
    trainer.model.train(trainer.config.loop.gradient_checkpointing)
    monkeypatch.setattr(Tensor, "tolist", read)
    with trainer.loop.network, Crossings() as crossings:
        optimizer_step(trainer, [batch])  # A second read would fail: there is nothing to read.
    assert reads == [META]
    assert len(crossings.without_waiting) > 3
    assert all(crossings.without_waiting)


def test_a_second_read_would_be_noticed() -> None:
    number = torch.ones((), device=META)
    for read in (float, bool, Tensor.item, Tensor.nonzero, Tensor.cpu):
        with pytest.raises((RuntimeError, NotImplementedError)):
            read(number)
