"""Two processes train what one trains, and what one leaves behind the other can go on from."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from lib_lora_cook.config_file import run_text
from lib_lora_cook.networks.weights import read_file
from tests.tiny_runs import Meal, cook_tiny, snapshot, tiny_run

WAIT = 400
"""Seconds until a test gives up on a process."""
UNEVEN = {
    "train_batch_size": 3, "gradient_accumulation_steps": 2, "save_precision": "float",
    "network_type": "LoHa", "module_dropout": 0.1, "clip_skip": 2, "unet_lr": 0.05,
    "text_encoder_lr": 0.05, "shuffle_caption": True, "flip_aug": True,
    "optimizer_type": "SGDNesterov",
}  # fmt: skip
"""Five pictures of four shapes: batches of one row and of two for two processes. SGD, because Adam
takes whole steps by gradients that are rounding alone."""


def start(run: Path, home: Path, *words: str) -> list[subprocess.Popen[str]]:
    """The run by two processes, as torchrun starts them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = {**os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2",
              "LORA_COOK_HOME": str(home), "CUDA_VISIBLE_DEVICES": ""}  # fmt: skip
    command = [sys.executable, "-m", "lib_lora_cook", "train", str(run), "--json", *words]
    return [
        subprocess.Popen(
            command, env={**shared, "RANK": str(rank)}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for rank in range(2)
    ]  # fmt: skip


def written(folder: Path, config: Any) -> Path:
    path = folder / "run.toml"
    path.write_text(run_text(config), encoding="utf-8")
    return path


def losses_of(events: Path) -> list[float]:
    lines = [json.loads(line) for line in events.read_text(encoding="utf-8").splitlines()]
    return [it["loss"] for it in lines if it["event"] == "Step"]


def assert_near(one: Path, two: Path) -> None:
    first, second = read_file(one)[0], read_file(two)[0]
    assert first.keys() == second.keys()
    off = torch.stack([(first[key] - second[key]).norm() for key in first]).norm()
    assert off < 1e-4 * torch.stack([it.norm() for it in second.values()]).norm()


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, sd1_folder: Path) -> Meal:
    """The run by one process."""
    from lib_lora_cook.hosts.standalone import StandaloneHost

    folder = tmp_path_factory.mktemp("alone")
    return cook_tiny(tiny_run(folder, sd1_folder, **UNEVEN), StandaloneHost(folder / "home"))


@pytest.mark.slow
def test_two_processes_come_to_the_same_losses_and_files(
    tmp_path: Path, sd1_folder: Path, alone: Meal
) -> None:
    run = written(tmp_path, tiny_run(tmp_path, sd1_folder, **UNEVEN))
    both = start(run, tmp_path / "home", "--events", str(tmp_path / "events"))
    told = [it.communicate(timeout=WAIT) for it in both]
    assert [it.returncode for it in both] == [0, 0], told
    result = json.loads(told[0][0])
    assert told[1] == ("", "")
    assert result["steps"] == alone.cooked.steps
    assert losses_of(tmp_path / "events") == pytest.approx(alone.losses, rel=1e-4)
    names = [Path(it).name for it in result["loras"]]
    assert names == [it.name for it in alone.cooked.loras]
    for name, other in zip(result["loras"], alone.cooked.loras, strict=True):
        assert_near(Path(name), other)
    here, there = snapshot(tmp_path / "loras"), snapshot(alone.cooked.loras[0].parent)
    assert here.keys() == there.keys()
    assert len(list((tmp_path / "home" / "cache" / "latents").rglob("*.safetensors"))) == 10


@pytest.mark.slow
def test_where_one_dies_the_other_keeps_a_state_to_go_on_from(
    tmp_path: Path, sd1_folder: Path, alone: Meal, host: Any
) -> None:
    config = tiny_run(tmp_path, sd1_folder, **UNEVEN, save_state_every_n_steps=1)
    events = tmp_path / "events"
    leader, other = start(written(tmp_path, config), tmp_path / "home", "--events", str(events))
    until = time.monotonic() + WAIT
    while time.monotonic() < until and not (events.is_file() and losses_of(events)):
        time.sleep(0.01)
    other.kill()
    other.communicate(timeout=WAIT)
    _, said = leader.communicate(timeout=WAIT)
    done = len(losses_of(events))
    assert 0 < done < alone.cooked.steps
    assert leader.returncode == 2
    assert "Another process of this run has ended" in said
    resumed = cook_tiny(config, host, resume=True)
    assert resumed.losses == pytest.approx(alone.losses[done:], rel=1e-4)
    assert_near(resumed.cooked.loras[-1], alone.cooked.loras[-1])
