"""What we borrow from a host."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Protocol

from ..config import ModelConfig
from ..errors import UserError

if TYPE_CHECKING:
    from PIL import Image

    from ..captioning.base import Tagger
    from ..models.trainable import TrainableModel
    from ..networks.card import LoraCard


@dataclass(frozen=True)
class GenerateRequest:
    """Pictures to draw, one for each prompt and seed of equal place."""

    prompts: tuple[str, ...]
    seeds: tuple[int, ...]
    negative_prompt: str = ""
    steps: int = 0
    """0 is what the person uses in the host; so it is for cfg_scale, sampler and scheduler."""
    cfg_scale: float = 0.0
    width: int = 0
    """Pixels; 0 is the model's own size."""
    height: int = 0
    sampler: str = ""
    """kohya's name (config.SAMPLERS), or the host's own."""
    scheduler: str = ""


class Wardrobe(Protocol):
    """LoRA files in memory, ready to be put on the loaded model without a file being read."""

    def wears_several(self, lora: Path) -> bool:
        """Whether `wear` takes a weight for each picture of the next batch."""

    def wear(self, lora: Path | None, weight: float | Sequence[float]) -> None:
        """Put one on at a weight, and take off what was on; None: only take off."""


class Host(Protocol):
    """The program that holds the model."""

    name: str
    lora_dir: Path
    output_dirs: list[Path]
    cache_dir: Path
    tagger_dir: Path
    """Where taggers that are fetched by name come to lie."""

    def borrow_model(
        self, config: ModelConfig, precision: str = "no"
    ) -> AbstractContextManager[TrainableModel]:
        """The loaded model, ours for as long as the block lasts, and given back as it was.

        precision is the run's mixed_precision: what a host that loads the model itself loads it in.
        """

    def open_wardrobe(
        self, loras: Sequence[Path], config: ModelConfig
    ) -> AbstractContextManager[Wardrobe]:
        """LoRA files for the loaded model; on the way out it wears none."""

    def generate(self, request: GenerateRequest) -> list[Image.Image]:
        """Draw pictures with the loaded model as it is dressed now."""

    def accept_lora(self, lora: Path, card: LoraCard, trial: GenerateRequest) -> str:
        """Show a new LoRA file with its card and a preview, after a trial by the host's own loader.

        Why the host does not take it, in a sentence; "" where it does. May be called on a loan.
        """

    def save_grid(self, grid: Image.Image, infotext: str) -> Path | None:
        """Save a sheet as the host saves its grids, and where; None where it saves none."""

    def taggers(self) -> dict[str, Path | Tagger]:
        """Tagger name -> folder, or what the host runs itself."""

    def upscalers(self) -> list[str]:
        """Names of upscalers."""

    def upscale(self, image: Image.Image, name: str, scale: float) -> Image.Image:
        """The picture enlarged by `scale` with one of `upscalers()`."""

    def refresh_loras(self) -> None:
        """Make the host see new LoRA files, and forget what it knows of old ones by name."""

    def interrupted(self) -> bool:
        """Whether the person pressed the host's Interrupt."""


def upscale_with(host: Host, name: str) -> Callable[[Image.Image, float], Image.Image]:
    """One of a host's upscalers, for one picture at a time; UserError for a name it has not."""
    if name not in host.upscalers():
        known = ", ".join(host.upscalers())
        raise UserError("There is no such upscaler", name, f"Choose one of: {known}.")
    one_at_a_time = Lock()

    def upscale(image: Image.Image, times: float) -> Image.Image:
        try:
            with one_at_a_time:
                return host.upscale(image, name, times)
        except UserError:
            raise
        except Exception as error:  # torch and spandrel raise nearly anything
            raise UserError(f"The upscaler failed ({error})", name, "Choose another.") from error

    return upscale


def default_home() -> Path:
    """Where the standalone program keeps its folders: LORA_COOK_HOME, or `~/.lora-cook`."""
    return Path(os.environ.get("LORA_COOK_HOME") or Path.home() / ".lora-cook")
