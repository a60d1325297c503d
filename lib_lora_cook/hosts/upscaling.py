"""Upscaler model files without a WebUI, by spandrel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Lock

import torch
from PIL import Image

from ..errors import UserError

Upscaler = Callable[[torch.Tensor], torch.Tensor]
"""(1, 3, height, width) in 0..1 -> the same at the model's own scale."""


class UpscalerFile:
    """The model file that was used last stays in memory; one picture at a time."""

    def __init__(self) -> None:
        self._loaded: tuple[Path, Upscaler] | None = None
        self._lock = Lock()

    def upscale(self, image: Image.Image, path: Path) -> Image.Image:
        """The picture through a model file at its own scale; UserError as below."""
        with self._lock:
            if self._loaded is None or self._loaded[0] != path:
                self._loaded = path, load_upscaler(path)
            return upscale_by_model(image, self._loaded[1])


def load_upscaler(path: Path) -> Upscaler:
    """An upscaler of 1x (those restore) or more; UserError without spandrel or for other files."""
    try:
        from spandrel import ImageModelDescriptor, ModelLoader
    except (ImportError, RuntimeError) as error:
        raise UserError(
            f"spandrel cannot be used here ({error})", str(path),
            "Install it with pip install 'lora-cook[upscale]', or choose Lanczos.",
        ) from None  # fmt: skip
    model = ModelLoader().load_from_file(str(path))
    if not isinstance(model, ImageModelDescriptor):
        raise UserError("This is not an upscaler for single pictures", str(path), "Choose another.")
    model.eval()
    return model


def upscale_by_model(image: Image.Image, model: Upscaler) -> Image.Image:
    """The picture through an upscaler at its own scale."""
    import numpy as np

    pixels = torch.from_numpy(np.asarray(image.convert("RGB")).copy()).permute(2, 0, 1)[None]
    with torch.no_grad():
        output = model(pixels.float() / 255.0)[0].clamp(0, 1)
    return Image.fromarray((output.permute(1, 2, 0) * 255).round().byte().numpy())
