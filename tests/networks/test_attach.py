"""Adapters on live layers: what they compute, and that they leave no trace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lib_lora_cook.config import NetworkConfig
from lib_lora_cook.networks.attach import (
    Network,
    attached,
    delta_weight,
    make_adapter,
    make_network,
)
from lib_lora_cook.networks.targets import Target

KINDS = ("LoRA", "LoCon", "LoHa")
DOWN = "lora_unet_a.lora_down.weight"
LAYERS: dict[str, Callable[[], nn.Module]] = {
    "linear": lambda: nn.Linear(6, 10),
    "conv1": lambda: nn.Conv2d(6, 10, 1),
    "conv3": lambda: nn.Conv2d(6, 10, 3, padding=1),
    "strided": lambda: nn.Conv2d(6, 10, 3, stride=2, padding=1),
}


def picture_for(layer: nn.Module) -> Tensor:
    shape = (2, 5, 6) if isinstance(layer, nn.Linear) else (2, 6, 8, 8)
    return torch.randn(shape, generator=torch.Generator().manual_seed(3))


class Model(nn.Module):
    """Two layers, one a part."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.text, self.unet = nn.Linear(6, 6), nn.Linear(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        return self.unet(torch.relu(self.text(x)))

    def targets(self) -> list[Target]:
        return [
            Target("lora_te_a", self.text, "text_encoder", 2, 1.0),
            Target("lora_unet_a", self.unet, "unet", 3, 6.0),
        ]


def random_network(targets: list[Target], kind: str = "LoRA", seed: int = 1) -> Network:
    """A network as if it were trained: no weight of it is zero."""
    network = make_network(targets, NetworkConfig(network_type=kind))
    generator = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        parameter.data.copy_(torch.randn(parameter.shape, generator=generator))
    return network.eval()


def trace(module: nn.Module) -> list[tuple[str, dict[str, Any]]]:
    """Every module's own attributes; its tensors by value."""
    state = {name: value.clone() for name, value in module.state_dict().items()}
    found = [(name, dict(it.__dict__)) for name, it in module.named_modules()]
    return [*found, ("state", state)]


def assert_same(before: list[tuple[str, dict[str, Any]]], module: nn.Module) -> None:
    after = trace(module)
    assert after[:-1] == before[:-1]
    for name, value in before[-1][1].items():
        assert torch.equal(value, after[-1][1][name]), name
    for it in module.modules():
        assert "forward" not in it.__dict__


@pytest.mark.parametrize("kind", KINDS)
def test_taking_a_network_off_leaves_the_layers_as_they_were(kind: str) -> None:
    model = Model()
    before = trace(model)
    with random_network(model.targets(), kind):
        assert "forward" in model.unet.__dict__
        model(torch.ones(1, 6)).sum()
    assert_same(before, model)


def test_an_exception_takes_the_network_off_too() -> None:
    model = Model()
    before = trace(model)
    with pytest.raises(ZeroDivisionError), random_network(model.targets()):
        model(torch.ones(1, 6))
        raise ZeroDivisionError
    assert_same(before, model)


def test_two_networks_add_up_and_come_off_one_by_one() -> None:
    model, x = Model(), torch.randn(4, 6)
    before, base = trace(model), model(x)
    first = random_network(model.targets()[1:], seed=1)
    second = random_network(model.targets()[1:], "LoHa", seed=2)
    hidden = torch.relu(model.text(x))
    deltas = [delta_weight(it.adapters["lora_unet_a"]).detach() for it in (first, second)]
    with first:
        with second:
            both = model(x)
        alone = model(x)
    torch.testing.assert_close(both - base, hidden @ (deltas[0] + deltas[1]).T)
    torch.testing.assert_close(alone - base, hidden @ deltas[0].T)
    assert_same(before, model)


def test_a_layer_that_somebody_else_has_patched_keeps_their_patch() -> None:
    model, x = Model(), torch.randn(4, 6)
    own = model.unet.forward
    patched = lambda x: own(x) + 1  # noqa: E731
    model.unet.forward = patched  # type: ignore[method-assign]
    base = model(x)
    with make_network(model.targets(), NetworkConfig()):
        assert torch.equal(model(x), base)
    assert model.unet.forward is patched


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_fresh_network_changes_nothing(kind: str, layer: str) -> None:
    module = LAYERS[layer]()
    x = picture_for(module)
    base = module(x)
    with make_network([Target("lora_unet_a", module, "unet", 4, 2.0)],
                      NetworkConfig(network_type=kind)):  # fmt: skip
        assert torch.equal(module(x), base)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("kind", KINDS)
def test_at_strength_0_the_output_is_the_base_model_s_bit_for_bit(kind: str, layer: str) -> None:
    module = LAYERS[layer]()
    x = picture_for(module)
    base = module(x)
    network = random_network([Target("lora_unet_a", module, "unet", 4, 2.0)], kind)
    with attached(network, 0.0):
        assert torch.equal(module(x), base)
    with attached(network, 1.0):
        assert not torch.allclose(module(x), base)


@pytest.mark.parametrize("weight", [1.0, 0.3, -2.0])
@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("kind", ["LoRA", "LoCon"])
def test_lora_adds_up_of_down_times_alpha_over_dim(kind: str, layer: str, weight: float) -> None:
    module: Any = LAYERS[layer]()
    x = picture_for(module)
    network = random_network([Target("lora_unet_a", module, "unet", 4, 2.0)], kind)
    tensors = network.tensors()
    down, up = tensors["lora_unet_a.lora_down.weight"], tensors["lora_unet_a.lora_up.weight"]
    if isinstance(module, nn.Linear):
        inner = nn.functional.linear(nn.functional.linear(x, down), up)
    else:
        inner = nn.functional.conv2d(x, down, stride=module.stride, padding=module.padding)
        inner = nn.functional.conv2d(inner, up)
    expected = module(x) + inner * weight * 2.0 / 4
    with attached(network, weight):
        torch.testing.assert_close(module(x), expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("weight", [1.0, 0.3])
@pytest.mark.parametrize("layer", LAYERS)
def test_loha_adds_the_hadamard_product_of_two_low_rank_weights(layer: str, weight: float) -> None:
    module: Any = LAYERS[layer]()
    x = picture_for(module)
    network = random_network([Target("lora_unet_a", module, "unet", 4, 2.0)], "LoHa")
    t = {key.removeprefix("lora_unet_a."): value for key, value in network.tensors().items()}
    delta = (t["hada_w1_a"] @ t["hada_w1_b"]) * (t["hada_w2_a"] @ t["hada_w2_b"]) * 2.0 / 4
    changed = LAYERS[layer]()
    changed.load_state_dict(module.state_dict())
    changed.weight.data += weight * delta.view_as(changed.weight)  # type: ignore[operator, union-attr]
    with attached(network, weight):
        torch.testing.assert_close(module(x), changed(x), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_reach_every_weight_of_an_adapter_and_none_of_the_model(
    kind: str, layer: str
) -> None:
    module = LAYERS[layer]().requires_grad_(False)
    network = random_network([Target("lora_unet_a", module, "unet", 4, 2.0)], kind).train()
    with network:
        module(picture_for(module)).square().mean().backward()
    gradients = [parameter.grad for parameter in network.parameters()]
    assert len(gradients) == (4 if kind == "LoHa" else 2)
    assert all(it is not None and it.abs().max() > 0 for it in gradients)
    assert all(parameter.grad is None for parameter in module.parameters())


def test_what_is_frozen_is_on_its_layer_and_in_the_file_and_is_not_trained() -> None:
    model = Model()
    network = random_network(model.targets())
    network.freeze(["lora_te_a"])
    network.train()
    assert [target.name for target, _ in network.trained()] == ["lora_unet_a"]
    modes = {name: it.training for name, it in network.adapters.items()}
    assert modes == {"lora_te_a": False, "lora_unet_a": True}
    before = {name: it.clone() for name, it in network.tensors().items()}
    assert {name.split(".")[0] for name in before} == {"lora_te_a", "lora_unet_a"}

    x = torch.randn(4, 6)
    base = model(x)
    with network:
        model(x).square().mean().backward()
        assert not torch.allclose(model(x), base)
    grads = {name: it.grad is not None for name, it in network.named_parameters()}
    assert {name.split(".")[1] for name, there in grads.items() if there} == {"lora_unet_a"}

    network.limit_norms(1e-3)
    after = network.tensors()
    moved = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"lora_unet_a"}


@pytest.mark.parametrize("kind", KINDS)
def test_tensors_taken_over_give_the_same_output(kind: str) -> None:
    model, x = Model(), torch.randn(4, 6)
    trained = random_network(model.targets(), kind)
    fresh = make_network(model.targets(), NetworkConfig(network_type=kind))
    fresh.load_tensors(trained.tensors())
    with trained:
        expected = model(x)
    with fresh:
        assert torch.equal(model(x), expected)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("kind", [*KINDS, "LoKr", "DoRA"])
def test_norms_are_limited_and_small_ones_left_alone(kind: str, layer: str) -> None:
    module = LAYERS[layer]()
    network = random_network([Target("lora_unet_a", module, "unet", 4, 2.0)], kind)
    adapter = network.adapters["lora_unet_a"]
    before = delta_weight(adapter).detach()
    network.limit_norms(float(before.norm()) * 2)
    assert torch.equal(delta_weight(adapter), before)

    network.limit_norms(0.5)
    torch.testing.assert_close(delta_weight(adapter), before * 0.5 / before.norm())


def test_limiting_norms_leaves_doras_own_norms_alone() -> None:
    """They are lengths of the layer's weight, and no factor of what is added to it."""
    network = random_network(Model().targets(), "DoRA")
    key = "lora_unet_a.dora_scale"
    before, down = network.tensors()[key].clone(), network.tensors()[DOWN].clone()
    network.limit_norms(0.1)
    assert torch.equal(network.tensors()[key], before)
    assert not torch.equal(network.tensors()[DOWN], down)


@pytest.mark.parametrize("kind", KINDS)
def test_limited_norms_are_in_the_weights_themselves(kind: str) -> None:
    """Else a run that is taken up again would not go on from the same weights."""
    network = random_network(Model().targets(), kind)
    network.limit_norms(0.5)
    named = {id(value): name for name, value in network.named_parameters()}
    saved = network.tensors()
    for parameter in network.parameters():
        key = named[id(parameter)].removeprefix("adapters.")
        assert torch.equal(saved[key], parameter), key


@pytest.mark.parametrize("kind", KINDS)
def test_norms_are_limited_without_drawing_a_random_number(kind: str) -> None:
    config = NetworkConfig(network_type=kind, rank_dropout=0.5)
    network = make_network(Model().targets(), config).train()
    before = torch.get_rng_state()
    network.limit_norms(0.5)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(adapter.training for adapter in network.adapters.values())


@pytest.mark.parametrize("name", ["network_dropout", "rank_dropout", "module_dropout"])
def test_dropout_works_in_training_only(name: str) -> None:
    layer = nn.Linear(6, 64)
    config = NetworkConfig(**{name: 0.5})
    adapter: Any = make_adapter(Target("lora_unet_a", layer, "unet", 16, 16.0), config)
    adapter.lora_up.weight.data.normal_()
    adapter.org_forward = layer.forward
    x = torch.randn(3, 6)
    torch.manual_seed(0)
    drawn = {tuple(adapter.train()(x).flatten().tolist()) for _ in range(12)}
    assert len(drawn) > 1
    assert len({tuple(adapter.eval()(x).flatten().tolist()) for _ in range(4)}) == 1


def test_adapters_are_fp32_on_a_half_precision_layer() -> None:
    layer = nn.Linear(6, 4).to(torch.bfloat16)
    network = make_network([Target("lora_unet_a", layer, "unet", 2, 2.0)], NetworkConfig())
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
    with network:
        assert layer(torch.randn(2, 6, dtype=torch.bfloat16)).dtype == torch.bfloat16


@pytest.mark.parametrize("shape", [(3, 8), (3, 5, 8)])
def test_dropped_ranks_differ_by_picture_and_are_made_up_for(shape: tuple[int, ...]) -> None:
    layer = nn.Linear(8, 6)
    adapter: Any = make_adapter(
        Target("a", layer, "unet", 4, 2.0), NetworkConfig(network_dim=4, rank_dropout=0.5)
    )
    nn.init.normal_(adapter.lora_up.weight)
    pixels = torch.randn(shape)
    torch.manual_seed(3)
    found = adapter.train()(pixels) - layer(pixels)
    torch.manual_seed(3)
    kept = (torch.rand(3, 4) > 0.5).float()
    inner = adapter.lora_down(pixels) * kept.view(3, *[1] * (len(shape) - 2), 4)
    torch.testing.assert_close(found, adapter.lora_up(inner) * (2.0 / 4) / 0.5)
    assert len({tuple(row) for row in kept.tolist()}) > 1


def test_dropout_drops_what_lies_between_down_and_up() -> None:
    layer = nn.Linear(8, 6)
    adapter: Any = make_adapter(
        Target("a", layer, "unet", 4, 4.0), NetworkConfig(network_dim=4, network_dropout=0.5)
    )
    nn.init.normal_(adapter.lora_up.weight)
    pixels = torch.randn(2, 8)
    torch.manual_seed(5)
    found = adapter.train()(pixels) - layer(pixels)
    torch.manual_seed(5)
    inner = torch.dropout(adapter.lora_down(pixels), 0.5, train=True)
    torch.testing.assert_close(found, adapter.lora_up(inner))
