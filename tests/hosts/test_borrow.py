"""Borrowed state comes back, whatever happens inside."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from lib_lora_cook.errors import UserError
from lib_lora_cook.hosts import borrow, refuse
from tests.hosts.standins.webui import OnceLock


def test_a_lock_that_is_not_re_entrant_is_taken_once() -> None:
    theirs = OnceLock()
    ours = borrow.QueueLock(theirs)
    with ours, ours:
        assert ours.held
        other: list[bool] = []
        thread = threading.Thread(target=lambda: other.append(ours.held))
        thread.start()
        thread.join()
        assert other == [False]
    assert (ours.held, theirs.owner) == (False, 0)


def spoilt_module() -> nn.Module:
    """Two layers that share a weight, all made under inference_mode."""
    with torch.inference_mode():
        made = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2), nn.BatchNorm1d(2))
        made[1].weight = made[0].weight
    return made


def test_inference_tensors_become_ordinary_ones_of_the_same_memory() -> None:
    module = spoilt_module()
    before = dict(module.named_parameters())
    places = {name: weight.data_ptr() for name, weight in before.items()}
    with borrow.NormalTensors([module]):
        now = dict(module.named_parameters())
        assert {name: weight.data_ptr() for name, weight in now.items()} == places
        assert not any(borrow.is_spoilt(it) for it in (*module.parameters(), *module.buffers()))
        assert module[1].weight is module[0].weight
        module[0](torch.ones(1, 2)).sum().backward()
    assert all(dict(module.named_parameters())[name] is it for name, it in before.items())


def test_what_the_host_has_moved_since_stays_where_it_is() -> None:
    module = spoilt_module()
    with borrow.NormalTensors([module]) as tensors:
        with torch.inference_mode():
            module[0].weight = nn.Parameter(torch.full((2, 2), 7.0))
        tensors.renew()
        assert not borrow.is_spoilt(module[0].weight)
    assert module[0].weight.eq(7).all()


def test_attributes_lists_and_files_are_put_back_after_an_error(tmp_path: Path) -> None:
    owner, items, path = SimpleNamespace(value=1), [1, 2], tmp_path / "kept"
    path.write_text("before")
    with (
        pytest.raises(ZeroDivisionError), borrow.swapped(owner, "value", 2),
        borrow.emptied(items), borrow.kept_file(path), borrow.kept_file(tmp_path / "new"),
    ):  # fmt: skip
        assert (owner.value, items) == (2, [])
        path.write_text("inside")
        (tmp_path / "new").write_text("inside")
        raise ZeroDivisionError
    assert (owner.value, items, path.read_text()) == (1, [1, 2], "before")
    assert not (tmp_path / "new").exists()


def test_a_class_that_inherits_a_method_inherits_it_again() -> None:
    class Child(nn.Linear):
        pass

    with borrow.swapped(Child, "forward", lambda self, x: x):
        assert "forward" in vars(Child)
    assert "forward" not in vars(Child)


def test_frozen_weights_learn_again_afterwards() -> None:
    module = nn.Linear(2, 2)
    module.bias.requires_grad_(False)
    module.train()
    with borrow.kept_flags([module]):
        assert not any(it.requires_grad for it in module.parameters())
        module.eval()
    assert (module.weight.requires_grad, module.bias.requires_grad) == (True, False)
    assert module.training


@pytest.mark.parametrize("asked", ["", "host", "toy", "toy.safetensors", "/a/toy.safetensors"])
def test_the_loaded_checkpoint_may_be_named(asked: str) -> None:
    refuse.refuse_other_checkpoint(asked, ["/models/toy.safetensors", "toy [abc]"])


def test_what_cannot_be_trained_is_refused_in_words() -> None:
    with pytest.raises(UserError, match="another checkpoint"):
        refuse.refuse_other_checkpoint("other", ["/models/toy.safetensors"])
    with pytest.raises(UserError, match="float8_e4m3fn"):
        small = nn.Linear(2, 2)
        small.weight.data = small.weight.data.to(torch.float8_e4m3fn)
        refuse.refuse_quantised([small])
    with pytest.raises(UserError, match="on meta"):
        refuse.refuse_elsewhere([nn.Linear(2, 2, device="meta")], torch.device("cpu"))
    with pytest.raises(UserError, match="9 channels"):
        wide = SimpleNamespace(input_blocks=[[nn.Conv2d(9, 4, 1)]])
        refuse.refuse_inpainting(wide)
