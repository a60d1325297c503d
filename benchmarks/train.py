"""Seconds a step and peak memory of the trainer, on random weights. Never a timed test.

    python -m benchmarks.train --family sd1 sdxl --network LoRA LoCon LoHa --checkpointing off on

Several values of an option are combined. Every combination runs in a process of its own, so that
its peak of memory is its own. Run it from the repository's root: it shares the tests' models.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

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
CAPTION = "a red star, girl, solo, hair, " * 6
DTYPES = {"no": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


@dataclass(frozen=True)
class Case:
    """One combination that is measured."""

    family: str
    network: str
    precision: str
    checkpointing: str
    resolution: int
    batch: int
    steps: int
    text_encoder: str
    tiny: bool
    blocks_to_swap: int = 0


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
    options = make_parser("benchmarks.train", __doc__).parse_args(arguments)
    cases = cases_of(options)
    if not options.json:
        print(f"torch {torch.__version__} on {device_name()}, one row a run, AdamW")
        print(HEADER)
    for case in cases:
        measured = measure(case) if len(cases) == 1 else measure_apart(case)
        print(json.dumps({**asdict(case), **asdict(measured), "device": device_name()})
              if options.json else row(case, measured), flush=True)  # fmt: skip


def cases_of(options: argparse.Namespace) -> list[Case]:
    """Every combination of the options, at the family's own resolution if none was given."""
    cases = [
        Case(*chosen, options.resolution or 0, options.batch, options.steps,
             options.text_encoder, options.tiny, options.blocks_to_swap)
        for chosen in product(
            options.family, options.network, options.precision, options.checkpointing
        )
    ]  # fmt: skip
    return [replace(case, resolution=case.resolution or usual_side(case)) for case in cases]


def make_parser(name: str, about: str | None) -> argparse.ArgumentParser:
    """The options; those that are combined take several values."""
    parser = argparse.ArgumentParser(prog=f"python -m {name}", description=about)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter

    def several(name: str, *choices: str) -> None:
        parser.add_argument(name, nargs="+", choices=choices, default=[choices[0]])

    several("--family", "sd1", "sdxl")
    several("--network", "LoRA", "LoCon", "LoHa")
    several("--precision", "no", "fp16", "bf16")
    several("--checkpointing", "off", "on")
    parser.add_argument("--resolution", type=int, help="pixels of a side; the family's own")
    parser.add_argument("--batch", type=int, default=1, help="pictures a step")
    parser.add_argument("--steps", type=int, default=8, help="steps that are counted")
    parser.add_argument("--text-encoder", choices=("on", "off"), default="on",
                        help="whether it is trained too")  # fmt: skip
    parser.add_argument("--blocks-to-swap", type=int, default=0, help="as the setting")
    parser.add_argument("--tiny", action="store_true", help="toy sizes: does it run at all?")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    return parser


def usual_side(case: Case) -> int:
    """The resolution that a family is trained at."""
    return 64 if case.tiny else {"sd1": 512, "sdxl": 1024}[case.family]


def measure_apart(case: Case) -> Measured:
    """`measure` in a new process."""
    words = [
        "--family", case.family, "--network", case.network, "--precision", case.precision,
        "--checkpointing", case.checkpointing, "--resolution", str(case.resolution),
        "--batch", str(case.batch), "--steps", str(case.steps),
        "--text-encoder", case.text_encoder, "--blocks-to-swap", str(case.blocks_to_swap),
        "--json", *(["--tiny"] if case.tiny else []),
    ]  # fmt: skip
    command = [sys.executable, "-m", "benchmarks.train", *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    told = json.loads(done.stdout.splitlines()[-1])
    return Measured(**{name: told[name] for name in Measured.__dataclass_fields__})


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


HEADER = (
    "family  network  precision  ckpt  side  batch    trained   s/step  peak MiB  forecast  loaded"
)


def row(case: Case, measured: Measured) -> str:
    """One line of the table."""
    return (
        f"{case.family:6}  {case.network:7}  {case.precision:9}  {case.checkpointing:4}"
        f"  {case.resolution:4}  {case.batch:5}  {measured.trained / 1e6:7.2f} M"
        f"  {measured.seconds_per_step:7.3f}  {measured.peak_bytes >> 20:8}"
        f"  {measured.forecast_bytes >> 20:8}  {measured.loaded_bytes >> 20:6}"
    )


def device() -> str:
    """Where the trainer runs."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def device_name() -> str:
    """The GPU, or how many threads of the CPU."""
    if device() == "cuda":
        return str(torch.cuda.get_device_name())
    return f"CPU, {torch.get_num_threads()} threads"


def now() -> float:
    """Seconds, with all that the GPU was asked for done."""
    if device() == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


if __name__ == "__main__":
    main()
