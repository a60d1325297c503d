"""The loop on disk: all of it comes back, and only for the run that it belongs to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from lib_lora_cook.config import NetworkConfig, OptimizerConfig
from lib_lora_cook.errors import UserError
from lib_lora_cook.networks.attach import make_network
from lib_lora_cook.networks.targets import Target
from lib_lora_cook.training.optimizers import make_optimizer
from lib_lora_cook.training.state import Loop, load_loop, save_loop

SETTINGS = "these settings"


def same(identity: str) -> None:
    if identity != SETTINGS:
        raise UserError("other settings")


def other(identity: str) -> None:
    assert identity == SETTINGS
    raise UserError("other settings")


OPTIMIZERS = {
    "AdamW": ["weight_decay=0.1", "betas=[0.9,0.99]"],
    "Prodigy": ["decouple=True", "use_bias_correction=True", "safeguard_warmup=True", "d_coef=2"],
    "SGDNesterov": [],
    "Adafactor": ["relative_step=False", "scale_parameter=False", "warmup_init=False"],
}


def some_loop(optimizer: str = "AdamW", steps: int = 0) -> Loop:
    torch.manual_seed(0)
    layer = nn.Linear(6, 6)
    network = make_network([Target("lora_unet_a", layer, "unet", 3, 2.0)], NetworkConfig())
    config = OptimizerConfig(
        optimizer_type=optimizer, optimizer_args=OPTIMIZERS[optimizer], learning_rate=0.5
    )
    groups: list[dict[str, Any]] = [
        {"name": "unet", "lr": 0.5, "params": list(network.parameters())}
    ]
    made = make_optimizer(config, groups, "cpu", lambda message: None)
    loop = Loop(network, made, torch.amp.GradScaler("cpu", enabled=True))
    go_on(loop, steps)
    return loop


def go_on(loop: Loop, steps: int) -> None:
    for _ in range(steps):
        x = torch.randn(8, 6, generator=torch.Generator().manual_seed(loop.step))
        adapter: Any = loop.network.adapters["lora_unet_a"]
        loss = (adapter.lora_up(adapter.lora_down(x)) - x).square().mean()
        loop.optimizer.zero_grad()
        loss.backward()
        loop.optimizer.step()
        loop.step += 1


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_loop_taken_up_again_ends_in_the_same_tensors(tmp_path: Path, optimizer: str) -> None:
    straight = some_loop(optimizer, steps=7)
    stopped = some_loop(optimizer, steps=3)
    stopped.epoch, stopped.batch, stopped.ended, stopped.refused = 2, 5, 2, 1
    stopped.scaler.load_state_dict({**stopped.scaler.state_dict(), "scale": 128.0})
    save_loop(stopped, tmp_path / "a.state", SETTINGS)

    fresh = some_loop(optimizer)
    load_loop(fresh, tmp_path / "a.state", same)
    assert (fresh.step, fresh.epoch, fresh.batch, fresh.ended, fresh.refused) == (3, 2, 5, 2, 1)
    assert fresh.scaler.get_scale() == 128.0
    go_on(fresh, 4)
    for name, value in straight.network.tensors().items():
        assert torch.equal(fresh.network.tensors()[name], value), name


def test_another_run_s_state_is_refused_and_nothing_taken_over(tmp_path: Path) -> None:
    save_loop(some_loop(steps=3), tmp_path / "a.state", SETTINGS)
    fresh = some_loop()
    before = {name: value.clone() for name, value in fresh.network.tensors().items()}
    with pytest.raises(UserError, match="other settings"):
        load_loop(fresh, tmp_path / "a.state", other)
    assert fresh.step == 0
    assert all(torch.equal(fresh.network.tensors()[name], it) for name, it in before.items())


@pytest.mark.parametrize("how", ["empty", "text", "half", "end", "zip", "dict", "folder", "pickle"])
def test_a_broken_state_is_refused(tmp_path: Path, how: str) -> None:
    path = tmp_path / "a.state"
    save_loop(some_loop(steps=3), path, SETTINGS)
    whole = path.read_bytes()
    if how == "folder":
        path.unlink()
        path.mkdir()
    elif how == "dict":
        torch.save({"network": {}}, path)
    elif how == "pickle":
        torch.save(["a", "list"], path)
    else:
        data = {"empty": b"", "text": b"no state", "half": whole[: len(whole) // 2],
                "end": whole[:-30], "zip": b"PK\x03\x04" + bytes(60)}[how]  # fmt: skip
        path.write_bytes(data)
    with pytest.raises(UserError, match="cannot be read") as caught:
        load_loop(some_loop(), path, same)
    assert "a.state" in str(caught.value)


def test_a_state_names_no_code_to_run(tmp_path: Path) -> None:
    """Else a file from a stranger could run anything on loading."""

    class Evil:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return Path.touch, (tmp_path / "touched",)  # type: ignore[return-value]

    torch.save({"identity": SETTINGS, "network": Evil()}, tmp_path / "a.state")
    with pytest.raises(UserError, match="cannot be read"):
        load_loop(some_loop(), tmp_path / "a.state", same)
    assert not (tmp_path / "touched").exists()


def test_a_loop_that_is_broken_leaves_the_good_state(tmp_path: Path) -> None:
    path = tmp_path / "a.state"
    save_loop(some_loop(steps=3), path, SETTINGS)
    before, broken = path.read_bytes(), some_loop(steps=4)
    next(iter(broken.network.parameters())).data[0, 0] = float("nan")
    with pytest.raises(UserError, match="no finite numbers"):
        save_loop(broken, path, SETTINGS)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
