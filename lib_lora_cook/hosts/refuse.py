"""What a run refuses of the loaded model, each in one sentence with what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import UserError


def refuse_quantised(parts: Iterable[nn.Module]) -> None:
    """UserError where a weight is kept in less than 16 bits."""
    for part in parts:
        for name, tensor in part.named_parameters():
            plain = tensor.dtype in (torch.float32, torch.float16, torch.bfloat16, torch.float64)
            if not plain or type(tensor) is not nn.Parameter:
                kind = type(tensor).__name__ if plain else str(tensor.dtype).removeprefix("torch.")
                raise UserError(
                    f"The model is loaded in {kind}, through which nothing can be trained", name,
                    "Load it in fp16, bf16 or fp32: see FP8 weight or Diffusion in Low Bits in the "
                    "WebUI.",
                )  # fmt: skip


def refuse_elsewhere(parts: Iterable[nn.Module], device: torch.device) -> None:
    """UserError where a weight is not on the device that computes."""
    for part in parts:
        for name, tensor in part.named_parameters():
            if tensor.device.type != device.type:
                raise UserError(
                    f"Part of the model is on {tensor.device.type} and not on {device.type}, "
                    "because it does not fit into the memory whole", name,
                    "Free some memory, or start the WebUI without --medvram and --lowvram.",
                )  # fmt: skip


def refuse_inpainting(unet: Any) -> None:
    """UserError where the UNet takes more than latents."""
    channels = unet.input_blocks[0][0].weight.shape[1]
    if channels != 4:
        raise UserError(
            f"The loaded checkpoint takes {channels} channels (an inpainting or edit model)", "",
            "Load an ordinary SD1 or SDXL checkpoint.",
        )  # fmt: skip


def refuse_other_checkpoint(asked: str, loaded: Iterable[str]) -> None:
    """UserError where a run asks for another checkpoint than the one that is loaded."""
    names = {name for path in loaded if path for name in (path, Path(path).name, Path(path).stem)}
    if asked not in ("", "host") and not names & {asked, Path(asked).name}:
        raise UserError(
            "This run asks for another checkpoint than the one the WebUI has loaded", asked,
            "Load it at the top of the WebUI, or set the checkpoint to host.",
        )  # fmt: skip


def refuse_changed(same: Callable[[], bool], tensor: Callable[[], Tensor]) -> Callable[[], None]:
    """A check that raises UserError once the model is another, or its weights were moved away."""
    device = tensor().device

    def still_there() -> None:
        if not same() or tensor().device != device:
            raise UserError(
                "The WebUI has changed or unloaded its checkpoint during the run", "",
                "Load it again and resume the run; its last epoch is saved.",
            )  # fmt: skip

    return still_there
