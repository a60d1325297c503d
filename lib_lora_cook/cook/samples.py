"""Pictures drawn while a run goes on: kohya's prompts, times and file names."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ..config import SAMPLERS, TrainingConfig
from ..hosts.base import GenerateRequest, Host
from ..jobs import Cancelled
from ..networks.atomic import write_atomically
from ..training.memory import OUT_OF_MEMORY
from ..training.optimizers import averaged_weights
from ..training.train import Trainer, autocast, free_memory
from .files import Shelf

FOLDER = "sample"
OPTION = re.compile(r"(?P<name>[a-z]+) +(?P<value>.+)", re.IGNORECASE)
WHOLE = {"w": "width", "h": "height", "d": "seed", "s": "steps"}
"""kohya's marks behind a prompt whose values are whole numbers; l and g are not, n and ss words."""
STEPS, SCALE, SMALLEST = 0, 0.0, 64
"""0 is what the person draws with in the host."""


@dataclass(frozen=True)
class Sampled:
    """Sample pictures were drawn; `epoch` is None where they belong to a step."""

    step: int
    epoch: int | None
    pictures: tuple[str, ...]
    """Their paths."""


def read_prompts(prompts: Sequence[str]) -> tuple[list[str], list[str]]:
    """(prompt lines, what is wrong) of `sample_prompts`: .txt files in it stand for their lines."""
    lines: list[str] = []
    wrong: list[str] = []
    for entry in prompts:
        if not entry.endswith(".txt"):
            lines.append(entry)
            continue
        try:
            text = Path(entry).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            wrong.append(f"sample_prompts cannot be read from {entry} ({error}): check the file")
            continue
        lines += [line for line in text.splitlines() if not line.startswith("#")]
    return [line.strip() for line in lines if line.strip()], wrong


def request_of(line: str, config: TrainingConfig) -> GenerateRequest:
    """One prompt line as kohya reads it; ValueError where a mark behind it makes no sense.

    Without marks the picture has the training's resolution and the run's seed, so that one step
    can be compared with the next.
    """
    prompt, *marks = line.split(" --")
    width, height = config.bucket.resolution
    values = {"width": width, "height": height, "seed": config.loop.seed, "steps": STEPS}
    scale, negative, sampler = SCALE, "", config.sample.sample_sampler.replace("host", "")
    for mark in marks:
        match = OPTION.fullmatch(mark.strip())
        name, value = (match["name"].lower(), match["value"]) if match else (mark, "")
        if name in WHOLE:
            values[WHOLE[name]] = int(value)
        elif name in ("l", "g"):
            scale = float(value)
        elif name == "n":
            negative = value
        elif name == "ss" and value in SAMPLERS:
            sampler = value
        else:
            raise ValueError(f"--{mark.strip()}")
    width, height = (max(SMALLEST, values[it] - values[it] % 8) for it in ("width", "height"))
    return GenerateRequest(
        (prompt.strip(),), (values["seed"],), negative, values["steps"], scale, width, height,
        sampler,
    )  # fmt: skip


def problems(config: TrainingConfig) -> list[str]:
    """What is wrong with the prompts, in words that say what to do."""
    sample = config.sample
    lines, wrong = read_prompts(sample.sample_prompts)
    for line in lines:
        try:
            request_of(line, config)
        except ValueError as error:
            wrong.append(f"sample_prompts has {line!r} ({error}): write marks as in --w 512 --d 42")
    wanted = sample.sample_every_n_epochs or sample.sample_every_n_steps or sample.sample_at_first
    if wanted and not lines and not wrong:
        wrong.append("sample pictures are asked for without sample_prompts: write at least one")
    return wrong


@dataclass
class Easel:
    """Draws with the model that is being trained, and leaves no trace in the run."""

    trainer: Trainer
    host: Host
    shelf: Shelf
    name: str
    warn: Callable[[str], None]

    def __post_init__(self) -> None:
        self.settings = self.trainer.config.sample
        lines, _ = read_prompts(self.settings.sample_prompts)
        self.requests = [request_of(line, self.trainer.config) for line in lines]

    def is_due(self, step: int, epoch: int | None) -> bool:
        """Whether it is time, at a step or, given `epoch`, at an epoch's end."""
        if not self.requests:
            return False
        if step == 0:
            return self.settings.sample_at_first
        if self.settings.sample_every_n_epochs:
            return epoch is not None and epoch % self.settings.sample_every_n_epochs == 0
        every = self.settings.sample_every_n_steps
        return bool(every) and epoch is None and step % every == 0  # type: ignore[operator]

    def draw(self, step: int, epoch: int | None) -> Sampled:
        """A picture a prompt; one that cannot be drawn is told and left out."""
        paths = []
        for number, request in enumerate(self.requests):
            name = picture_name(self.name, (step, epoch), number, request.seeds[0])
            try:
                image = self.picture(request)
            except Cancelled:
                raise
            except OUT_OF_MEMORY:
                self.warn("memory ran out over a sample picture: it is left out")
                free_memory(self.trainer)
            except Exception as error:  # No picture is worth a run.
                self.warn(f"a sample picture could not be drawn ({error}): it is left out")
            else:
                write = partial(write_atomically, data=png_of(image, request))
                paths.append(self.shelf.put(f"{FOLDER}/{name}", write))
        return Sampled(step, epoch, tuple(str(path) for path in paths if path))

    def picture(self, request: GenerateRequest) -> Image.Image:
        """One picture."""
        with drawing(self.trainer):
            return self.host.generate(request)[0]


@contextmanager
def drawing(trainer: Trainer) -> Iterator[None]:
    """Pictures may be drawn; the network's mode and all randomness are afterwards as they were."""
    network, device = trainer.loop.network, trainer.model.device
    network.eval()
    try:
        with (
            torch.random.fork_rng(devices=[device] if device.type == "cuda" else []),
            averaged_weights(trainer.loop.optimizer),
            autocast(trainer.config, device),
            torch.no_grad(),
        ):
            yield
    finally:
        network.train()


def picture_name(name: str, place: tuple[int, int | None], number: int, seed: int) -> str:
    """kohya's `name_e000003_00_20261123084500_42.png`; `place` is (step, epoch or None)."""
    step, epoch = place
    when = f"{step:06d}" if epoch is None else f"e{epoch:06d}"
    return f"{name}_{when}_{number:02d}_{time.strftime('%Y%m%d%H%M%S')}_{seed}.png"


def is_sample(path: Path, name: str) -> bool:
    """Whether a file is a sample picture of a run."""
    return bool(re.fullmatch(re.escape(name) + r"_e?\d{6}_\d{2}_\d{14}_\d+\.png", path.name))


def png_of(image: Image.Image, request: GenerateRequest) -> bytes:
    """A PNG that says how it was drawn, as the WebUIs read it."""
    info, stream = PngInfo(), io.BytesIO()
    facts = {
        "Steps": request.steps, "Sampler": request.sampler, "CFG scale": request.cfg_scale,
        "Seed": request.seeds[0], "Size": f"{image.width}x{image.height}",
    }  # fmt: skip
    told = ", ".join(f"{name}: {it}" for name, it in facts.items() if it or name == "Seed")
    text = f"{request.prompts[0]}\nNegative prompt: {request.negative_prompt}\n{told}"
    info.add_itxt("parameters", text)
    image.save(stream, format="PNG", pnginfo=info)
    return stream.getvalue()
