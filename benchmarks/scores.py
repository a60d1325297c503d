"""Whether the scores of a sweep order planted cases, and the pick finds the best place.

    python -m benchmarks.scores FOLDER

Cooks the cases on the toy world, draws a bank of pictures of each once (both are kept in FOLDER),
then scores 100 times with some of the seeds only. It takes an hour on two cores.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean, median

from benchmarks.bank import SEEDS, TWO, Bank, Place, base_of, fill
from benchmarks.planted import PLANTED
from lib_lora_cook.compare import measures
from lib_lora_cook.compare.grid import Cell
from lib_lora_cook.compare.measures import Look, Measure
from lib_lora_cook.compare.pick import merit, pick_cell
from lib_lora_cook.compare.prompts import Probe
from lib_lora_cook.compare.score import Score
from lib_lora_cook.demo import meal

TRIED, PICKED, TRIALS = 8, 12, 100
"""Seeds of a trial of the orders and of the pick, trials."""
ORDERS: list[tuple[str, Place, Place]] = [
    ("recovery", ("lora", 1, 1), ("lora", 4, 1)),
    ("recovery", ("lora", 8, 0.6), ("lora", 8, 1)),
    ("obedience", ("lora", 16, 1), ("lora", 8, 1)),
    ("diversity", ("lora", 16, 1), ("lora", 4, 1)),
    ("copy_risk", ("lora", 4, 1), ("lora", 16, 1)),
    ("leak", ("lora", 1, 1), ("lora", 16, 1)),
    ("recovery", ("LoCon", 1, 1), ("LoCon", 8, 1)),
    ("obedience", ("LoCon", 16, 1), ("LoCon", 8, 1)),
    ("recovery", ("LoHa", 1, 1), ("LoHa", 4, 1)),
    ("diversity", ("LoHa", 12, 1), ("LoHa", 4, 1)),
    ("recovery", ("Prodigy", 2, 1), ("Prodigy", 8, 1)),
    ("obedience", ("Prodigy", 16, 1), ("Prodigy", 8, 1)),
    ("copy_risk", ("lora", 16, 1), ("memorised", 12, 1)),
    ("diversity", ("memorised", 12, 1), ("lora", 8, 1)),
    ("obedience", ("memorised", 12, 1), ("lora", 8, 1)),
    ("bleed", ("beside", 4, 1), ("beside_bleed", 4, 1)),
    ("bleed", ("beside", 8, 1), ("beside_bleed", 8, 1)),
    ("leak", ("beside", 4, 1), ("beside_bleed", 4, 1)),
    ("leak", ("beside", 8, 1), ("beside_bleed", 8, 1)),
    ("bleed", ("beside", 4, 1), ("lora", 4, 1)),
    ("bleed", ("lora", 8, 1), ("bleed", 8, 1)),
    ("mixing", ("outfits", 8, 1), ("mixed", 8, 1)),
    ("recovery", ("mixed", 8, 1), ("outfits", 8, 1)),
]
"""(measure, the place where it must be lower, the place where it must be higher)."""
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
    wanted = [*(place for _, *both in ORDERS for place in both), *GRID]
    bank = fill(options.folder, [it for it in dict.fromkeys(wanted) if it[0] in options.case])
    for line in [*table(bank), "", *orders(bank), "", *picks(bank)]:
        print(line)


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


def table(bank: Bank) -> Iterator[str]:
    """Every measure of every place over all seeds."""
    for place in bank.places:
        found = measured(bank, place, range(SEEDS)).items()
        told = " | ".join(f"{name} {it.value:.2f} ± {it.spread:.2f}" for name, it in found)
        yield "{} {} {:g} | ".format(*place) + told


def trials(tried: int = TRIED) -> Iterator[list[int]]:
    """The seeds of each trial."""
    for number in range(TRIALS):
        yield sorted(random.Random(number).sample(range(SEEDS), tried))


def orders(bank: Bank) -> Iterator[str]:
    """In how many trials each order is right."""
    for name, low, high in ORDERS:
        if {low, high} <= set(bank.places):
            right = sum(
                measured(bank, low, seeds)[name].value < measured(bank, high, seeds)[name].value
                for seeds in trials()
            )
            yield f"{name}: {low} below {high} in {right} of {TRIALS} trials"


def truth(bank: Bank, place: Place) -> float:
    """How much is as it should be by the true attributes, 0..1.

    The own features from the trigger alone, the tags of a caption, and none of the own features
    without the trigger: the mean of the three.
    """
    trigger, caption, without = bank.prompts[place[0]]

    def shown(probe: Probe, tags: Sequence[str]) -> float:
        return mean(measures.share(it, tags) for it in bank.looks[place, probe.text])

    strays = shown(without, meal.OWN_FEATURES)
    return mean((shown(trigger, meal.OWN_FEATURES), shown(caption, caption.asked), 1 - strays))


def picks(bank: Bank) -> Iterator[str]:
    """How near the pick of a trial comes to the best place, by its true attributes."""
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
    for place in drawn:
        whole = {name: it.value for name, it in measured(bank, place, range(SEEDS)).items()}
        counted = f"merit {merit(whole):.2f}; picked {found.count(place)}"
        yield f"{place[1]} at {place[2]:g}: true {truth(bank, place):.3f}; {counted}"
    yield f"told from the runner-up in {told} of {TRIALS} trials"
    yield nearness(bank, drawn, found)


def nearness(bank: Bank, drawn: list[Place], found: list[Place]) -> str:
    """How often the pick was next to the best place, and what it lost."""
    true = {place: truth(bank, place) for place in drawn}
    best = max(drawn, key=lambda place: true[place])
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
