"""What AUTOMATIC1111 and the programs made from it have in common: pictures, folders, the queue."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules import call_queue, images, infotext_utils, paths, processing, scripts, shared
from torch import nn

from ..captioning.base import Tagger
from ..captioning.spec import taggers_in
from ..errors import UserError
from ..jobs import Cancelled
from ..models.ldm import LdmParts
from ..networks.card import LoraCard, preview_path, write_card
from . import borrow, dressed, settings, taggers, txt2img
from .base import GenerateRequest

if TYPE_CHECKING:
    from ..models.trainable import TrainableModel
    from ..networks.wardrobe import LoraWardrobe

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
        self.tagger_dir = Path(paths.models_path).absolute() / TAGGER_FOLDERS[0]
        self.lock = borrow.QueueLock(call_queue.queue_lock)
        self.loras_changed = False
        self._loan: borrow.Loan | None = None
        self._wardrobe: LoraWardrobe | None = None

    @property
    def output_dirs(self) -> list[Path]:
        """Where the person's pictures are saved now."""
        opts = shared.opts
        samples = [opts.outdir_txt2img_samples, opts.outdir_img2img_samples]
        chosen = [*([opts.outdir_samples] if opts.outdir_samples else samples), opts.outdir_save]
        return [Path(paths.data_path, folder).absolute() for folder in chosen if folder]

    @contextmanager
    def at_work(self, text: str) -> Iterator[None]:
        """The host's queue is ours, and it shows our work; inside another of ours, as it was."""
        nested = self.lock.held
        with self.lock:
            if nested:
                yield
                return
            with uninterrupted_by_reload():
                begin(text)
                try:
                    yield
                finally:
                    shared.state.end()

    @contextmanager
    def loan(
        self, live: Sequence[nn.Module], arrange: borrow.Arrange, parts: LdmParts
    ) -> Iterator[None]:
        """The model as `arrange` makes it, given back for each generation that waits."""
        with borrow.Loan(live, arrange, parts) as self._loan:
            try:
                yield
            finally:
                self._loan = None

    def rest(self) -> None:
        """Between two steps: serve who waits for the queue, with the model as it was."""
        if self._loan is None or not self.lock.awaited or not settings.SERVE.value():
            return
        with self._loan.aside():
            shared.state.end()
            self.lock.let_in()
            begin(TRAINING)

    def generate(self, request: GenerateRequest) -> list[Any]:
        """Draw with the host's own process_images; Cancelled when the person interrupts it."""
        wardrobe, pictures = self._wardrobe, []
        lora, worn = wardrobe.worn if wardrobe else (None, 0.0)
        weights = worn if isinstance(worn, Sequence) else None
        whole = self._loan.whole() if self._loan else nullcontext()
        with self.at_work(DRAWING), without_caches(), whole:
            for some in dressed.batches(request, weights, own_side()):
                if wardrobe and weights:
                    wardrobe.wear(lora, weights[some])
                pictures += draw(request, some, wardrobe)
        return pictures

    @contextmanager
    def dressed(self, loras: Sequence[Path], model: TrainableModel) -> Iterator[LoraWardrobe]:
        """LoRA files for a model, known to `generate`, which draws several weights in one batch."""
        from ..networks.wardrobe import wardrobe_of  # LyCORIS takes its time: not when we start

        with wardrobe_of(loras, model.layers(), model.dtype) as self._wardrobe:
            try:
                yield self._wardrobe
            finally:
                self._wardrobe = None

    def accept_lora(self, lora: Path, card: LoraCard, trial: GenerateRequest) -> str:
        """Show a file with its card; then, unless the person forbids it, have the host try it."""
        write_card(lora, card)
        self.refresh_loras()
        inside = lora.resolve().is_relative_to(self.lora_dir.resolve())
        wanted = inside and settings.TRY.value() and not self.interrupted()
        if not wanted or "networks" not in sys.modules:
            return ""
        with self.at_work(DRAWING), self._loan.aside() if self._loan else nullcontext():
            return self._tried(lora, trial)

    def _tried(self, lora: Path, trial: GenerateRequest) -> str:
        """Why the host does not draw with a file as it should; "" and its preview where it does."""
        listed = sys.modules["networks"].available_networks.get(lora.stem)
        if listed is None or not Path(listed.filename).samefile(lora):
            return "Another file in the WebUI's LoRA folder has the same name, and hides this one."
        try:
            with self.kept_loras():
                if left := self.unmatched(lora):
                    return f"The WebUI leaves {len(left)} of its layers aside, first {left[0]}."
                drawn = (self._tagged(trial, f"<lora:{lora.stem}:{weight}>") for weight in (0, 1))
                without, worn = drawn
        except Cancelled:
            raise
        except Exception as error:  # a trial that fails, for want of memory even, ends no run
            traceback.print_exc()
            return f"The WebUI failed to draw with it ({type(error).__name__}: {error})."
        worn.save(preview_path(lora))
        if without.tobytes() == worn.tobytes():
            return "The WebUI draws the same picture with it and without it."
        return ""

    def _tagged(self, trial: GenerateRequest, tag: str) -> Any:
        prompts = tuple(f"{prompt} {tag}" for prompt in trial.prompts[:1])
        return self.generate(replace(trial, prompts=prompts, seeds=trial.seeds[:1]))[0]

    def kept_loras(self) -> AbstractContextManager[None]:
        """Afterwards the host holds the LoRAs as loaded that it holds now."""
        return nullcontext()

    def unmatched(self, lora: Path) -> list[str]:
        """The layers of a file that the host's own loader has no place for, where that is known."""
        return []

    def save_grid(self, grid: Any, infotext: str) -> Path | None:
        """Save a sheet by the person's own settings for grids; None where those say no."""
        opts = shared.opts
        if not opts.grid_save:
            return None
        told = infotext_utils.parse_generation_parameters(infotext, [])
        saved, _ = images.save_image(
            grid, opts.outdir_grids or opts.outdir_txt2img_grids, "lora_cook", told.get("Seed"),
            told.get("Prompt"), opts.grid_format, info=infotext, grid=True,
            short_filename=not opts.grid_extended_filename,
        )  # fmt: skip
        return Path(saved).absolute()

    def taggers(self) -> dict[str, Path | Tagger]:
        """The host's own taggers, and every folder with a model where taggers are kept."""
        found: dict[str, Path | Tagger] = {**taggers.webui_taggers(self.lock)}
        for name in reversed(TAGGER_FOLDERS):  # of two of one name ours counts
            found.update(taggers_in(Path(paths.models_path, name).absolute()))
        return found

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
        """Make the host see new LoRA files, and forget what it knows of old ones by name."""
        self.loras_changed = True
        networks = sys.modules.get("networks")  # the built-in Lora extension, where it is on
        if networks is not None:
            networks.list_available_networks()
        empty_caches()

    def interrupted(self) -> bool:
        """Whether the person pressed the host's Interrupt or Stop."""
        return bool(shared.state.interrupted or shared.state.stopping_generation)


def begin(text: str) -> None:
    """The host shows our work as its own."""
    shared.state.begin(job="lora_cook")
    shared.state.textinfo = text


@contextmanager
def uninterrupted_by_reload() -> Iterator[None]:
    """Reload UI interrupts what goes on, and is no wish to end a run."""
    state, interrupt = shared.state, shared.state.interrupt

    def interrupt_unless_reloading() -> None:
        if sys._getframe(1).f_code.co_name != "request_restart":
            interrupt()

    state.interrupt = interrupt_unless_reloading
    try:
        yield
    finally:
        vars(state).pop("interrupt", None)


def caches() -> list[tuple[type, str]]:
    """Where the host keeps conditioning: class, attribute."""
    kinds = (processing.StableDiffusionProcessing, processing.StableDiffusionProcessingTxt2Img)
    return [(kind, name) for kind in kinds for name in CACHES if name in vars(kind)]


def empty_caches() -> None:
    """Nothing is known of any prompt."""
    for owner, name in caches():
        vars(owner)[name][:] = [None] * len(vars(owner)[name])


def empty_caches_of(task: Any) -> None:
    """Nothing is known of any prompt; a task whose host has unloaded models has its own caches."""
    for name in CACHES:
        kept = getattr(task, name, None) or []
        kept[:] = [None] * len(kept)


@contextmanager
def without_caches() -> Iterator[None]:
    """No conditioning of earlier prompts, and none of ours afterwards; params.txt as it was."""
    with ExitStack() as stack:
        stack.enter_context(borrow.kept_file(Path(paths.data_path) / "params.txt"))
        for kind, name in caches():
            empty = [None] * len(vars(kind)[name])
            stack.enter_context(borrow.swapped(kind, name, empty))
        yield


def own_side() -> int:
    """Pixels of a side that the loaded model is at home with."""
    return 1024 if getattr(shared.sd_model, "is_sdxl", False) else 512


def draw(request: GenerateRequest, some: slice, wardrobe: LoraWardrobe | None) -> list[Any]:
    """One batch through process_images, unsaved and without other extensions' scripts."""
    side, prompts = own_side(), list(request.prompts[some])
    task = processing.StableDiffusionProcessingTxt2Img(
        sd_model=shared.sd_model, prompt=prompts, seed=list(request.seeds[some]),
        batch_size=len(prompts), negative_prompt=[request.negative_prompt] * len(prompts),
        width=request.width or side, height=request.height or side,
        do_not_save_samples=True, do_not_save_grid=True, do_not_reload_embeddings=True,
        **txt2img.chosen(request),
    )  # fmt: skip
    task.scripts = scripts.ScriptRunner()  # empty; reForge looks into it, whatever it holds
    if wardrobe:
        dressed.encode_apart(task, wardrobe, partial(empty_caches_of, task))
    with closing(task):
        done = processing.process_images(task)
    if len(done.images) < len(prompts):
        raise Cancelled
    drawn = list(zip(done.images, done.infotexts, strict=False))[: len(prompts)]
    for picture, told in drawn:  # the person may have forbidden that it is written into files
        picture.info["parameters"] = told
    return [picture for picture, _ in drawn]
