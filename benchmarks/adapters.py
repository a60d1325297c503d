"""Adapters of single layers beside LyCORIS' own in the same process. Never a timed test.

    python -m benchmarks.adapters --json

Layers of SD1.5 as they are met at 256 pixels and batch 2: seconds of a forward and a backward pass
of the layer alone, with our adapter and with LyCORIS', in turn; the median of the rounds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from lycoris.modules.locon import LoConModule
from lycoris.modules.loha import LohaModule
from torch import nn

from lib_lora_cook.networks.adapters import Hadamard, LowRank

LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], int]] = {
    "ff 320>2560, 1024 tokens": (lambda: nn.Linear(320, 2560), (2, 1024, 320), 16),
    "ff 1280>10240, 16 tokens": (lambda: nn.Linear(1280, 10240), (2, 16, 1280), 16),
    "to_q 640>640, 256 tokens": (lambda: nn.Linear(640, 640), (2, 256, 640), 16),
    "conv 320>320, 32 x 32": (lambda: nn.Conv2d(320, 320, 3, padding=1), (2, 320, 32, 32), 8),
    "conv 1280>1280, 8 x 8": (lambda: nn.Conv2d(1280, 1280, 3, padding=1), (2, 1280, 8, 8), 8),
}
"""Name -> how it is made, its input's shape, the adapter's dim."""
KINDS: dict[str, tuple[Any, Any]] = {
    "LoRA, LoCon": (LowRank, LoConModule),
    "LoHa": (Hadamard, LohaModule),
}
"""Ours and LyCORIS', which rebuilds the whole weight by default."""


def main(arguments: Sequence[str] | None = None) -> None:
    """A row a layer and kind."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.adapters", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--bf16", action="store_true", help="under autocast, on bf16 layers")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args(arguments)
    for name in LAYERS:
        for kind in KINDS:
            alone, ours, theirs = measure(name, kind, options.rounds, bf16=options.bf16)
            found = {"layer": name, "kind": kind, "alone": alone, "ours": ours, "lycoris": theirs}
            print(json.dumps(found) if options.json else row(found), flush=True)


def measure(name: str, kind: str, rounds: int, *, bf16: bool) -> tuple[float, ...]:
    """Median seconds of the layer alone, with our adapter, with LyCORIS'."""
    make, shape, dim = LAYERS[name]
    torch.manual_seed(0)
    layer = make().requires_grad_(False).to(torch.bfloat16 if bf16 else torch.float32)
    own, other = KINDS[kind]
    runs = [
        layer,
        own("a", layer, 1.0, dim, dim / 2, bypass_mode=own is LowRank).train(),
        other("b", layer, 1.0, dim, dim / 2, bypass_mode=False).train(),
    ]
    times: list[list[float]] = [[] for _ in runs]
    for _ in range(rounds + 1):  # The first one warms up.
        for run, took in zip(runs, times, strict=True):
            took.append(seconds(run, torch.randn(shape), bf16))
    return tuple(statistics.median(took[1:]) for took in times)


def seconds(run: Any, x: torch.Tensor, bf16: bool) -> float:
    """One forward and backward pass."""
    x = x.to(torch.bfloat16 if bf16 else torch.float32).requires_grad_()
    began = time.perf_counter()
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        y = run(x)
    y.backward(torch.ones_like(y))
    return time.perf_counter() - began


def row(found: dict[str, Any]) -> str:
    """One line of the table."""
    return (
        f"{found['layer']:26} {found['kind']:11} alone {found['alone'] * 1e3:7.1f} ms  "
        f"ours {found['ours'] * 1e3:7.1f}  LyCORIS {found['lycoris'] * 1e3:7.1f}  "
        f"{found['ours'] / found['lycoris']:.2f} of it"
    )


if __name__ == "__main__":
    main()
