"""Forge Neo: a Forge whose patchers are ComfyUI's again.

Read and run: release 2.26. What is baked into the weights is known by the uuid of the patches, and
loading the checkpoint's own patchers takes it out again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from backend import attention, memory_management, stream
from backend.nn import unet as backend_unet
from modules_forge import utils as forge_utils

from . import borrow, forge, patched, refuse


class NeoHost(forge.ForgeHost):
    """The checkpoint that Forge Neo has loaded, or loads now as it would for a picture."""

    name = "neo"

    def bring_to_device(self, sd_model: Any) -> None:
        """The checkpoint's own weights, without LoRAs, all on the device that computes."""
        patched.forget_loras(sd_model)
        patchers = patched.patchers_of(sd_model)
        with torch.inference_mode():  # as the host loads; outside it copies what it puts back
            memory_management.load_models_gpu(patchers)
            forge.widen_tables(sd_model)
        for patcher in patchers:
            refuse.refuse_elsewhere([patcher.model], patchers[0].load_device)

    def swaps(self, sd_model: Any) -> Iterator[AbstractContextManager[None]]:
        """What of the program must be otherwise for a gradient, each put back by itself."""
        yield borrow.swapped(backend_unet, "attention_function", attention.attention_pytorch)
        yield borrow.swapped(stream, "mover_stream", None)
        yield without_coarse_sums()
        yield patched.without_tiling(sd_model, forge_utils.apply_circular_forge)


def make_host() -> NeoHost:
    """The host around us."""
    return NeoHost()


@contextmanager
def without_coarse_sums() -> Iterator[None]:
    """Halves are summed in fp32, which --fast-fp16 switches off: gradients would drown."""
    matmul = torch.backends.cuda.matmul
    if not hasattr(matmul, "allow_fp16_accumulation"):  # before torch 2.7
        yield
        return
    with borrow.swapped(matmul, "allow_fp16_accumulation", False):
        yield
