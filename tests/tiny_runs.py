"""Small runs: drawn pictures, a run table over a tiny checkpoint, a host that lends it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lib_lora_cook.config import TrainingConfig
from lib_lora_cook.config_file import config_of, run_text
from lib_lora_cook.cook import Cooked, Options, Sampled, build_network, cook
from lib_lora_cook.hosts.standalone import StandaloneHost
from lib_lora_cook.jobs import Job, null_job
from lib_lora_cook.models.diffusers import DiffusersModel
from lib_lora_cook.training.batches import Batches
from lib_lora_cook.training.latents import LatentStore
from lib_lora_cook.training.pictures import read_pictures
from lib_lora_cook.training.train import Event, Step, Trainer, make_trainer, train

SIZES = ((64, 64), (120, 40), (64, 64), (40, 120), (70, 66))


def write_pictures(
    folder: Path, count: int = 5, caption: str = "star, red hair, solo", seed: int = 0
) -> Path:
    """Blocks of colour in several shapes, each with a caption of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        rng = np.random.default_rng([seed, index])
        blocks = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        image = Image.fromarray(blocks).resize(SIZES[index % len(SIZES)], Image.Resampling.NEAREST)
        image.save(folder / f"{index}.png")
        if caption:
            (folder / f"{index}.txt").write_text(f"{caption}, {'ab'[index % 2]}", encoding="utf-8")
    return folder


def run_table(checkpoint: Path, image_dir: Path, **changes: Any) -> dict[str, Any]:
    """A run file's table: two epochs over one folder; changes by the setting's name."""
    subset = {"image_dir": str(image_dir), "num_repeats": 1}
    return {
        "version": 1, "pretrained_model_name_or_path": str(checkpoint), "output_dir": "loras",
        "output_name": "tiny", "max_token_length": 75, "network_dim": 4, "network_alpha": 2.0,
        "resolution": 64, "bucket_reso_steps": 32, "min_bucket_reso": 32, "train_batch_size": 2,
        "max_train_epochs": 2, "unet_lr": 0.01, "text_encoder_lr": 0.01, "subsets": [subset],
        **changes,
    }  # fmt: skip


def tiny_run(folder: Path, checkpoint: Path, **changes: Any) -> TrainingConfig:
    """The run of such a table, its pictures in `folder/pictures`, its files in `folder/loras`."""
    pictures = folder / "pictures"
    if not pictures.exists():
        write_pictures(pictures)
    config, problems = config_of(run_table(checkpoint, pictures, **changes), folder)
    assert problems == []
    return config


@dataclass
class Meal:
    """A run that was cooked, and the events it told."""

    cooked: Cooked
    events: list[Event | Sampled] = field(default_factory=list)

    @property
    def losses(self) -> list[float]:
        """The loss of each step."""
        return [event.loss for event in self.events if isinstance(event, Step)]


class Telling(Job):
    """A job that passes on what it is told."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.tell = tell

    def log(self, message: str) -> None:
        self.tell(message)


def cook_tiny(
    config: TrainingConfig,
    host: StandaloneHost,
    watch: Callable[[Event], None] = lambda event: None,
    job: Job = null_job,
    *,
    resume: bool = False,
    log: Callable[[str], None] | None = None,
) -> Meal:
    """Cook and keep the events; `log` takes what the job is told."""
    if log and job is null_job:
        job = Telling(log)
    elif log:
        job.log = log  # type: ignore[method-assign]
    events: list[Event | Sampled] = []

    def both(event: Any) -> None:
        events.append(event)
        watch(event)

    return Meal(cook(config, host, job, Options(resume, both)), events)


def kill_at(
    config: TrainingConfig, folder: Path, host: StandaloneHost, step: int
) -> subprocess.CompletedProcess[str]:
    """The run in a process of its own that dies behind a step as by a kill -9; exit code 9."""
    run, script = folder / "killed.toml", Path(__file__).parent / "killed_run.py"
    run.write_text(run_text(config), encoding="utf-8")
    return subprocess.run(
        [sys.executable, str(script), str(run), str(host.home), str(step)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
        capture_output=True, text=True, check=False, timeout=500,
    )  # fmt: skip


def snapshot(folder: Path) -> dict[str, bytes | None]:
    """Every file below a folder with its bytes, every folder with None."""
    found = sorted(folder.rglob("*"))
    return {it.relative_to(folder).as_posix(): it.read_bytes() if it.is_file() else None
            for it in found}  # fmt: skip


def make_tiny_trainer(config: TrainingConfig, pipeline: Any) -> Trainer:
    """A trainer over a pipeline in memory; its network is not on the layers yet."""
    model = DiffusersModel(pipeline, config.model)
    pictures = read_pictures(config)
    store = LatentStore(pictures, model, None, 4, null_job)
    store.fill()
    batches = Batches(pictures, store, config)
    return make_trainer(config, model, build_network(config, model), batches, print)


def run_trainer(trainer: Trainer) -> list[Event]:
    """All its events, the network on the layers meanwhile."""
    with trainer.loop.network:
        return list(train(trainer))
