"""The learning rate as a function of the step: transformers' schedules, which sd-scripts uses."""

from __future__ import annotations

import math
from collections.abc import Callable

from ..config import OptimizerConfig


def schedule(config: OptimizerConfig, total_steps: int) -> Callable[[int], float]:
    """f(s): the share of the full rate at optimizer step s, from 0."""
    warmup, decay = warmup_steps(config, total_steps), _decay(config)
    left = max(1, total_steps - warmup)

    def factor(step: int) -> float:
        return step / warmup if step < warmup else decay(min(1.0, (step - warmup) / left))

    return factor


def warmup_steps(config: OptimizerConfig, total_steps: int) -> int:
    """lr_warmup_steps in steps: below 1 it is a share of all; plain constant has none."""
    if config.lr_scheduler == "constant":
        return 0
    given = config.lr_warmup_steps
    return int(total_steps * given) if given < 1 else int(given)


def problems(config: OptimizerConfig) -> list[str]:
    """What does not fit together in the schedule's settings, in words that say what to do."""
    warmup = config.lr_warmup_steps
    if config.lr_scheduler == "constant" and warmup > 0:
        return [
            "lr_scheduler constant has no warm-up: choose constant_with_warmup, or set "
            "lr_warmup_steps to 0"
        ]
    if warmup > 1 and warmup % 1:
        return [f"lr_warmup_steps is {warmup}: give whole steps, or a share of all below 1"]
    return []


def _decay(config: OptimizerConfig) -> Callable[[float], float]:
    """f(p): the share of the full rate at p in 0..1 between the end of the warm-up and the end."""
    cycles, power = config.lr_scheduler_num_cycles, config.lr_scheduler_power
    # transformers' polynomial ends at a rate of 1e-7, not at 0.
    end = 1e-7 / config.learning_rate if config.learning_rate > 1e-7 else 0.0
    return {
        "constant": lambda p: 1.0,
        "constant_with_warmup": lambda p: 1.0,
        "linear": lambda p: 1 - p,
        "cosine": _half_cosine,
        "cosine_with_restarts": lambda p: _half_cosine(cycles * p % 1) if p < 1 else 0.0,
        "polynomial": lambda p: (1 - end) * (1 - p) ** power + end,
    }[config.lr_scheduler]


def _half_cosine(p: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * p))
