"""Several weights in one batch, in a host that encodes each prompt once and keeps the result."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lib_lora_cook.config import NetworkConfig
from lib_lora_cook.hosts.base import GenerateRequest
from lib_lora_cook.hosts.dressed import PIXELS, batches, encode_apart
from lib_lora_cook.networks.attach import Network, make_network
from lib_lora_cook.networks.targets import Target
from lib_lora_cook.networks.wardrobe import LoraWardrobe, Outfit

LORA = Path("a.safetensors")


def parts(
    prompts: Sequence[str], weights: Sequence[float] | None, size: int = 64
) -> list[tuple[int, int]]:
    request = GenerateRequest(tuple(prompts), tuple(range(len(prompts))), width=size, height=size)
    return [(it.start, it.stop) for it in batches(request, weights, 512)]


def test_all_that_fits_is_drawn_at_once_whatever_its_weight() -> None:
    assert parts(["a"] * 12, [0.5] * 6 + [1.0] * 6) == [(0, 12)]
    assert parts(["a"] * 12, None) == [(0, 12)]
    side = 1024
    assert PIXELS // side**2 == 2
    assert parts(["a"] * 5, [0.5, 0.6, 0.7, 0.8, 0.9], side) == [(0, 2), (2, 4), (4, 5)]
    assert parts(["a"] * 2, None, 4096) == [(0, 1), (1, 2)]
    bare = GenerateRequest(("a",) * 3, (1, 2, 3))
    assert [(it.start, it.stop) for it in batches(bare, None, 1024)] == [(0, 2), (2, 3)]


def test_a_picture_that_is_several_in_the_batch_is_drawn_with_its_own_weight_only() -> None:
    prompts = ["a AND b", "a", "a", "a"]
    assert parts(prompts, [0.5, 0.5, 1.0, 1.0]) == [(0, 2), (2, 4)]
    assert parts(prompts, None) == [(0, 4)]
    assert parts(["SANDY beach"] * 2, [0.5, 1.0]) == [(0, 2)]


class Task:
    """A host's task: prompts are encoded once each, and what is known of them is kept."""

    known: dict[str, Tensor] = {}  # noqa: RUF012

    def __init__(self, text: nn.Module, prompts: Sequence[str], negative: Sequence[str]) -> None:
        self.text, self.prompts, self.negative_prompts = text, list(prompts), list(negative)
        self.c: Any = None
        self.uc: Any = None

    def encode(self, prompt: str) -> Tensor:
        if prompt not in self.known:
            value: Tensor = self.text(torch.full((1, 4), float(len(prompt))))
            self.known[prompt] = value.detach()
        return self.known[prompt]

    def setup_conds(self) -> None:
        class Told:
            def __init__(self, shape: tuple[int], batch: list[Any]) -> None:
                self.shape, self.batch = shape, batch

        self.c = Told((len(self.prompts),), [self.encode(it) for it in self.prompts])
        self.uc = [self.encode(it) for it in self.negative_prompts]


@pytest.fixture
def text() -> nn.Linear:
    torch.manual_seed(1)
    return nn.Linear(4, 4)


@pytest.fixture
def wardrobe(text: nn.Linear) -> LoraWardrobe:
    Task.known.clear()
    network: Network = make_network(
        [Target("lora_te_text", text, "te", 2, 2.0)],
        NetworkConfig(network_type="LoRA", network_dim=2),
    )
    adapter: Any = network.adapters["lora_te_text"]
    nn.init.normal_(adapter.lora_up.weight)
    return LoraWardrobe({LORA: Outfit(network, list(network.parameters()))})


def test_each_picture_is_told_what_its_weight_makes_of_the_prompt(
    text: nn.Linear, wardrobe: LoraWardrobe
) -> None:
    prompts, weights = ["star", "star", "moonlight", "star"], [0.5, 1.0, 0.5, 0.0]
    alone = []
    for prompt, weight in zip(prompts, weights, strict=True):
        wardrobe.wear(LORA, weight)
        alone.append([text(torch.full((1, 4), float(len(it)))) for it in (prompt, "bad")])
    Task.known["star"] = torch.zeros(1, 4)  # of an earlier picture
    wardrobe.wear(LORA, weights)
    task = Task(text, prompts, ["bad"] * 4)
    encode_apart(task, wardrobe, Task.known.clear)
    task.setup_conds()
    assert task.c.shape == (4,)
    for place, (prompt, negative) in enumerate(alone):
        assert torch.allclose(task.c.batch[place], prompt, atol=1e-6)
        assert torch.allclose(task.uc[place], negative, atol=1e-6)
    assert (task.prompts, task.negative_prompts) == (prompts, ["bad"] * 4)
    assert wardrobe.worn == (LORA, weights), "the UNet comes next"
    assert Task.known == {}, "no later picture is told what these were"
    batch = torch.ones(8, 4)
    worn = text(batch)
    wardrobe.wear(None, 0.0)
    assert torch.equal(worn[3], text(batch)[3]) and torch.equal(worn[7], text(batch)[7])
    assert not torch.equal(worn[0], worn[1])
    assert torch.equal(worn[:4], worn[4:])


def test_one_weight_is_encoded_as_the_host_does(text: nn.Linear, wardrobe: LoraWardrobe) -> None:
    wardrobe.wear(LORA, 1.0)
    task = Task(text, ["star"], ["bad"])
    encode_apart(task, wardrobe, lambda: pytest.fail("nothing is to be forgotten"))
    assert "setup_conds" not in vars(task)
    encode_apart(SimpleNamespace(setup_conds=None), LoraWardrobe({}), Task.known.clear)


def test_where_nothing_is_to_be_kept_out_nothing_is_encoded_for_it(
    text: nn.Linear, wardrobe: LoraWardrobe
) -> None:
    class Unguided(Task):
        """Forge's, at a CFG scale of 1."""

        def setup_conds(self) -> None:
            super().setup_conds()
            self.uc = None

    wardrobe.wear(LORA, [0.5, 1.0])
    task = Unguided(text, ["star", "star"], ["", ""])
    encode_apart(task, wardrobe, Task.known.clear)
    task.setup_conds()
    assert task.uc is None and len(task.c.batch) == 2
