"""What a run told while it went on: its curves, its scores, and the marks on them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import UserError

SMOOTH = 0.95
"""How much of the curve so far goes into a smoothed point."""
GUIDE_STEP, AROUND = 800, 200
"""The step near which the guide looks for the lowest loss, and how far from it that may be."""
Point = tuple[int, float]
"""(step, value)."""


@dataclass(frozen=True)
class Pictures:
    """Sample pictures of a step; `epoch` is None where they belong to none."""

    step: int
    epoch: int | None
    paths: tuple[Path, ...]


@dataclass(frozen=True)
class EpochScore:
    """What an epoch was worth at weight 1; the spread of its merit is that over the seeds."""

    step: int
    epoch: int
    merit: float
    spread: float
    measures: dict[str, float]


@dataclass
class History:
    """A run as far as it went, the earliest first."""

    losses: list[Point] = field(default_factory=list)
    """Raw; steps without a finite loss are left out."""
    rates: dict[str, list[Point]] = field(default_factory=dict)
    """By sd-scripts' names: `lr/unet`, and `lr/d*lr/unet` where the optimizer finds d."""
    epoch_ends: list[Point] = field(default_factory=list)
    """(step, epoch)."""
    samples: list[Pictures] = field(default_factory=list)
    scores: list[EpochScore] = field(default_factory=list)

    def take(self, event: dict[str, Any]) -> None:
        """One more event, as it stands on its line; unknown kinds are a later version's."""
        kind, step = event["event"], event["step"]
        if kind == "Step":
            if event["loss"] is not None:
                self.losses.append((step, event["loss"]))
            for name, rate in event["learning_rates"].items():
                self.rates.setdefault(name, []).append((step, rate))
        elif kind == "EpochEnd":
            self.epoch_ends.append((step, event["epoch"]))
        elif kind == "Sampled":
            paths = tuple(map(Path, event["pictures"]))
            self.samples.append(Pictures(step, event["epoch"], paths))
        elif kind == "Scored":
            facts = (event[name] for name in ("epoch", "merit", "spread", "measures"))
            self.scores.append(EpochScore(step, *facts))


def history_path(run: Path) -> Path:
    """The events of a run file, or of the run that one of its LoRA files names."""
    return run if run.suffix == ".jsonl" else run.with_suffix(".jsonl")


def read_history(path: Path) -> History:
    """A run's events, of one that goes on even; UserError where there are none."""
    history = History()
    try:
        with open(path, encoding="utf-8") as file:
            for event in events_of(file):
                history.take(event)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"What this run told cannot be read ({error})", path,
            "It is kept beside the run's files, as name.jsonl.",
        ) from None  # fmt: skip
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f"This is no run's events ({error!r})", path, "See its name.") from None
    return history


def events_of(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """The events on whole lines; the last may be half written."""
    for line in lines:
        try:
            yield json.loads(line)
        except ValueError:
            continue


def smoothed(values: Sequence[float], forget: float = SMOOTH) -> list[float]:
    """A running mean that forgets, not drawn towards nought at its start."""
    found: list[float] = []
    total = weight = 0.0
    for value in values:
        total, weight = forget * total + value, forget * weight + 1
        found.append(total / weight)
    return found


def lowest_near(losses: Sequence[Point], step: int = GUIDE_STEP, around: int = AROUND) -> Point:
    """The lowest smoothed loss at most `around` steps from a step.

    Of a run that ends before, near its last step; ValueError of one without a step.
    """
    if not losses:
        raise ValueError("no step was done")
    step = min(step, losses[-1][0])
    smooth = smoothed([value for _, value in losses])
    points = [(it[0], value) for it, value in zip(losses, smooth, strict=True)]
    near = [it for it in points if abs(it[0] - step) <= around] or points
    return min(near, key=lambda it: it[1])


def epoch_near(history: History, step: int) -> int | None:
    """The epoch whose end, and so whose file, is the nearest to a step; None before the first."""
    ends = history.epoch_ends
    return int(min(ends, key=lambda it: abs(it[0] - step))[1]) if ends else None
