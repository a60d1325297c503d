"""What Forge and the programs made from it have in common: a model that is a set of patchers.

The LoRAs of the last prompt are baked into the live weights. `forge_objects_original` holds the
checkpoint's own patchers; what draws is a copy of them that wears the LoRAs.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

from modules import sd_models
from torch import Tensor, nn

from ..config import ModelConfig
from ..errors import UserError
from ..models.ldm import LdmModel, LdmParts
from ..models.trainable import SD1, SDXL, ModelFamily, TrainableModel
from . import blocks, borrow
from .base import Wardrobe
from .webui import DRAWING, TRAINING, WebuiHost

NOTHING_WORN, NOT_KNOWN = str([]), ""
"""What the host remembers of the last prompt's LoRAs: none, and what equals no prompt's."""


class PatchedHost(WebuiHost, ABC):
    """The checkpoint that such a program has loaded, less what each calls its parts."""

    def __init__(self) -> None:
        super().__init__()
        self._lend_again: Callable[[], None] = lambda: None

    @abstractmethod
    def loaded_model(self, config: ModelConfig) -> Any:
        """The loaded model; UserError where there is none, or none that can be trained."""

    @abstractmethod
    def bring_to_device(self, sd_model: Any) -> None:
        """The checkpoint's own weights, without LoRAs, all on the device that computes.

        UserError where they do not fit. The host is told that it has forgotten its LoRAs.
        """

    @abstractmethod
    def parts_of(self, sd_model: Any) -> LdmParts:
        """What LdmModel needs of the host's model."""

    @abstractmethod
    def swaps(self, sd_model: Any) -> Iterator[AbstractContextManager[None]]:
        """What of the program must be otherwise for a gradient, each put back by itself."""

    @contextmanager
    def borrow_model(self, config: ModelConfig, precision: str = "no") -> Iterator[TrainableModel]:
        """The loaded model for training, in the precision it is loaded in."""
        with self.at_work(TRAINING), borrow.gradients():
            sd_model = self.loaded_model(config)
            self.bring_to_device(sd_model)
            parts = self.parts_of(sd_model).lent(config, self.rest)
            live = live_modules(sd_model)
            with (
                self.loan(live, lambda: self._trainable(sd_model), parts),
                LdmModel(parts, config) as model,
            ):
                yield model

    @contextmanager
    def open_wardrobe(self, loras: Sequence[Path], config: ModelConfig) -> Iterator[Wardrobe]:
        """LoRA files in memory for the loaded model; pictures are drawn as the host draws."""
        with self.at_work(DRAWING):
            sd_model = self.loaded_model(config)
            self.bring_to_device(sd_model)
            with (
                LdmModel(self.parts_of(sd_model), config) as model,
                self.dressed(loras, model) as wardrobe,
            ):
                yield wardrobe

    def generate(self, request: Any) -> list[Any]:
        """Draw with the host's own process_images; Cancelled when the person interrupts it."""
        try:
            return super().generate(request)
        finally:
            self._lend_again()

    @contextmanager
    def _trainable(self, sd_model: Any) -> Iterator[None]:
        """The model with ordinary tensors, kernels that have a gradient, and no write in place."""
        self.bring_to_device(sd_model)
        modules = live_modules(sd_model)
        with ExitStack() as stack:
            stack.enter_context(borrow.kept_flags(modules))
            tensors = stack.enter_context(borrow.NormalTensors(modules))
            for swap in self.swaps(sd_model):
                stack.enter_context(swap)
            stack.enter_context(blocks.out_of_place(modules[0]))

            def lend_again() -> None:  # a picture may have moved the model and spoilt its tensors
                self.bring_to_device(sd_model)
                tensors.renew()

            stack.enter_context(borrow.swapped(self, "_lend_again", lend_again))
            yield

    @contextmanager
    def kept_loras(self) -> Iterator[None]:
        """Afterwards no LoRA is in the weights, and those that were made anew have their flags."""
        sd_model = sd_models.model_data.sd_model
        with borrow.kept_flags(live_modules(sd_model)):
            try:
                yield
            finally:
                self.bring_to_device(sd_model)

    def refresh_loras(self) -> None:
        """Make the host see new LoRA files, and read and bake anew what has been written over."""
        super().refresh_loras()
        cached = getattr(sys.modules.get("networks"), "load_lora_state_dict", None)
        if cached is not None and hasattr(cached, "cache_clear"):
            cached.cache_clear()
        sd_model = sd_models.model_data.sd_model
        if sd_model is not None:
            sd_model.current_lora_hash = NOT_KNOWN


def forget_loras(sd_model: Any) -> None:
    """The host draws with the checkpoint's own patchers, and bakes the next prompt's LoRAs anew."""
    own = sd_model.forge_objects_original
    sd_model.current_lora_hash = NOTHING_WORN
    sd_model.forge_objects = own.shallow_copy()
    sd_model.forge_objects_after_applying_lora = own.shallow_copy()


def live_modules(sd_model: Any) -> list[nn.Module]:
    """UNet with its schedule, text encoders, VAE: never swapped while a model is loaded."""
    own = sd_model.forge_objects_original
    return [own.unet.model, own.clip.cond_stage_model, own.vae.first_stage_model]


def patchers_of(sd_model: Any) -> list[Any]:
    """What the host loads onto the device: UNet, text encoders, VAE."""
    own = sd_model.forge_objects_original
    return [own.unet, own.clip.patcher, own.vae.patcher]


def family_of(sd_model: Any) -> ModelFamily:
    """Which family the loaded model is; UserError for what cannot be trained here."""
    encoders = sd_model.forge_objects_original.clip.cond_stage_model
    if sd_model.is_sd1:
        return SD1
    if sd_model.is_sdxl and hasattr(encoders, "clip_l") and hasattr(encoders, "clip_g"):
        return SDXL
    raise UserError(
        f"A model of the kind {type(sd_model).__name__} cannot be trained here", "",
        "Load an SD1 or SDXL checkpoint that is no refiner.",
    )  # fmt: skip


def moments_of(vae: Any, pixels: Tensor) -> Tensor:
    """Mean and log variance of the latents; an encoder may hand out an inference tensor."""
    hidden: Tensor = vae.encoder(pixels).clone()
    return hidden if getattr(vae, "quant_conv", None) is None else vae.quant_conv(hidden)


@contextmanager
def without_tiling(sd_model: Any, apply: Callable[[Any, bool], None]) -> Iterator[None]:
    """No convolution wraps around; `apply` is the host's own switch."""
    before = sd_model.tiling_enabled
    apply(sd_model, False)
    try:
        yield
    finally:
        apply(sd_model, before)
