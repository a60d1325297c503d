"""The arithmetic of a run: repeats, batches, epochs, steps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ..config import LoopConfig

EPOCHS = 10
GUIDE = ((20, 200), (100, 300), (400, 400))
"""(pictures, pictures x repeats) in the guide's rows at 10 epochs; beyond them, all once."""


@dataclass(frozen=True)
class Plan:
    """Repeats of each subset, pictures an epoch with repeats (the guide's T), epochs, steps."""

    num_repeats: tuple[int, ...]
    total: int
    epochs: int
    steps: int


def batches_per_epoch(counts_per_bucket: Mapping[Any, int], batch_size: int) -> int:
    """Batches of one epoch: no batch mixes buckets, and each bucket's last may be short."""
    return sum(math.ceil(count / batch_size) for count in counts_per_bucket.values())


def steps_of(batches_per_epoch: int, config: LoopConfig) -> tuple[int, int]:
    """(steps, epochs) of the run; max_train_epochs comes first. (0, 0) without a picture."""
    per_epoch = math.ceil(batches_per_epoch / config.gradient_accumulation_steps)
    if not per_epoch:
        return 0, 0
    if config.max_train_epochs is not None:
        return config.max_train_epochs * per_epoch, config.max_train_epochs
    return config.max_train_steps, math.ceil(config.max_train_steps / per_epoch)


def propose(images_per_subset: Sequence[int], batch_size: int) -> Plan:
    """Repeats that even the subsets out, and the epochs that bring the guide's number of steps."""
    counts = [count for count in images_per_subset if count > 0]
    if not counts:
        return Plan((1,) * len(images_per_subset), 0, 0, 0)
    evened = len(counts) * max(counts)
    aim = images_in_epoch(evened)
    each = max(counts) * max(1, _round(aim / evened))
    # From two repeats on, rounding is never off by more than a quarter; at one it can be.
    if any(abs(_round(each / count) * count / each - 1) > 0.25 for count in counts):
        each *= 2
    repeats = tuple(_round(each / count) if count > 0 else 1 for count in images_per_subset)
    total = sum(max(n, 0) * times for n, times in zip(images_per_subset, repeats, strict=True))
    epochs = max(1, _round(EPOCHS * aim / total))
    return Plan(repeats, total, epochs, epochs * math.ceil(total / max(batch_size, 1)))


def images_in_epoch(images: int) -> float:
    """The guide's pictures x repeats for so many pictures; between its rows, linear in the log."""
    if images <= GUIDE[0][0]:
        return GUIDE[0][1]
    for (left, low), (right, high) in pairwise(GUIDE):
        if images <= right:
            return low + (high - low) * math.log(images / left) / math.log(right / left)
    return images


def _round(value: float) -> int:
    return int(value + 0.5)
