"""What AUTOMATIC1111 and the programs made from it have in common: pictures, folders, the queue."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from modules import call_queue, paths, processing, scripts, shared
from torch import nn

from ..errors import UserError
from ..jobs import Cancelled
from . import borrow
from .base import GenerateRequest

BATCH = 4
"""Pictures drawn at once."""
CACHES = ("cached_c", "cached_uc", "cached_hr_c", "cached_hr_uc")
"""Conditioning kept by prompt alone; a network on the text encoder must not meet it."""
TRAINING, DRAWING = "LoRA Cook is training", "LoRA Cook is drawing"
TAGGER_FOLDERS = ("lora_cook_taggers", "taggers", "interrogators", "wd14", "TaggerOnnx")
"""Where, below the WebUI's models, tagger extensions keep folders with a model.onnx."""


class WebuiHost:
    """A WebUI around us, less its model."""

    def __init__(self) -> None:
        default = os.path.join(paths.models_path, "Lora")
        self.lora_dir = Path(getattr(shared.cmd_opts, "lora_dir", default)).absolute()
        self.cache_dir = Path(paths.data_path).absolute() / "cache" / "lora_cook"
        self.lock = borrow.QueueLock(call_queue.queue_lock)
        self.loras_changed = False
        self.lets_in = True
        """Whether a generation that waits is served between two steps."""
        self._give_way: Callable[[], None] | None = None

    @property
    def output_dirs(self) -> list[Path]:
        """Where the person's pictures are saved now."""
        opts = shared.opts
        chosen = [opts.outdir_samples or opts.outdir_txt2img_samples, opts.outdir_save]
        return [Path(paths.data_path, folder).absolute() for folder in chosen if folder]

    @contextmanager
    def at_work(self, text: str) -> Iterator[None]:
        """The host's queue is ours, and it shows our work; inside another of ours, as it was."""
        nested = self.lock.held
        with self.lock:
            if nested:
                yield
                return
            begin(text)
            try:
                yield
            finally:
                shared.state.end()

    @contextmanager
    def loan(
        self, live: Sequence[nn.Module], arrange: Callable[[], AbstractContextManager[None]],
        still_there: Callable[[], None],
    ) -> Iterator[None]:  # fmt: skip
        """The model as `arrange` makes it, given back for each generation that waits."""
        bare = [it for part in live for it in part.modules() if "forward" not in vars(it)]

        def give_way() -> None:
            with borrow.undressed(bare), borrow.kept_randomness():
                arranged.close()
                shared.state.end()
                self.lock.let_in()
                begin(TRAINING)
                still_there()
                arranged.enter_context(arrange())

        with ExitStack() as arranged:
            arranged.enter_context(arrange())
            self._give_way = give_way
            try:
                yield
            finally:
                self._give_way = None

    def rest(self) -> None:
        """Between two steps: serve who waits for the queue."""
        if self._give_way is not None and self.lets_in and self.lock.awaited:
            self._give_way()

    def generate(self, request: GenerateRequest) -> list[Any]:
        """Draw with the host's own process_images; Cancelled when the person interrupts it."""
        prompts, seeds = list(request.prompts), list(request.seeds)
        pictures: list[Any] = []
        with self.at_work(DRAWING), without_caches():
            for start in range(0, len(prompts), BATCH):
                some = slice(start, start + BATCH)
                pictures += draw(request, prompts[some], seeds[some])
        return pictures

    def taggers(self) -> dict[str, Path]:
        """Tagger name -> folder, of every folder with a model.onnx where taggers are kept."""
        folders = [Path(paths.models_path, name) for name in TAGGER_FOLDERS]
        found = [it for folder in folders for it in sorted(folder.glob("*/model.onnx"))]
        return {path.parent.name: path.parent for path in found}

    def upscalers(self) -> list[str]:
        """The host's upscalers by name."""
        return [upscaler.name for upscaler in shared.sd_upscalers]

    def upscale(self, image: Any, name: str, scale: float) -> Any:
        """The picture enlarged by `scale` with one of `upscalers()`."""
        found = next((it for it in shared.sd_upscalers if it.name == name), None)
        if found is None:
            names = ", ".join(self.upscalers())
            raise UserError(f"There is no upscaler {name}", "", f"Choose one of: {names}.")
        with self.lock:
            return found.scaler.upscale(image, scale, found.data_path)

    def refresh_loras(self) -> None:
        """Make the host see new LoRA files."""
        self.loras_changed = True
        networks = sys.modules.get("networks")  # the built-in Lora extension, where it is on
        if networks is not None:
            networks.list_available_networks()

    def interrupted(self) -> bool:
        """Whether the person pressed the host's Interrupt or Stop."""
        return bool(shared.state.interrupted or shared.state.stopping_generation)


def begin(text: str) -> None:
    """The host shows our work as its own."""
    shared.state.begin(job="lora_cook")
    shared.state.textinfo = text


@contextmanager
def without_caches() -> Iterator[None]:
    """No conditioning of earlier prompts, and none of ours afterwards; params.txt as it was."""
    kinds = (processing.StableDiffusionProcessing, processing.StableDiffusionProcessingTxt2Img)
    with ExitStack() as stack:
        stack.enter_context(borrow.kept_file(Path(paths.data_path) / "params.txt"))
        for kind in kinds:
            for name in CACHES:
                if name in vars(kind):
                    empty = [None] * len(vars(kind)[name])
                    stack.enter_context(borrow.swapped(kind, name, empty))
        yield


def draw(request: GenerateRequest, prompts: list[str], seeds: list[int]) -> list[Any]:
    """One batch through process_images, unsaved and without other extensions' scripts."""
    side = 1024 if getattr(shared.sd_model, "is_sdxl", False) else 512
    task = processing.StableDiffusionProcessingTxt2Img(
        sd_model=shared.sd_model, prompt=prompts, seed=seeds, batch_size=len(prompts),
        negative_prompt=[request.negative_prompt] * len(prompts), steps=request.steps,
        cfg_scale=request.cfg_scale, width=request.width or side, height=request.height or side,
        do_not_save_samples=True, do_not_save_grid=True, do_not_reload_embeddings=True,
    )  # fmt: skip
    task.scripts = scripts.ScriptRunner()  # empty; reForge looks into it, whatever it holds
    with closing(task):
        images = list(processing.process_images(task).images)
    if len(images) < len(prompts):
        raise Cancelled
    return images[: len(prompts)]
