"""The pick: one epoch and weight, why, and whether the seeds can tell it from the runner-up."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, stdev

from .grid import Cell
from .score import Score

WORTH = {"recovery": 4, "tag_recall": 4, "obedience": 2, "mixing": 2, "bleed": 1, "leak": 1}
"""How much each measure counts in the mean: a LoRA is first to look like what it was taught."""
UNWANTED = ("mixing", "bleed", "leak")
"""Those of them that should be low."""
DIVERSE = 0.75
"""Of the base model's diversity: one girl of many poses has no more."""


@dataclass(frozen=True)
class Pick:
    """The cell to use, and why."""

    cell: Cell
    score: Score
    why: str
    runner_up: Cell | None = None
    sure: bool = True
    """False where the seeds differ by more than the two do: it cannot be told."""


@dataclass(frozen=True)
class Candidate:
    """One LoRA at one weight over all its prompts."""

    cell: Cell
    """Its first."""
    score: Score
    means: dict[str, float]
    """Each measure over the prompts that tell it."""
    each: tuple[float, ...]
    """Its merit by seed."""

    @property
    def merit(self) -> float:
        """That of its means."""
        return merit(self.means)


def pick_cell(scored: Sequence[tuple[Cell, Score]], tolerance: float = 0.02) -> Pick:
    """The plainest epoch and weight among those with as much merit as the best.

    Within `tolerance` of the best: the nearest to weight 0.8, then that with the best neighbours,
    then the earliest epoch, since more training pulls more than the wanted tags into every picture.
    """
    groups: dict[tuple[str, float], list[tuple[Cell, Score]]] = {}
    for cell, score in scored:
        if cell.lora is not None:
            groups.setdefault((str(cell.lora), cell.weight), []).append((cell, score))
    several = [candidate(group) for group in groups.values()]
    best = max(it.merit for it in several)
    good = [it for it in several if it.merit >= best - tolerance]
    stands = standings(several)
    chosen = min(
        good, key=lambda it: (abs(it.cell.weight - 0.8), -stands[it.cell], str(it.cell.lora))
    )
    others = [it for it in several if it is not chosen]
    second = max(others, key=lambda it: it.merit, default=None)
    sure = second is None or can_tell(chosen, second)
    why = reason(chosen, best, len(several), len(good), tolerance)
    if second:
        why += f"; runner-up: {name_of(second.cell)} with {second.merit:.2f}"
    if not sure:
        why += "; the seeds cannot tell the two apart"
    return Pick(chosen.cell, chosen.score, why, second.cell if second else None, sure)


def candidate(group: Sequence[tuple[Cell, Score]]) -> Candidate:
    """The prompts of one LoRA at one weight, taken together."""
    seeds = len(group[0][0].seeds)
    found: dict[str, list[Sequence[float]]] = {}
    for _, score in group:
        for name, measure in score.measures.items():
            found.setdefault(name, []).append(measure.each)
    if not found:
        found["tag_recall"] = [(score.tag_recall,) * seeds for _, score in group]
    each = [
        {name: mean(row[seed] for row in rows) for name, rows in found.items()}
        for seed in range(seeds)
    ]
    means = {name: mean(it[name] for it in each) for name in found}
    return Candidate(*group[0], means, tuple(map(merit, each)))


def standings(several: Sequence[Candidate]) -> dict[Cell, float]:
    """The merit of each place with that of the places next to it on the sheet, itself twice.

    Epochs and weights that are next to each other draw nearly the same: a few seeds of five places
    tell more than those of one. Rounded, so that equals are equal.
    """
    loras = sorted({str(it.cell.lora) for it in several})
    weights = sorted({it.cell.weight for it in several})
    places = {(loras.index(str(it.cell.lora)), weights.index(it.cell.weight)): it for it in several}
    found = {}
    for (row, column), it in places.items():
        near = ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1))
        beside = [places[at].merit for at in near if at in places]
        found[it.cell] = round(mean([it.merit, it.merit, *beside]), 9)
    return found


def merit(measures: Mapping[str, float]) -> float:
    """The mean of what was measured by its worth; less copy risk and half of a want of diversity.

    Up to 1. What should be low counts as 1 less it; leak only where no bleed was measured.
    """
    names = [it for it in WORTH if it in measures and not (it == "leak" and "bleed" in measures)]
    good = sum(WORTH[it] * (1 - measures[it] if it in UNWANTED else measures[it]) for it in names)
    lost = max(0.0, DIVERSE - measures.get("diversity", DIVERSE)) / 2
    return good / max(1, sum(WORTH[it] for it in names)) - measures.get("copy_risk", 0.0) - lost


def can_tell(one: Candidate, other: Candidate) -> bool:
    """Whether they are further apart, seed by seed, than chance (the standard error) explains."""
    gaps = [a - b for a, b in zip(one.each, other.each, strict=True)]
    return len(gaps) > 1 and abs(mean(gaps)) > stdev(gaps) / math.sqrt(len(gaps))


def reason(chosen: Candidate, best: float, of: int, good: int, tolerance: float) -> str:
    """Why a candidate was chosen, in one sentence with its figures."""
    facts = ", ".join(
        f"{name.replace('_', ' ')} {value:.2f}" for name, value in chosen.means.items()
    )
    return (
        f"{facts}: merit {chosen.merit:.2f}, with {best:.2f} the best of {of} places; of the "
        f"{good} that come within {tolerance:.2f} of it, the nearest to weight 0.8 and then the "
        "one with the best beside it"
    )


def name_of(cell: Cell) -> str:
    """A place of the sheet as it is spoken of."""
    return f"{cell.lora.stem if cell.lora else 'the base model'} at {cell.weight:g}"
