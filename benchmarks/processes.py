"""One run by one process and by two on a CPU: seconds a step, memory, and how equal they are.

    python -m benchmarks.processes --size toy true --json

Every run is `lora-cook train` as torchrun starts it, on the same random model and pictures, with
the same effective batch. Never a timed test. Run it from the repository's root: it shares the
tests' models.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import torch

from lib_lora_cook.networks.weights import read_file

CREWS = ((1, 2), (1, 1), (2, 1))
"""(processes, threads of each)"""
SIDES = {"toy": 64, "true": 256}


@dataclass(frozen=True)
class Measured:
    """One run."""

    size: str
    processes: int
    threads: int
    seconds_per_step: float
    """The median, the first two left out: other processes' pictures are waited for in them."""
    peak_bytes: int
    """Of the largest process; weights that are read from one file are counted in each."""
    loss_off: float
    """The most that a step's loss differs from the first run's, as a share of it."""
    learnt_off: float
    """The norm of the difference to the first run's `lora_up` weights, which begin at 0, as a share
    of their norm."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure every size and crew; a line each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.processes", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--size", nargs="+", choices=tuple(SIDES), default=["toy"])
    parser.add_argument("--batch", type=int, default=2, help="pictures of a whole step")
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--folder", help="where models and pictures are kept for the next time")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(options.folder or temporary)
        for size in options.size:
            prepare(size, folder)
            for found in measure(size, options.batch, options.steps, folder):
                print(json.dumps(asdict(found)) if options.json else row(found), flush=True)


def prepare(size: str, folder: Path) -> None:
    """The model and the pictures, where they are not there yet."""
    from tests import tiny_models

    from .true_size import write_model, write_pictures

    name = model_name(size)
    if not (folder / name).is_dir():
        if size == "true":
            write_model(name, folder / name)
        else:
            tiny_models.save(tiny_models.tiny_sd1(folder), folder / name)
    write_pictures(folder / f"pictures-{SIDES[size]}-8", SIDES[size], 8)


def model_name(size: str) -> str:
    """The model's folder."""
    return "sd1" if size == "true" else "tiny"


def measure(size: str, batch: int, steps: int, folder: Path) -> list[Measured]:
    """The same run by every crew; the first is what the others are compared with."""
    runs = []
    for processes, threads in CREWS:
        name = f"{size}-{processes}x{threads}"
        run = write_run(name, size, batch, steps, folder)
        times, losses, peak = timed(run, processes, threads)
        tensors = read_file(folder / "out" / f"{name}.safetensors")[0]
        learnt = torch.cat([it.flatten() for key, it in tensors.items() if "lora_up" in key])
        runs.append((processes, threads, times, peak, losses, learnt))
    losses, first = runs[0][4], runs[0][5]
    found = []
    for processes, threads, times, peak, own, learnt in runs:
        off = max(abs(a - b) / b for a, b in zip(own, losses, strict=True))
        gap = float((learnt - first).norm() / first.norm())
        each = statistics.median(after - before for before, after in pairwise(times[1:]))
        found.append(Measured(size, processes, threads, each, peak, off, gap))
    return found


def write_run(name: str, size: str, batch: int, steps: int, folder: Path) -> Path:
    """The run file; its files from an earlier call are removed."""
    for old in (folder / "out").glob(f"{name}*"):
        old.unlink()
    table = {
        "version": 1, "pretrained_model_name_or_path": str(folder / model_name(size)),
        "output_dir": str(folder / "out"), "output_name": name, "network_dim": 16,
        "network_alpha": 8, "resolution": SIDES[size], "train_batch_size": batch,
        "max_train_steps": steps, "unet_lr": 5e-4, "text_encoder_lr": 1e-4, "clip_skip": 2,
        "optimizer_type": "AdamW", "max_token_length": 75, "mixed_precision": "no", "seed": 42,
        "save_precision": "float",
    }  # fmt: skip
    pictures = folder / f"pictures-{SIDES[size]}-8"
    lines = [f"{key} = {json.dumps(value)}" for key, value in table.items()]
    lines += ["[[subsets]]", f"image_dir = {json.dumps(str(pictures))}", "num_repeats = 1"]
    run = folder / f"{name}.toml"
    run.write_text("\n".join(lines), encoding="utf-8")
    return run


def timed(run: Path, processes: int, threads: int) -> tuple[list[float], list[float], int]:
    """When each step was told to be done, its loss, and the most memory of a process."""
    events = run.with_suffix(".events")
    events.unlink(missing_ok=True)
    command = [
        sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", str(processes), "-m",
        "lib_lora_cook", "train", str(run), "--json", "--events", str(events),
    ]  # fmt: skip
    home = {"OMP_NUM_THREADS": str(threads), "LORA_COOK_HOME": str(run.parent / "home"),
            "CUDA_VISIBLE_DEVICES": ""}  # fmt: skip
    times: list[float] = []
    losses: list[float] = []
    with subprocess.Popen(command, env={**os.environ, **home}, stdout=subprocess.DEVNULL) as going:
        while True:
            ended, status, usage = os.wait4(going.pid, os.WNOHANG)
            losses = losses_in(events)
            times += [time.monotonic()] * (len(losses) - len(times))
            if ended:
                going.returncode = os.waitstatus_to_exitcode(status)
                break
            time.sleep(0.002)
    if going.returncode:
        raise SystemExit(f"{run} failed")
    return times, losses, usage.ru_maxrss * 1024


def losses_in(events: Path) -> list[float]:
    """The losses told so far."""
    if not events.is_file():
        return []
    whole = events.read_text(encoding="utf-8").rpartition("\n")[0].splitlines()
    return [it["loss"] for it in map(json.loads, whole) if it["event"] == "Step"]


def row(it: Measured) -> str:
    """One line of the table."""
    return (
        f"{it.size:5} {it.processes} x {it.threads}  {it.seconds_per_step:8.3f} s a step  "
        f"{it.peak_bytes >> 20:6} MiB  losses off {it.loss_off:.1e}, learnt {it.learnt_off:.1e}"
    )


if __name__ == "__main__":
    main()
