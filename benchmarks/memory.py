"""The memory that a training step asks for, counted on any machine without computing the step.

    python -m benchmarks.memory --family sd1 sdxl --network LoRA LoHa --precision bf16

The trainer's own step runs once on tensors that have sizes and no contents, and every storage is
counted while it lives. What is counted is what `torch.cuda.max_memory_allocated` counts, less the
scratch space of single kernels; a GPU's context and what the allocator keeps beside it come on
top. Run it from the repository's root: it shares the tests' models.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from benchmarks.cases import Case, tell
from benchmarks.train import SameBatch, config_of_case, make_pipeline
from lib_lora_cook.cook import build_network
from lib_lora_cook.cook.preflight import forecast
from lib_lora_cook.models import swapping
from lib_lora_cook.models.diffusers import DiffusersModel
from lib_lora_cook.models.swapping import Swapping
from lib_lora_cook.networks import convolutions
from lib_lora_cook.training.memory import Living
from lib_lora_cook.training.train import accumulate, make_trainer

MIB = 1 << 20
HEADER = "model MiB  peak MiB  forecast  after the text"


@dataclass(frozen=True)
class Counted:
    """Bytes of a run."""

    model: int
    """UNet and text encoders."""
    peak: int
    """The most at any moment of the second step: the first has no optimizer state yet."""
    forecast: int
    """What the pre-flight says of it by the first step."""
    text: int
    """Of them the text encoders, which a run that caches their output can put elsewhere."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Count every combination; a table, or JSON Lines with --json."""
    tell("benchmarks.memory", __doc__, count, HEADER, row, arguments)


def count(case: Case, beside: AbstractContextManager[Any] | None = None) -> Counted:
    """A step that is tried and two that are taken, without contents; `beside` counts too."""
    living, config = Living(), config_of_case(case)
    # Nothing has to move here, and such parameters cannot be moved. A kernel's two sizes are kept.
    stay = patch.object(nn.Module, "to", lambda module, *where, **how: module)
    sizes = patch("torch._subclasses.fake_tensor.CONSTANT_NUMEL_LIMIT", 2)
    watching = beside or nullcontext()
    as_on_gpu = patch.object(convolutions, "MOST", 0)
    away = patch.multiple(swapping, is_away=lambda *_: True, copied=lambda it, device: it.clone())
    with FakeTensorMode(allow_non_fake_inputs=True), living, stay, sizes, away, watching, as_on_gpu:
        model: Any = DiffusersModel(make_pipeline(case), config.model)
        loaded = living.bytes
        living.leave_out(it for block in model.swapped for it in block.parameters())
        Swapping(model.swapped, model.device).put_on()
        network = build_network(config, model)
        batches: Any = SameBatch(case)
        trainer = make_trainer(config, model, network, batches, lambda message: None)
        with network:
            told = living.bytes + forecast(trainer, batches.batch).on_top
            for _ in range(2):
                living.most = living.bytes
                accumulate(trainer, [batches.batch])
                trainer.loop.optimizer.step()
        weights = [it for encoder in model.encoders for it in encoder.parameters()]
    text = sum(it.numel() * it.element_size() for it in weights)
    return Counted(loaded, living.most, told, text)


def row(counted: Counted) -> str:
    """What stands below HEADER."""
    return (
        f"{counted.model // MIB:9}  {counted.peak // MIB:8}  {counted.forecast // MIB:8}"
        f"  {(counted.peak - counted.text) // MIB:14}"
    )


if __name__ == "__main__":
    main()
