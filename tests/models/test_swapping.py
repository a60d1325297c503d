"""Transformer blocks that wait elsewhere, and come for each of their calls."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from lib_lora_cook.config import ModelConfig
from lib_lora_cook.hosts.standalone import StandaloneHost
from lib_lora_cook.models import swapping
from lib_lora_cook.models.diffusers import DiffusersModel
from lib_lora_cook.models.ldm import LdmModel
from lib_lora_cook.models.swapping import blocks_of, spread
from tests.models.shelf import Shelf
from tests.models.test_ldm import gradient_of_first_adapter, parts
from tests.tiny_models import tiny_sdxl
from tests.tiny_runs import cook_tiny, tiny_run


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Shelf:
    return Shelf(monkeypatch)


def test_blocks_come_in_the_order_of_their_calls_and_evenly(tmp_path: Path) -> None:
    unet = tiny_sdxl(tmp_path).unet
    called: list[nn.Module] = []
    everything = blocks_of(unet)
    for block in everything:
        block.register_forward_hook(lambda module, *_: called.append(module))
    added = {"text_embeds": torch.zeros(1, 16), "time_ids": torch.zeros(1, 6)}
    width = unet.config.cross_attention_dim
    unet(torch.zeros(1, 4, 8, 8), 1, torch.zeros(1, 5, width), added_cond_kwargs=added)
    assert called == everything and len(everything) > 3
    half = spread(everything, len(everything) // 2)
    places = [everything.index(it) for it in half]
    assert len(half) == len(everything) // 2 and places == sorted(set(places))
    assert spread(everything, 0) == [] and spread(everything, 70) == everything


@pytest.mark.parametrize("network", ["LoRA", "LoHa", "LoKr"])
def test_a_run_ends_in_the_same_bits(
    tmp_path: Path, sd1_folder: Path, shelf: Shelf, network: str
) -> None:
    settings = {"network_type": network, "gradient_checkpointing": True, "max_train_epochs": 1}
    plain = tiny_run(tmp_path, sd1_folder, output_name="plain", **settings)
    without = cook_tiny(plain, StandaloneHost(tmp_path / "home"))
    config = tiny_run(tmp_path, sd1_folder, output_name="swapped", blocks_to_swap=3, **settings)
    host = StandaloneHost(tmp_path / "home")
    model = DiffusersModel(host.load(config.model, "no"), config.model)
    for block in model.swapped:
        shelf.put_away(block)
    swapped = cook_tiny(config, host)
    assert len(model.swapped) == 3 and shelf.copies > 0
    assert swapped.losses == without.losses
    one, other = (it.cooked.loras[-1].read_bytes() for it in (swapped, without))
    assert one[-4096:] == other[-4096:]


def test_a_lent_model_trains_the_same_and_keeps_its_own_weights(shelf: Shelf) -> None:
    with LdmModel(parts(), ModelConfig()) as plain:
        plain.train(checkpointing=True)
        expected = gradient_of_first_adapter(plain)
    lent = parts(blocks_to_swap=70)
    blocks = blocks_of(lent.unet)
    assert lent.swapped == blocks
    before = [(it, it.data_ptr()) for block in blocks for it in block.parameters()]
    with LdmModel(lent, ModelConfig()) as model:
        model.train(checkpointing=True)
        for block in blocks:
            shelf.put_away(block)
        assert torch.equal(gradient_of_first_adapter(model), expected)
        each = len(list(blocks[0].parameters()))
        sent = 2 * len(blocks) + 1
        assert shelf.copies == sent * each, "forward, again in the backward pass, and one ahead"
        assert (shelf.most, shelf.alive) == (2 * each, each), "the block that computes and the next"
    assert not any("forward" in vars(it) for it in lent.unet.modules())
    assert [it for block in blocks for it in block.parameters()] == [it for it, _ in before]


def test_an_error_in_a_block_leaves_its_own_weights_in_place(shelf: Shelf) -> None:
    lent = parts(blocks_to_swap=1)
    (block,) = lent.swapped
    before = list(block.parameters())
    shelf.put_away(block)
    with pytest.raises(RuntimeError, match="shape"), LdmModel(lent, ModelConfig()):
        block(torch.ones(1, 4, 5), torch.ones(1, 77, 16))
    assert all(it is other for it, other in zip(before, block.parameters(), strict=True))
    assert "forward" not in vars(block)


def test_the_next_block_is_sent_for_while_one_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = SimpleNamespace(wait_stream=lambda other: None)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda side: nullcontext())
    monkeypatch.setattr(swapping, "is_away", lambda block, device: True)
    blocks = [nn.Sequential(nn.Linear(2, 2)) for _ in range(4)]
    expected = [block(torch.ones(2)) for block in blocks]
    swaps = swapping.Swapping(blocks, torch.device("cpu"))
    swaps.side, sent, send = stream, [], swaps._send  # type: ignore[assignment]

    def noted(place: int) -> list[Tensor]:
        sent.append(place)
        return send(place)

    monkeypatch.setattr(swaps, "_send", noted)
    swaps.put_on()
    for place in (0, 1, 2, 3, 3, 2, 1, 0, 0, 1):
        assert torch.equal(blocks[place](torch.ones(2)), expected[place])
    swaps.take_off()
    assert sent == [0, 1, 2, 3, 3, 2, 1, 0, 0, 1, 2], "but for the first, one ahead of the calls"
