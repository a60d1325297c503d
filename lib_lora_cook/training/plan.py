"""The arithmetic of a run: repeats, batches, epochs, steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
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


@dataclass(frozen=True)
class Rule:
    """How often pictures should be seen: (pictures, batch size) -> pictures an epoch; epochs."""

    images_in_epoch: Callable[[int, int], float]
    epochs: int


def images_in_epoch(images: int, batch_size: int = 1) -> float:
    """The guide's pictures x repeats for so many pictures; between its rows, linear in the log."""
    if images <= GUIDE[0][0]:
        return GUIDE[0][1]
    for (left, low), (right, high) in pairwise(GUIDE):
        if images <= right:
            return low + (high - low) * math.log(images / left) / math.log(right / left)
    return images


GUIDES = Rule(images_in_epoch, EPOCHS)
SDXL = Rule(lambda images, batch_size: max(images, 100), EPOCHS)
"""The SDXL notebook's: pictures x repeats of about 100."""
PRODIGY = Rule(lambda images, batch_size: max(images, 100 * batch_size), 20)
"""The guide's for Prodigy: about 100 steps an epoch, 20 epochs."""


def propose(images_per_subset: Sequence[int], batch_size: int, rule: Rule = GUIDES) -> Plan:
    """Repeats that even the subsets out, and the epochs that bring the rule's number of steps."""
    counts = [count for count in images_per_subset if count > 0]
    if not counts:
        return Plan((1,) * len(images_per_subset), 0, 0, 0)
    evened = len(counts) * max(counts)
    aim = rule.images_in_epoch(evened, max(batch_size, 1))
    each = max(counts) * max(1, _round(aim / evened))
    # From two repeats on, rounding is never off by more than a quarter; at one it can be.
    if any(abs(_round(each / count) * count / each - 1) > 0.25 for count in counts):
        each *= 2
    repeats = tuple(_round(each / count) if count > 0 else 1 for count in images_per_subset)
    total = sum(max(n, 0) * times for n, times in zip(images_per_subset, repeats, strict=True))
    epochs = max(1, _round(rule.epochs * aim / total))
    return Plan(repeats, total, epochs, epochs * math.ceil(total / max(batch_size, 1)))


def sum_text(plan: Plan, images_per_subset: Sequence[int], batch_size: int) -> str:
    """The sum as the guide writes it; "no pictures" where there are none."""
    if not plan.total:
        return "no pictures"
    if len(images_per_subset) == 1:
        seen = f"{images_per_subset[0]} images × {plan.num_repeats[0]} repeats"
    else:
        each = zip(images_per_subset, plan.num_repeats, strict=True)
        seen = f"({' + '.join(f'{n} × {times}' for n, times in each)} = {plan.total}) images"
    return f"{seen} × {plan.epochs} epochs ÷ {batch_size} batch = {plan.steps} steps"


def to_leave_out(images: int) -> int:
    """How many pictures bring a folder that is just over a row of the guide's down to it.

    23 pictures are 3 over 20, where ten repeats come out even; more than a seventh is too many.
    """
    rows = [row for row, _ in GUIDE if 0 < images - row <= images / 7]
    return images - rows[0] if rows else 0


def _round(value: float) -> int:
    return int(value + 0.5)
