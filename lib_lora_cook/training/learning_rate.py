"""The learning rate as a function of the step: transformers' schedules, which sd-scripts uses."""

from __future__ import annotations

import math
from collections.abc import Callable

from ..config import OptimizerConfig

UNWARMED = ("constant", "adafactor")


def schedule(config: OptimizerConfig, total_steps: int) -> Callable[[int], float]:
    """f(s): the share of the full rate at optimizer step s, from 0."""
    warmup, decay = warmup_steps(config, total_steps), _decay(config, total_steps)
    # transformers' warmup_stable_decay begins where it ends
    low = _lowest(config) if config.lr_scheduler == "warmup_stable_decay" else 0.0

    def factor(step: int) -> float:
        return low + (1 - low) * step / warmup if step < warmup else decay(step)

    return factor


def warmup_steps(config: OptimizerConfig, total_steps: int) -> int:
    """lr_warmup_steps in steps: below 1 it is a share of all; plain constant has none."""
    if config.lr_scheduler in UNWARMED:
        return 0
    return _steps(config.lr_warmup_steps, total_steps)


def problems(config: OptimizerConfig) -> list[str]:
    """What does not fit together in the schedule's settings, in words that say what to do."""
    name, wrong = config.lr_scheduler, []
    if name in UNWARMED and config.lr_warmup_steps > 0:
        wrong.append(
            f"lr_scheduler {name} has no warm-up: choose constant_with_warmup, or set "
            "lr_warmup_steps to 0"
        )
    for setting in ("lr_warmup_steps", "lr_decay_steps"):
        steps = getattr(config, setting)
        if steps > 1 and steps % 1:
            wrong.append(f"{setting} is {steps}: give whole steps, or a share of all below 1")
    if name == "cosine_with_min_lr" and config.lr_scheduler_min_lr_ratio is None:
        wrong.append("cosine_with_min_lr needs lr_scheduler_min_lr_ratio: 0.1 is usual")
    return wrong


def _decay(config: OptimizerConfig, total_steps: int) -> Callable[[int], float]:
    """f(s): the share of the full rate at a step behind the warm-up."""
    warmup = warmup_steps(config, total_steps)
    if config.lr_scheduler == "inverse_sqrt":
        scale = config.lr_scheduler_timescale or warmup or 10_000
        return lambda step: float((step + scale - warmup) / scale) ** -0.5
    last = total_steps - warmup
    if config.lr_scheduler == "warmup_stable_decay":
        last = min(last, _steps(config.lr_decay_steps, total_steps))
    start, curve = total_steps - last, _curve(config)
    return lambda step: curve(min(1.0, max(0, step - start) / max(1, last)))


def _curve(config: OptimizerConfig) -> Callable[[float], float]:
    """f(p): the share of the full rate at p in 0..1 between the start of the decay and the end."""
    cycles, power, low = config.lr_scheduler_num_cycles, config.lr_scheduler_power, _lowest(config)
    # transformers' polynomial ends at a rate of 1e-7, not at 0.
    end = 1e-7 / config.learning_rate if config.learning_rate > 1e-7 else 0.0
    curves: dict[str, Callable[[float], float]] = {
        "linear": lambda p: 1 - p,
        "cosine": _half_cosine,
        "cosine_with_restarts": lambda p: _half_cosine(cycles * p % 1) if p < 1 else 0.0,
        "cosine_with_min_lr": lambda p: low + (1 - low) * _half_cosine(cycles * p),
        "warmup_stable_decay": lambda p: low + (1 - low) * _half_cosine(cycles * p),
        "polynomial": lambda p: (1 - end) * (1 - p) ** power + end,
    }
    return curves.get(config.lr_scheduler, lambda p: 1.0)


def _steps(given: float, total_steps: int) -> int:
    """A number of steps, or below 1 a share of all."""
    return int(total_steps * given) if given < 1 else int(given)


def _lowest(config: OptimizerConfig) -> float:
    return config.lr_scheduler_min_lr_ratio or 0.0


def _half_cosine(p: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * p))
