"""Convolutions of few places: the numbers of torch's own, by another way."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lib_lora_cook.networks.convolutions import MOST, quick_convolutions

LAYERS: dict[str, Callable[[], nn.Conv2d]] = {
    "3x3": lambda: nn.Conv2d(6, 10, 3, padding=1),
    "1x1, no bias": lambda: nn.Conv2d(6, 10, 1, bias=False),
    "strided": lambda: nn.Conv2d(6, 10, 3, stride=2, padding=1),
    "odd": lambda: nn.Conv2d(6, 10, (3, 1), stride=(1, 2), padding=(2, 0), dilation=(2, 1)),
}
OTHERS: dict[str, Callable[[], nn.Conv2d]] = {
    "grouped": lambda: nn.Conv2d(6, 10, 3, groups=2),
    "reflecting": lambda: nn.Conv2d(6, 10, 3, padding=1, padding_mode="reflect"),
    "same": lambda: nn.Conv2d(6, 10, 3, padding="same"),
}


def frozen(make: Callable[[], nn.Conv2d]) -> nn.Conv2d:
    torch.manual_seed(0)
    return make().requires_grad_(False)


def gradient(layer: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """A layer's output, and the gradient of its input."""
    x = x.clone().requires_grad_()
    y: Tensor = layer(x)
    torch.manual_seed(1)
    return y, torch.autograd.grad(y, x, torch.randn(y.shape).to(y))[0]


def is_torchs(y: Tensor) -> bool:
    """Whether a convolution of torch has made this."""
    return "Convolution" in type(y.grad_fn).__name__


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("kind", LAYERS)
def test_output_and_gradient_are_torchs(kind: str, batch: int) -> None:
    layer, x = frozen(LAYERS[kind]), torch.randn(batch, 6, 5, 7)
    wanted, back = gradient(layer, x)
    with quick_convolutions([layer]):
        y, other = gradient(layer, x)
    assert is_torchs(wanted)
    assert not is_torchs(y)
    assert y.is_contiguous()
    torch.testing.assert_close(y, wanted)
    torch.testing.assert_close(other, back)


def test_in_bf16_it_is_as_near_to_fp32_as_torchs() -> None:
    layer, x = frozen(lambda: nn.Conv2d(320, 64, 3, padding=1)), torch.randn(2, 320, 4, 4)
    exact, back = gradient(layer, x)
    layer, off = layer.to(torch.bfloat16), []
    for layers in ([layer], []):
        with torch.autocast("cpu", torch.bfloat16), quick_convolutions(layers):
            y, other = gradient(layer, x)
        off.append((y - exact).norm() / exact.norm() + (other - back).norm() / back.norm())
    assert off[0] < 1.2 * off[1]
    assert off[1] < 0.02


@pytest.mark.parametrize("kind", OTHERS)
def test_what_is_no_plain_product_is_torchs(kind: str) -> None:
    check_torchs(frozen(OTHERS[kind]), torch.randn(1, 6, 5, 5))


def test_many_places_and_trained_weights_are_torchs() -> None:
    layer = frozen(LAYERS["3x3"])
    check_torchs(layer, torch.randn(1, 6, 1, MOST + 1))
    check_torchs(layer.requires_grad_(), torch.randn(1, 6, 5, 5))


def check_torchs(layer: Any, x: Tensor) -> None:
    """The same bits with and without."""
    plain = gradient(layer, x)
    with quick_convolutions([layer]):
        found = gradient(layer, x)
    assert is_torchs(found[0])
    assert all(torch.equal(one, two) for one, two in zip(plain, found, strict=True))


def test_afterwards_and_for_other_threads_nothing_is_changed() -> None:
    layer, x = frozen(LAYERS["3x3"]), torch.randn(1, 6, 5, 5)
    before = dict(vars(layer))
    with quick_convolutions([layer, nn.Linear(2, 2)]), ThreadPoolExecutor(1) as pool:
        assert not is_torchs(gradient(layer, x)[0])
        assert is_torchs(pool.submit(gradient, layer, x).result()[0])
    assert is_torchs(gradient(layer, x)[0])
    assert vars(layer) == before


def test_a_layer_that_a_host_has_patched_is_left_alone() -> None:
    layer: Any = frozen(LAYERS["3x3"])
    patch = layer._conv_forward = lambda x, weight, bias: x + 1
    with quick_convolutions([layer]):
        assert layer._conv_forward is patch
    assert layer._conv_forward is patch
