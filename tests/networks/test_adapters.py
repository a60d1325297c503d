"""Our adapters beside LyCORIS' own: the same numbers, without the work that is not needed."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from lycoris.modules.locon import LoConModule
from lycoris.modules.loha import LohaModule
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from lib_lora_cook.networks import convolutions
from lib_lora_cook.networks.adapters import Hadamard, LowRank, is_plain
from tests.networks.test_attach import LAYERS, picture_for

PAIRS: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "LoRA": (LowRank, LoConModule, {"bypass_mode": True}),
    "LoHa": (Hadamard, LohaModule, {"bypass_mode": False}),
}


def pair(kind: str, layer: str, weight: float = 0.7) -> tuple[nn.Module, Any, Any]:
    """A frozen layer, our adapter of it and LyCORIS', with the same random weights."""
    torch.manual_seed(0)
    module = LAYERS[layer]().requires_grad_(False)
    ours, theirs, options = PAIRS[kind]
    adapters = [make("a", module, weight, 4, 2.0, **options) for make in (ours, theirs)]
    for parameter in adapters[0].parameters():
        torch.nn.init.normal_(parameter)
    adapters[1].load_state_dict(adapters[0].state_dict())
    return module, *adapters


def gradients(adapter: Any, x: Tensor) -> tuple[Tensor, list[Tensor]]:
    """The output, and the gradients of x and of the adapter's weights."""
    x = x.clone().requires_grad_()
    y = adapter(x)
    wanted = [x, *adapter.parameters()]
    torch.manual_seed(1)
    return y, list(torch.autograd.grad(y, wanted, torch.randn(y.shape).to(y)))


@pytest.mark.parametrize("most", [0, convolutions.MOST])
@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("kind", PAIRS)
def test_output_and_gradients_are_lycoris(
    kind: str, layer: str, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(convolutions, "MOST", most)
    module, ours, theirs = pair(kind, layer)
    wanted, others = gradients(theirs, picture_for(module))
    with convolutions.quick_convolutions([module]):  # as in a step
        y, own = gradients(ours, picture_for(module))
    torch.testing.assert_close(y, wanted, rtol=1e-4, atol=1e-4)
    for mine, other in zip(own, others, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("layer", LAYERS)
def test_a_loha_without_strength_has_the_bits_of_its_layer_in_a_step_and_outside(
    layer: str,
) -> None:
    module, ours, _ = pair("LoHa", layer, weight=0.0)
    x = picture_for(module)
    for deep in ([], [module]):
        with convolutions.quick_convolutions(deep):
            assert torch.equal(ours(x), module(x))


@pytest.mark.parametrize("layer", ["linear", "strided"])
@pytest.mark.parametrize("kind", PAIRS)
def test_in_half_precision_they_are_nearer_to_fp32_than_lycoris_or_as_near(
    kind: str, layer: str
) -> None:
    module, ours, theirs = pair(kind, layer)
    x = picture_for(module)
    exact, _ = gradients(ours, x)
    module.to(torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16):
        off = [(gradients(it, x)[0] - exact).abs().mean() for it in (ours, theirs)]
    assert off[0] <= off[1] * 1.1
    assert off[0] < 0.02 * exact.abs().mean()


@pytest.mark.parametrize("layer", LAYERS)
def test_loha_keeps_no_weight_for_the_backward_pass_but_the_layers_own(layer: str) -> None:
    module, ours, _ = pair("LoHa", layer)
    kept: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tensor)
        return tensor

    x = picture_for(module)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda it: it):
        ours(x)
    known = {x.data_ptr(), module.weight.data_ptr()}  # type: ignore[operator, union-attr]
    known |= {it.data_ptr() for it in ours.parameters()}
    assert kept
    assert {it.data_ptr() for it in kept} <= known


def test_loha_runs_the_layer_once_and_through_a_patch_where_there_is_one() -> None:
    module, ours, theirs = pair("LoHa", "linear")
    x, own = picture_for(module), module.forward
    assert is_plain(own, module)
    seen = []

    def patched(x: Tensor) -> Tensor:
        seen.append(x)
        return own(x) + 1  # type: ignore[no-any-return]

    ours.org_forward = theirs.org_forward = patched
    assert not is_plain(patched, module)
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-4, atol=1e-4)
    assert len(seen) == 2


@pytest.mark.parametrize("kind", PAIRS)
def test_a_recomputed_block_has_the_same_gradients(kind: str) -> None:
    module, ours, _ = pair(kind, "conv3")
    x = picture_for(module)
    y, plain = gradients(ours, x)
    given = x.clone().requires_grad_()
    again: Tensor = checkpoint(ours, given, use_reentrant=False)
    torch.manual_seed(1)
    found = torch.autograd.grad(again, [given, *ours.parameters()], torch.randn(y.shape))
    assert all(torch.equal(one, two) for one, two in zip(plain, found, strict=True))


@pytest.mark.parametrize("setting", ["rank_dropout", "module_dropout"])
def test_lohas_dropouts_are_lycoris(setting: str) -> None:
    module, ours, theirs = pair("LoHa", "linear")
    x, found = picture_for(module), []
    for adapter in (ours, theirs):
        setattr(adapter, setting, 0.5)
        torch.manual_seed(2)
        found.append(torch.stack([adapter(x) for _ in range(8)]))
    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-4)
    assert len({float(it.detach().sum()) for it in found[0]}) > 1
