"""Seconds a step and peak memory of the trainer, on random weights. Never a timed test.

    python -m benchmarks.train --family sd1 sdxl --network LoRA LoCon LoHa --checkpointing off on

Several values of an option are combined. Every combination runs in a process of its own, so that
its peak of memory is its own. Run it from the repository's root: it shares the tests' models.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from benchmarks.cases import Case, device, now, tell
from lib_lora_cook.config import (
    LoopConfig,
    LossConfig,
    ModelConfig,
    NetworkConfig,
    OptimizerConfig,
    TrainingConfig,
)
from lib_lora_cook.cook import build_network
from lib_lora_cook.cook.preflight import forecast
from lib_lora_cook.models.diffusers import DiffusersModel
from lib_lora_cook.models.swapping import Swapping
from lib_lora_cook.models.trainable import PictureSize
from lib_lora_cook.models.waiting import waiting
from lib_lora_cook.training.batches import Batch
from lib_lora_cook.training.memory import forget_peak, peak_bytes
from lib_lora_cook.training.train import Step, Trainer, make_trainer, train

WARM_UP = 2
"""Steps that are not counted: allocators fill and kernels are chosen."""
HEADER = "  trained   s/step  peak MiB  forecast  loaded"
CAPTION = "a red star, girl, solo, hair, " * 6
DTYPES = {"no": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


@dataclass(frozen=True)
class Measured:
    """Median seconds of a step, and the most memory in bytes: the GPU's, else the process'."""

    seconds_per_step: float
    peak_bytes: int
    forecast_bytes: int
    """What a step that was tried before the first one says of the peak."""
    loaded_bytes: int
    """The same before the first step: the model and the adapters."""
    trained: int
    """Numbers that are trained."""


class SameBatch:
    """Stands in for `Batches`: one random batch, over and over."""

    def __init__(self, case: Case) -> None:
        side, self.per_epoch = case.resolution, case.steps + WARM_UP
        latents = torch.randn(case.batch, 4, side // 8, side // 8)
        size = PictureSize((side, side), (0, 0), (side, side))
        captions = [CAPTION] * case.batch
        self.batch = Batch(latents, captions, [size] * case.batch, torch.ones(case.batch))

    def epoch(self, number: int, done: int = 0) -> Iterator[Batch]:
        """The batch, as often as there are steps left."""
        for _ in range(done, self.per_epoch):
            yield self.batch


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure every combination; a table, or JSON Lines with --json."""
    tell("benchmarks.train", __doc__, measure_apart, HEADER, row, arguments)


def measure_apart(case: Case) -> Measured:
    """`measure` in a new process."""
    with ProcessPoolExecutor(1, get_context("spawn")) as apart:
        return apart.submit(measure, case).result()


def measure(case: Case) -> Measured:
    """Train some steps and keep the time of each."""
    times = []
    with set_up(case) as (trainer, batch):
        forget_peak(trainer.model.device)
        loaded, told = peak_bytes(), forecast(trainer, batch).peak
        began = now()
        for event in train(trainer):
            if isinstance(event, Step):
                times.append(now() - began)
                began = now()
        trained = sum(weight.numel() for weight in trainer.loop.network.parameters())
    return Measured(statistics.median(times[WARM_UP:]), peak_bytes(), told, loaded, trained)


@contextmanager
def set_up(case: Case) -> Iterator[tuple[Trainer, Batch]]:
    """A trainer at its first step with all that it needs in its place, and its one batch."""
    torch.manual_seed(0)
    config = config_of_case(case)
    model: Any = DiffusersModel(make_pipeline(case), config.model)
    network = build_network(config, model)
    batches: Any = SameBatch(case)
    trainer = make_trainer(config, model, network, batches, lambda message: None)
    Swapping(model.swapped, model.device).put_on()
    with waiting(model.swapped, pinned=True), network:
        yield trainer, batches.batch


def config_of_case(case: Case) -> TrainingConfig:
    """The guide's settings with this case's."""
    adapters = NetworkConfig(network_type=case.network, network_dim=16, network_alpha=8.0)
    if case.network != "LoRA":
        adapters = replace(adapters, conv_dim=8, conv_alpha=4.0)
    return TrainingConfig(
        model=ModelConfig(
            clip_skip=2 if case.family == "sd1" else None, blocks_to_swap=case.blocks_to_swap
        ),
        network=adapters,
        optimizer=OptimizerConfig(
            unet_lr=5e-4, text_encoder_lr=1e-4 if case.text_encoder == "on" else 0.0
        ),
        loss=LossConfig(min_snr_gamma=5.0),
        loop=LoopConfig(
            train_batch_size=case.batch, max_train_steps=case.steps + WARM_UP,
            gradient_checkpointing=case.checkpointing == "on", mixed_precision=case.precision,
        ),
    )  # fmt: skip


def make_pipeline(case: Case) -> Any:
    """What `DiffusersModel` takes of a pipeline, of random weights at the family's true size."""
    from tests import tiny_models

    folder = Path(tempfile.gettempdir())
    if case.tiny:
        make = tiny_models.tiny_sd1 if case.family == "sd1" else tiny_models.tiny_sdxl
        pipeline = make(folder).to(device())
        return pipeline if case.precision == "no" else pipeline.to(DTYPES[case.precision])
    parts = true_size(case)
    parts["tokenizer"] = tiny_models.tokenizer(folder)
    parts["tokenizer_2"] = tiny_models.tokenizer(folder, pad="!")
    return SimpleNamespace(**parts, vae=tiny_models.vae(), scheduler=tiny_models.scheduler())


def true_size(case: Case) -> dict[str, Any]:
    """UNet and text encoders as they are published, made on the device in their precision."""
    from diffusers import UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTextModelWithProjection

    from tests import real_models

    before = torch.get_default_dtype()
    torch.set_default_dtype(DTYPES[case.precision])
    try:
        with torch.device(device()):
            if case.family == "sd1":
                unet = UNet2DConditionModel(**real_models.SD1_UNET)
                second = None
            else:
                unet = UNet2DConditionModel(**real_models.SDXL_UNET)
                second = CLIPTextModelWithProjection(real_models.BIG_G).eval()
            first = CLIPTextModel(real_models.CLIP_L).eval()
    finally:
        torch.set_default_dtype(before)
    return {"unet": unet.eval(), "text_encoder": first, "text_encoder_2": second}


def row(measured: Measured) -> str:
    """What stands below HEADER."""
    return (
        f"{measured.trained / 1e6:7.2f} M  {measured.seconds_per_step:7.3f}"
        f"  {measured.peak_bytes >> 20:8}  {measured.forecast_bytes >> 20:8}"
        f"  {measured.loaded_bytes >> 20:6}"
    )


if __name__ == "__main__":
    main()
