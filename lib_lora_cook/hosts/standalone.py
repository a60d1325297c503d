"""No WebUI: folders on disk, and diffusers for the model."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import nn

from ..captioning.base import Tagger
from ..captioning.spec import taggers_in
from ..config import ModelConfig
from ..errors import UserError
from ..models.diffusers import DiffusersModel, family_of, load_vae, place
from ..models.trainable import SD1, TrainableModel
from ..models.waiting import at_hand, waiting
from ..networks.card import LoraCard, write_card
from ..networks.wardrobe import LoraWardrobe, wardrobe_of
from .base import GenerateRequest, default_home
from .upscaling import UpscalerFile

__all__ = ["StandaloneHost", "default_home"]

STEPS, CFG_SCALE = 20, 7.0
"""Where a request names none."""
PRECISIONS = {"no": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
PILLOW_UPSCALERS = {
    "Lanczos": Image.Resampling.LANCZOS,
    "Bicubic": Image.Resampling.BICUBIC,
    "Nearest": Image.Resampling.NEAREST,
}


SCHEDULERS = {
    "ddim": "DDIMScheduler", "pndm": "PNDMScheduler", "lms": "LMSDiscreteScheduler",
    "euler": "EulerDiscreteScheduler", "euler_a": "EulerAncestralDiscreteScheduler",
    "heun": "HeunDiscreteScheduler", "dpm_2": "KDPM2DiscreteScheduler",
    "dpm_2_a": "KDPM2AncestralDiscreteScheduler", "dpmsolver": "DPMSolverMultistepScheduler",
    "dpmsolver++": "DPMSolverMultistepScheduler", "dpmsingle": "DPMSolverSinglestepScheduler",
}  # fmt: skip
"""diffusers' classes by kohya's names."""
EMBEDDING_HOOKS = ("_require_grads_hooks", "_require_grads_hook")
"""Where transformers, now and before 5, notes the hook that checkpointing leaves behind."""


class StandaloneHost:
    """A host of folders: LoRAs, outputs, taggers (a folder each) and upscaler model files."""

    name = "standalone"

    def __init__(
        self,
        home: Path,
        *,
        cancelled: Callable[[], bool] = lambda: False,
        taggers: Mapping[str, Path] | None = None,
    ) -> None:
        self._lent = dict(taggers or {})  # beside those in the home
        self.home = home
        self.lora_dir = home / "loras"
        self.output_dirs = [home / "outputs"]
        self.cache_dir = home / "cache"
        self._upscaler = UpscalerFile()
        self.tagger_dir, self.upscaler_dir = home / "taggers", home / "upscalers"
        self._cancelled = cancelled
        self._loaded: Any = None
        self._spare: list[nn.Module] = []
        self._asked: tuple[ModelConfig, str] | None = None

    @contextmanager
    def borrow_model(self, config: ModelConfig, precision: str = "no") -> Iterator[TrainableModel]:
        """The checkpoint of the config, loaded once, with its flags as they were on the way out."""
        pipeline = self.load(config, precision)
        model = DiffusersModel(pipeline, config, Path(config.pretrained_model_name_or_path).name)
        with kept_flags([model.unet, model.vae, *model.encoders]), waiting(model.spare):
            self._spare = model.spare
            yield model

    def load(self, config: ModelConfig, precision: str) -> Any:
        """The diffusers pipeline of a checkpoint; UserError where it is not one."""
        if self._asked != (config, precision):
            self._asked = self._loaded = None  # the one before makes room first
            self._loaded = load_pipeline(config, PRECISIONS[precision])
            self._asked = (config, precision)
        return self._loaded

    @contextmanager
    def open_wardrobe(self, loras: Sequence[Path], config: ModelConfig) -> Iterator[LoraWardrobe]:
        """LoRA files in memory for the checkpoint of the config."""
        precision = "fp16" if torch.cuda.is_available() else "no"
        with (
            self.borrow_model(config, precision) as model,
            wardrobe_of(loras, model.layers(), model.dtype, model.device) as wardrobe,
        ):
            yield wardrobe

    @torch.no_grad()
    def generate(self, request: GenerateRequest) -> list[Image.Image]:
        """Draw with the loaded pipeline; one generator a picture, so a batch changes none."""
        if self._asked is None:
            raise UserError("No checkpoint is loaded", "", "Choose one first.")
        generators = [torch.Generator().manual_seed(seed) for seed in request.seeds]
        whole = at_hand(self._spare, self._loaded.unet.device)
        with whole, sampling_by(self._loaded, request.sampler):
            drawn = self._loaded(
                **texts_of(request, self._loaded, self._asked[0]),
                num_inference_steps=request.steps or STEPS,
                guidance_scale=request.cfg_scale or CFG_SCALE,
                width=request.width or None, height=request.height or None, generator=generators,
            )  # fmt: skip
        return list(drawn.images)

    def accept_lora(self, lora: Path, card: LoraCard, trial: GenerateRequest) -> str:
        """Lay the card beside the file, for a WebUI that is shown this folder; nothing is tried."""
        write_card(lora, card)
        return ""

    def save_grid(self, grid: Image.Image, infotext: str) -> Path | None:
        """Nowhere: the sheet lies where it was asked for."""
        return None

    def taggers(self) -> dict[str, Path | Tagger]:
        """Every folder below `taggers` that holds a model, and those lent."""
        return {**self._lent, **taggers_in(self.tagger_dir)}

    def upscalers(self) -> list[str]:
        """Pillow's filters, and the model files that spandrel can open."""
        found = sorted(self.upscaler_dir.glob("*")) if self.upscaler_dir.is_dir() else []
        return [*PILLOW_UPSCALERS, *(path.name for path in found if path.is_file())]

    def upscale(self, image: Image.Image, name: str, scale: float) -> Image.Image:
        """The picture enlarged by `scale` with one of `upscalers()`."""
        size = (round(image.width * scale), round(image.height * scale))
        if name in PILLOW_UPSCALERS:
            return image.resize(size, PILLOW_UPSCALERS[name])
        path = self.upscaler_dir / name
        if not path.is_file():
            names = ", ".join(self.upscalers())
            raise UserError(f"There is no upscaler {name}", "", f"Choose one of: {names}.")
        return self._upscaler.upscale(image, path).resize(size, Image.Resampling.LANCZOS)

    def refresh_loras(self) -> None:
        """Nobody caches the list."""

    def interrupted(self) -> bool:
        """Whether the run was cancelled."""
        return self._cancelled()


@contextmanager
def sampling_by(pipeline: Any, name: str) -> Iterator[None]:
    """The pipeline with one of kohya's samplers in place of its own; an empty name keeps that."""
    if not name:
        yield
        return
    import diffusers

    before, kind = pipeline.scheduler, SCHEDULERS[name.removeprefix("k_")]
    options = {"algorithm_type": name} if name.startswith("dpmsolver") else {}
    pipeline.scheduler = getattr(diffusers, kind).from_config(before.config, **options)
    try:
        yield
    finally:
        pipeline.scheduler = before


def texts_of(request: GenerateRequest, pipeline: Any, config: ModelConfig) -> dict[str, Any]:
    """The prompts as a pipeline takes them, or under clip skip as states.

    diffusers' own clip skip fails with transformers 5, and counts for SDXL, where ours does not.
    """
    prompts, negative = list(request.prompts), [request.negative_prompt] * len(request.prompts)
    if (config.clip_skip or 1) == 1 or family_of(pipeline) is not SD1:
        return {"prompt": prompts, "negative_prompt": negative}
    model = DiffusersModel(pipeline, replace(config, max_token_length=75))
    return {
        "prompt_embeds": model.encode_text(prompts).hidden,
        "negative_prompt_embeds": model.encode_text(negative).hidden,
    }


def load_pipeline(config: ModelConfig, dtype: torch.dtype) -> Any:
    """A diffusers folder or a checkpoint file on the best device."""
    where = config.pretrained_model_name_or_path
    path = Path(where)
    if not path.exists():
        raise UserError("There is no such checkpoint", where, "Give a file or a diffusers folder.")
    loaders = {True: _load_folder, False: _load_file}
    try:
        pipeline = loaders[path.is_dir()](path, dtype)
        if config.vae:
            with quiet_loading():
                vae = load_vae(Path(config.vae), pipeline.vae)
            pipeline.register_modules(vae=vae.to(dtype))
    except (OSError, ValueError, KeyError, RuntimeError, TypeError, AttributeError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(
            f"This is not a checkpoint that can be loaded ({first})", where,
            "Choose an SD1, SD2 or SDXL checkpoint: a .safetensors file or a diffusers folder.",
        ) from error  # fmt: skip
    pipeline.set_progress_bar_config(disable=True)
    if config.v_parameterization:
        pipeline.scheduler.register_to_config(prediction_type="v_prediction")
    place(pipeline, config, torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    return pipeline


def _load_folder(path: Path, dtype: torch.dtype) -> Any:
    if not (path / "model_index.json").is_file():
        raise ValueError("the folder holds no model_index.json")
    with quiet_loading():
        from diffusers import DiffusionPipeline

        pipeline = DiffusionPipeline.from_pretrained(str(path), dtype=dtype)
    for part in ("unet", "vae", "text_encoder", "tokenizer"):
        if getattr(pipeline, part, None) is None:
            raise ValueError(f"a {type(pipeline).__name__} without {part}")
    return pipeline


def _load_file(path: Path, dtype: torch.dtype) -> Any:
    """A single file; a folder of the same name beside it may hold its configs and tokenizer."""
    keys = _keys_of(path)
    if not any(key.startswith("model.diffusion_model.") for key in keys):
        raise ValueError("it holds no UNet under the names that checkpoints use")
    sdxl = any(key.startswith("conditioner.embedders.1.") for key in keys)
    beside = path.with_suffix("")
    options: dict[str, Any] = {"config": str(beside)} if beside.is_dir() else {}
    if not sdxl:
        options["safety_checker"] = None
    with quiet_loading():
        from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline

        kind = StableDiffusionXLPipeline if sdxl else StableDiffusionPipeline
        return kind.from_single_file(str(path), dtype=dtype, **options)


def _keys_of(path: Path) -> list[str]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt") as file:
            return list(file.keys())
    except SafetensorError as error:
        raise ValueError(f"it is no safetensors file: {error}") from None


@contextmanager
def quiet_loading() -> Iterator[None]:
    """diffusers' and transformers' own bars and advice are not for our user."""
    libraries = [
        importlib.import_module(f"{name}.utils.logging") for name in ("diffusers", "transformers")
    ]
    levels = [library.get_verbosity() for library in libraries]
    try:
        for library in libraries:
            library.set_verbosity_error()
            library.disable_progress_bar()
        yield
    finally:
        for library, level in zip(libraries, levels, strict=True):
            library.set_verbosity(level)


@contextmanager
def kept_flags(parts: Sequence[nn.Module]) -> Iterator[None]:
    """requires_grad, train/eval mode, checkpointing and hooks are afterwards as they were."""
    grads = [(it, it.requires_grad) for part in parts for it in part.parameters()]
    modes = [(module, module.training) for part in parts for module in part.modules()]
    checkpointing = [
        (it, it.gradient_checkpointing)
        for part in parts for it in part.modules() if hasattr(it, "gradient_checkpointing")
    ]  # fmt: skip
    try:
        yield
    finally:
        for parameter, flag in grads:
            parameter.requires_grad_(flag)
        for module, mode in modes:
            module.training = mode
        for module, on in checkpointing:
            module.gradient_checkpointing = on
        for part in parts:  # transformers' checkpointing hooks the embeddings
            if any(getattr(part, it, None) for it in EMBEDDING_HOOKS):
                part.disable_input_require_grads()  # type: ignore[operator]
