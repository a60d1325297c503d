"""Blocks that add in place: no gradient as they are, the true one while they are borrowed."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn

from lib_lora_cook.hosts import blocks
from tests.hosts.standins import ldm


def block(in_place: bool) -> Any:
    torch.manual_seed(0)
    made = ldm.BasicTransformerBlock(nn.Linear, ldm.WIDTH, in_place)
    for layer in (made.attn1, made.attn2):
        layer.kernel[:] = [ldm.with_gradient]
    return made.requires_grad_(False)


def gradient(made: Any) -> torch.Tensor:
    states = torch.linspace(-1, 1, 4 * ldm.WIDTH).view(1, 4, ldm.WIDTH).requires_grad_()
    made(states.clone(), torch.ones(1, 3, ldm.WIDTH)).square().sum().backward()
    assert states.grad is not None
    return states.grad


def test_the_gradient_is_that_of_a_block_that_adds_out_of_place() -> None:
    ours = block(in_place=True)
    with blocks.out_of_place(ours):
        assert torch.equal(gradient(ours), gradient(block(in_place=False)))
    with pytest.raises(RuntimeError, match="inplace"):
        gradient(ours)


def test_a_picture_is_drawn_with_the_host_s_own_block() -> None:
    ours, states = block(in_place=True), torch.ones(1, 4, ldm.WIDTH)
    with blocks.out_of_place(ours), torch.no_grad():
        ours(states, torch.ones(1, 3, ldm.WIDTH))
    assert not torch.equal(states, torch.ones_like(states))  # it has written where it always does


def test_a_block_without_an_inner_forward_is_left_alone() -> None:
    class BasicTransformerBlock(nn.Module):
        def forward(self, x: Any) -> Any:
            return x

    made = BasicTransformerBlock()
    before = copy.copy(vars(made))
    with blocks.out_of_place(made):
        assert vars(made) == before


def test_the_unet_gets_options_of_its_own_at_each_call() -> None:
    seen: list[dict[str, Any]] = []

    class UNet(nn.Module):
        def forward(self, x: Any, t: Any, context: Any, y: Any, transformer_options: Any) -> Any:
            assert transformer_options == {}
            transformer_options["block"] = 1
            seen.append(transformer_options)
            return t

    for _ in range(2):
        output = blocks.call_unet(UNet(), torch.ones(1), torch.tensor([3]), torch.ones(1), None)
    assert output.dtype == torch.float32
    assert seen[0] is not seen[1]
