"""What share of a device's matrix products a training step reaches (MFU), on random weights.

    python -m benchmarks.mfu --family sd1 sdxl --precision bf16 --resolution 768 --batch 2

The arithmetic of a step (matrix products, convolutions, attention; for a LoRA a little more than
twice the forward pass) is counted by torch on tensors without contents and without checkpointing:
what is computed twice to save memory does not count. It is held against the speed of a large
matrix product, measured on the same device just before. Run it from the repository's root.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.cases import Case, device, now, tell
from benchmarks.memory import count
from benchmarks.train import DTYPES, measure_apart

STEPS, ROUNDS = 3, 10
"""That `count` goes through; matrix products that are timed."""
CPU_ATTENTION = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
CPU_ATTENTION_BACKWARD = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward
Shape = Sequence[int]
SIDES = {"cuda": 8192, "cpu": 2048}
HEADER = " s/step  TFLOP a step  TFLOP/s at most   MFU"


@dataclass(frozen=True)
class Reached:
    """Of one step."""

    seconds_per_step: float
    flops: int
    flops_per_second: float
    """What a matrix product on the same device reaches."""
    mfu: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure every combination; a table, or JSON Lines with --json."""
    tell("benchmarks.mfu", __doc__, reached, HEADER, row, arguments)


def reached(case: Case) -> Reached:
    """The arithmetic of a step, and the time that it takes in a process of its own."""
    flops, most = step_flops(case), matrix_speed(DTYPES[case.precision])
    seconds = measure_apart(case).seconds_per_step
    return Reached(seconds, flops, most, flops / seconds / most)


def step_flops(case: Case) -> int:
    """Floating-point operations of one step, two for a multiplication with its addition."""
    mapping = {CPU_ATTENTION: attention_flops, CPU_ATTENTION_BACKWARD: attention_backward_flops}
    counter = FlopCounterMode(display=False, custom_mapping=mapping)
    count(replace(case, checkpointing="off"), counter)
    return int(counter.get_total_flops() // STEPS)


def attention_flops(query: Shape, key: Shape, value: Shape, *_: Any, **__: Any) -> int:
    """Of two products of matrices a head; shapes are [B, heads, tokens, channels]."""
    batch, heads, tokens, channels = query
    return 2 * batch * heads * tokens * key[2] * (channels + value[3])


def attention_backward_flops(_: Shape, *shapes: Shape, **__: Any) -> int:
    """Twice as many, as of any product; what is computed again does not count."""
    return 2 * attention_flops(*shapes[:3])


def matrix_speed(dtype: torch.dtype) -> float:
    """Floating-point operations a second of a large product of square matrices, at best."""
    side = SIDES[device()]
    one = torch.randn(side, side, device=device(), dtype=dtype)
    times = []
    for _ in range(ROUNDS):
        began = now()
        one @ one
        times.append(now() - began)
    return float(2 * side**3 / min(times))


def row(found: Reached) -> str:
    """What stands below HEADER."""
    return (
        f"{found.seconds_per_step:7.3f}  {found.flops / 1e12:12.3f}"
        f"  {found.flops_per_second / 1e12:15.3f}  {found.mfu:5.2f}"
    )


if __name__ == "__main__":
    main()
