"""The VAE's encoder: a name for what it computes, and its precision."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

DECODING = ("decoder.", "post_quant_conv.")
"""Weights that latents do not depend on: many VAEs differ from the usual one in these alone."""


def encoder_fingerprint(vae: nn.Module, scale: float) -> str:
    """sha256 over every byte of what turns a picture into latents, and over their scale.

    SDXL's encoder has 34 million weights: 0.2 s in fp32 on one CPU core.
    """
    digest = hashlib.sha256(f"{scale:.6g}".encode())
    for name, weight in sorted(vae.state_dict().items()):
        if not name.startswith(DECODING):
            digest.update(f"{name}{tuple(weight.shape)}{weight.dtype}".encode())
            flat = weight.detach().cpu().contiguous().reshape(-1)
            digest.update(flat.view(torch.uint8).numpy())
    return digest.hexdigest()[:32]


@contextmanager
def in_float32(module: nn.Module, kept: torch.dtype) -> Iterator[None]:
    """SDXL's VAE overflows in fp16; to float32 and back again is exact."""
    if kept == torch.float32:
        yield
        return
    nn.Module.to(module, torch.float32)  # diffusers' own `to` warns
    try:
        yield
    finally:
        nn.Module.to(module, kept)
