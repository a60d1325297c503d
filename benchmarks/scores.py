"""Whether the scores of a sweep order planted cases, and the pick finds the best place.

    python -m benchmarks.scores FOLDER

Cooks the cases on the toy world, draws a bank of pictures of each once (both are kept in FOLDER),
then scores 100 times with some of the seeds only. It takes an hour on two cores.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import mean, median

from benchmarks.bank import SEEDS, TWO, Bank, Place, base_of, fill
from benchmarks.planted import PLANTED
from benchmarks.truth import is_below, likeness, true_measures, worth
from lib_lora_cook.compare import measures
from lib_lora_cook.compare.grid import Cell
from lib_lora_cook.compare.measures import Look, Measure
from lib_lora_cook.compare.pick import merit, pick_cell
from lib_lora_cook.compare.score import Score
from lib_lora_cook.demo import meal

TRIED, PICKED, TRIALS = 8, 12, 100
"""Seeds of a trial of the orders and of the pick, trials."""
RUNS: dict[str, tuple[int, ...]] = {
    "lora": (1, 2, 4, 8, 12, 16), "LoCon": (1, 2, 4, 8, 12, 16), "LoHa": (1, 2, 4, 8, 12, 16, 24),
    "Prodigy": (2, 4, 8, 12, 16),
}  # fmt: skip
"""Epochs of good runs, from undercooked to overcooked."""
FAULTS: list[tuple[Place, Place]] = [
    (("memorised", 12, 1), ("lora", 12, 1)),
    (("bleed", 4, 1), ("lora", 4, 1)),
    (("bleed", 8, 1), ("lora", 8, 1)),
    (("beside_bleed", 4, 1), ("beside", 4, 1)),
    (("beside_bleed", 8, 1), ("beside", 8, 1)),
    (("mixed", 8, 1), ("outfits", 8, 1)),
]
"""A run with a fault, and the right one that differs from it in nothing else."""
PLACES: list[Place] = [
    *((case, epoch, 1) for case, epochs in RUNS.items() for epoch in epochs),
    ("lora", 8, 0.6), *(place for pair in FAULTS for place in pair),
]  # fmt: skip
GRID: list[Place] = [
    ("beside", epoch, weight) for epoch in range(1, 7) for weight in (0.6, 0.7, 0.8, 0.9, 1)
]
"""The places that the pick chooses among."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Cook, draw, score; prints a table of the measures, of the orders, and of the pick."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scores", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("folder", type=Path, help="keeps what was cooked and drawn")
    parser.add_argument("--case", nargs="+", choices=PLANTED, default=list(PLANTED))
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    bank = fill(options.folder, [it for it in {*PLACES, *GRID} if it[0] in options.case])
    known = Known(bank)
    for part in (table(known), ripeness(known), faults(known), pairs(known), picks(known)):
        print(*part, "", sep="\n")


@dataclass
class Known:
    """A bank with what is true of its places, and what each trial measures of them."""

    bank: Bank

    @cached_property
    def places(self) -> list[Place]:
        """The planted ones that were drawn."""
        drawn = set(self.bank.places)
        return [it for it in dict.fromkeys(PLACES) if it in drawn]

    @cached_property
    def true(self) -> dict[Place, dict[str, list[float]]]:
        """Of each place its true measures by seed, and the merit that they come to."""
        drawn = [it for it in dict.fromkeys((*PLACES, *GRID)) if it in set(self.bank.places)]
        found = {it: true_measures(self.bank, it) for it in drawn}
        return {it: {**each, "merit": worth(each)} for it, each in found.items()}

    @cached_property
    def tried(self) -> dict[Place, list[dict[str, float]]]:
        """Of each planted place what each trial measures, and its merit."""
        return {it: [self.scored(it, seeds) for seeds in trials()] for it in self.places}

    def scored(self, place: Place, seeds: Sequence[int]) -> dict[str, float]:
        """Its measures by some of the seeds, and the merit that they come to."""
        found = {name: it.value for name, it in measured(self.bank, place, seeds).items()}
        return {**found, "merit": merit(found)}

    def right(self, low: Place, high: Place, name: str = "merit") -> int:
        """In how many trials a measure is lower at the one place than at the other."""
        both = zip(self.tried[low], self.tried[high], strict=True)
        return sum(one[name] < other[name] for one, other in both)

    def told(self, low: Place, high: Place, name: str = "merit") -> bool:
        """Whether the truth puts the one place below the other."""
        one, other = self.true[low], self.true[high]
        return name in one and name in other and is_below(one[name], other[name])


def measured(bank: Bank, place: Place, seeds: Sequence[int]) -> dict[str, Measure]:
    """The measures of a place by some of the seeds."""
    case, base = place[0], base_of(place[0])

    def of(where: Place, text: str) -> list[Look]:
        return [bank.looks[where, text][seed] for seed in seeds]

    pruned = {name: measures.pruned_tags(it) for name, it in bank.training[case].items()}
    if case in TWO:
        return mean_of_triggers([
            triggered(of(place, it.text), of(base, it.text), pruned, it.trigger)
            for it in bank.prompts[case]
        ])  # fmt: skip
    trigger, caption, without = bank.prompts[case]
    worn, bare = of(place, trigger.text), of(base, trigger.text)
    training = bank.training[case][meal.TRIGGER]
    own = pruned[meal.TRIGGER]
    return {
        "recovery": measures.recovery(worn, bare, own),
        "obedience": measures.obedience(of(place, caption.text), caption.asked),
        "bleed": measures.bleed(of(place, without.text), of(base, without.text), own),
        "leak": measures.leak(of(place, without.text), of(base, without.text)),
        "diversity": measures.diversity(worn, bare),
        "copy_risk": measures.copy_risk(worn, training)[0],
    }


def triggered(
    worn: Sequence[Look], bare: Sequence[Look], pruned: dict[str, list[str]], trigger: str
) -> dict[str, Measure]:
    """What one of several triggers brings: its own, and the others'."""
    own = pruned[trigger]
    others = sorted({tag for tags in pruned.values() for tag in tags} - set(own))
    return {
        "recovery": measures.recovery(worn, bare, own),
        "mixing": measures.mixing(worn, bare, others),
    }


def mean_of_triggers(several: Sequence[dict[str, Measure]]) -> dict[str, Measure]:
    """Each measure over the triggers, seed by seed."""
    return {
        name: Measure(tuple(map(mean, zip(*(it[name].each for it in several), strict=True))))
        for name in several[0]
    }


def trials(tried: int = TRIED) -> Iterator[list[int]]:
    """The seeds of each trial."""
    for number in range(TRIALS):
        yield sorted(random.Random(number).sample(range(SEEDS), tried))


def table(known: Known) -> Iterator[str]:
    """Every measure of every place over all seeds, the true one behind it."""
    for place in known.places:
        found, true = known.scored(place, range(SEEDS)), known.true[place]
        cells = (
            f"{name} {it:.2f} ({mean(true[name]):.2f})"
            for name, it in found.items()
            if name in true
        )
        yield " | ".join((spoken(place), *cells))


def spoken(place: Place) -> str:
    """A place as the tables name it."""
    return "{} {} at {:g}".format(*place)


def ripeness(known: Known) -> Iterator[str]:
    """Of each good run the truly best epoch, and whether merit puts the worse ones below it."""
    for case in RUNS:
        epochs = [it for it in known.places if it[0] == case and it[2] == 1]
        if not epochs:
            continue
        best = max(epochs, key=lambda it: mean(known.true[it]["merit"]))
        for place in epochs:
            if known.told(place, best):
                yield ordered(known, place, best)


def faults(known: Known) -> Iterator[str]:
    """Whether merit puts each run with a fault below the right one."""
    for wrong, right in FAULTS:
        if {wrong, right} <= set(known.places):
            note = "" if known.told(wrong, right) else " (the truth does not tell them apart)"
            yield ordered(known, wrong, right) + note


def ordered(known: Known, low: Place, high: Place) -> str:
    """Two places with their true merits, and how many trials put the one below the other."""
    one, other = (mean(known.true[it]["merit"]) for it in (low, high))
    count = known.right(low, high)
    return f"| {spoken(low)} | {one:.2f} | {spoken(high)} | {other:.2f} | {count} |"


def pairs(known: Known) -> Iterator[str]:
    """Of each measure all pairs of places that differ in truth, and how many trials say so."""
    for name in ("recovery", "obedience", "bleed", "mixing", "diversity", "copy_risk", "merit"):
        found = [
            (known.right(low, high, name), low, high)
            for low in known.places for high in known.places
            if (low[0] in TWO) == (high[0] in TWO) and known.told(low, high, name)
        ]  # fmt: skip
        if found:
            often = sum(count >= 95 for count, *_ in found)
            worst, low, high = min(found)
            share = mean(count for count, *_ in found)
            yield (
                f"| {name} | {len(found)} | {share:.1f} | {often} | {worst}: {spoken(low)} below "
                f"{spoken(high)} |"
            )


def picks(known: Known) -> Iterator[str]:
    """How near the pick of a trial comes to the best place, by its true attributes."""
    bank = known.bank
    drawn = [place for place in GRID if place in bank.places]
    if not drawn:
        return
    found, told = [], 0
    for seeds in trials(PICKED):
        scored = [
            (Cell(Path(f"beside-{place[1]:06d}"), place[2], "", tuple(seeds)),
             Score(0.0, {}, measured(bank, place, seeds)))
            for place in drawn
        ]  # fmt: skip
        pick = pick_cell(scored)
        found.append(drawn[[cell for cell, _ in scored].index(pick.cell)])
        told += pick.sure
    true = {place: likeness(known.true[place]) for place in drawn}
    for place in drawn:
        whole = known.scored(place, range(SEEDS))["merit"]
        yield f"{spoken(place)}: true {true[place]:.3f}; merit {whole:.2f}; {found.count(place)}"
    yield f"told from the runner-up in {told} of {TRIALS} trials"
    yield nearness(true, found)


def nearness(true: dict[Place, float], found: list[Place]) -> str:
    """How often the pick was next to the best place, and what it lost."""
    best = max(true, key=lambda place: true[place])
    near = sum(abs(it[1] - best[1]) <= 1 and abs(it[2] - best[2]) < 0.11 for it in found)
    lost = [true[best] - true[it] for it in found]
    equal = sum(true[best] - it <= 0.01 for it in true.values())
    return (
        f"best: epoch {best[1]} at {best[2]:g} ({equal} places within 0.01 of it); pick within one "
        f"epoch and 0.1 in {near} of {TRIALS}; lost: median {median(lost):.3f}, most "
        f"{max(lost):.3f}"
    )


if __name__ == "__main__":
    main()
