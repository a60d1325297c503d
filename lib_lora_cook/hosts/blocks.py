"""The UNet's blocks as Forge, Forge Classic and Forge Neo write them, made fit for a gradient."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from . import borrow

BLOCK = "BasicTransformerBlock"


def call_unet(
    unet: nn.Module, noisy: Tensor, timesteps: Tensor, states: Tensor, vector: Tensor | None
) -> Tensor:
    """The UNet's output; its options are a dict of our own, since it writes into its default."""
    output: Tensor = unet(
        noisy, timesteps.float(), context=states, y=vector, transformer_options={}
    )
    return output


@contextmanager
def out_of_place(unet: nn.Module) -> Iterator[None]:
    """Residuals are added to a new tensor while gradients are recorded: the old one is needed.

    reForge's blocks have no `_forward`, and write in place only where nothing needs the old one.
    """
    blocks: list[Any] = [it for it in unet.modules() if type(it).__name__ == BLOCK]
    with ExitStack() as stack:
        for block in blocks:
            if hasattr(block, "_forward"):
                call = partial(transformer_block, block, block._forward)
                stack.enter_context(borrow.shadowed(block, "_forward", call))
        yield


def transformer_block(
    block: Any, inner: Any, x: Tensor, context: Tensor | None = None,
    transformer_options: dict[str, Any] | None = None,
) -> Tensor:  # fmt: skip
    """Self-attention, cross-attention, feed-forward, each added to what went in (pre-norm)."""
    if not torch.is_grad_enabled():
        output: Tensor = inner(x, context, transformer_options or {})
        return output
    if block.ff_in:
        widened = block.ff_in(block.norm_in(x))
        x = widened + x if block.is_res else widened
    x = x + block.attn1(block.norm1(x), context=context if block.disable_self_attn else None)
    if block.attn2 is not None:
        x = x + block.attn2(block.norm2(x), context=context)
    fed: Tensor = block.ff(block.norm3(x))
    return fed + x if block.is_res else fed
