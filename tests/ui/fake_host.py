"""A host without a model, and work that takes its time without a trainer."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image

from lib_lora_cook.config import ModelConfig, TrainingConfig
from lib_lora_cook.config_file import run_text
from lib_lora_cook.errors import UserError
from lib_lora_cook.hosts.base import GenerateRequest
from lib_lora_cook.jobs import Job
from lib_lora_cook.ui.runner import Outcome, Work
from lib_lora_cook.ui.taste.tasting import Tasting
from lib_lora_cook.ui.tray import Tile, Tray


class FakeHost:
    """Folders only."""

    name = "fake"

    def __init__(self, home: Path) -> None:
        self.lora_dir, self.cache_dir = home / "loras", home / "cache"
        self.output_dirs, self.tagger_dir = [home / "outputs"], home / "taggers"
        self.lora_dir.mkdir(parents=True, exist_ok=True)

    def borrow_model(self, config: ModelConfig) -> AbstractContextManager[Any]:
        raise UserError("This host has no model")

    def open_wardrobe(
        self, loras: Sequence[Path], config: ModelConfig
    ) -> AbstractContextManager[Any]:
        raise UserError("This host has no model")

    def generate(self, request: GenerateRequest) -> list[Any]:
        raise UserError("This host has no model")

    def accept_lora(self, lora: Path, card: Any, trial: GenerateRequest) -> str:
        return ""

    def save_grid(self, grid: Any, infotext: str) -> Path | None:
        return None

    def taggers(self) -> dict[str, Path]:
        return {"toy": self.cache_dir / "toy"}

    def upscalers(self) -> list[str]:
        return []

    def upscale(self, image: Any, name: str, scale: float) -> Any:
        raise UserError("This host has no upscaler")

    def refresh_loras(self) -> None:
        pass

    def interrupted(self) -> bool:
        return False


def fake_cook(config: TrainingConfig, host: FakeHost, seconds: float = 0.1) -> Work:
    """Writes empty LoRA files, an epoch each few steps; fails if it is named `fails`."""

    def work(job: Job) -> Outcome:
        epochs, steps = config.loop.max_train_epochs or 2, 10
        folder, name = Path(config.save.output_dir), config.save.output_name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.toml").write_text(run_text(config), encoding="utf-8")
        pause, made = threading.Event(), []
        for step in range(1, epochs * steps + 1):
            if job.cancelled:
                return Outcome("stopped early", tuple(made), stopped=True)
            pause.wait(seconds)
            while job.paused and not job.cancelled:
                pause.wait(seconds)
            job.plot(step, 1 / step)
            epoch = (step - 1) // steps + 1
            job.report(step, epochs * steps, f"epoch {epoch}/{epochs} loss {1 / step:.3f}")
            if name == "fails" and step == 3:
                raise ValueError(f"<b>no</b> {Path.home() / 'secret'}")
            if step % steps == 0:
                job.log(f"epoch {epoch} is written")
                made.append(folder / f"{name}-{epoch:06d}.safetensors")
                made[-1].touch()
        return Outcome(f"{len(made)} LoRA files", tuple(made))

    return work


def fake_taste(wish: Tasting, host: FakeHost, seconds: float = 0.1) -> Work:
    """Plain cells at their places, the last one picked."""

    def work(job: Job) -> Outcome:
        loras = tuple(map(Path, wish.config.loras))
        names, weights = tuple(it.stem for it in loras), wish.config.weights
        tray = Tray(loras, names, weights, wish.config.prompts)
        wish.folder.mkdir(parents=True)
        places = [
            (lora, weight, prompt)
            for prompt in tray.prompts for lora in (None, *loras) for weight in weights
            if (lora is None) == (weight == 0)
        ]  # fmt: skip
        for number, (lora, weight, prompt) in enumerate(places, 1):
            job.check()
            threading.Event().wait(seconds)
            path = wish.folder / f"{number}.png"
            Image.new("RGB", (64, 64), (9 * number % 256, 90, 90)).save(path)
            tile = Tile(number, lora, weight, prompt, path, ("tags 0.50",), f"{prompt} <lora:x:1>")
            picked = number if number == len(places) else 0
            tray = replace(tray, tiles=(*tray.tiles, tile), picked=picked)
            job.lay_out(tray)
        pick = f"The pick: {loras[-1].stem} at weight {weights[-1]:g}."
        return Outcome(f"{len(places)} cells", sheet=path, pick=pick)

    return work
