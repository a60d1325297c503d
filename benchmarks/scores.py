"""Whether the scores of a sweep order planted cases, and the pick finds the best place.

    python -m benchmarks.scores FOLDER

Cooks the cases on the toy world, draws a bank of pictures of each once (both are kept in FOLDER),
then scores 100 times with some of the seeds only. It takes half an hour on two cores.
"""

from __future__ import annotations

import argparse
import random
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.toy import CASES, changed, clean_dataset
from lib_lora_cook.captioning import onnx_tagger
from lib_lora_cook.compare import measures
from lib_lora_cook.compare.grid import Cell
from lib_lora_cook.compare.judge import look_at_training
from lib_lora_cook.compare.measures import Look, Measure, Training
from lib_lora_cook.compare.pick import merit, pick_cell
from lib_lora_cook.compare.prompts import Probe, Taught, make_prompts
from lib_lora_cook.compare.render import render_cells
from lib_lora_cook.compare.score import Score
from lib_lora_cook.config import SweepConfig
from lib_lora_cook.cook import cook
from lib_lora_cook.dataset.images import scan_subset
from lib_lora_cook.demo import meal
from lib_lora_cook.hosts.standalone import StandaloneHost
from lib_lora_cook.jobs import null_job

SEEDS, TRIED, TRIALS, STEPS = 24, 8, 100, 12
"""Seeds of the bank, seeds of a trial, trials, sampling steps."""
LONG = {"max_train_epochs": 16, "lr_scheduler": "constant_with_warmup"}


@dataclass(frozen=True)
class Case:
    """A run that is known to be good or bad, and what of it is drawn."""

    changes: Mapping[str, Any]
    places: tuple[tuple[int, float], ...]
    """(epoch, weight)."""
    spoil: Callable[[Path, Path], None] | None = None
    """Makes another dataset of the demo's."""


def three_pictures(source: Path, out: Path) -> None:
    """The first three pictures alone."""
    for image in scan_subset(source)[:3]:
        for path in (image.path, image.path.with_suffix(".txt")):
            shutil.copy(path, out)


def half_named(source: Path, out: Path) -> None:
    """Every second caption without the trigger."""
    for place, image in enumerate(scan_subset(source)):
        shutil.copy(image.path, out)
        caption = image.caption.replace(f"{meal.TRIGGER}, ", "") if place % 2 else image.caption
        (out / f"{image.path.stem}.txt").write_text(caption, encoding="utf-8")


PLANTED = {
    "lora": Case(LONG, tuple((epoch, weight) for epoch in (1, 2, 4, 8, 16) for weight in (0.6, 1))),
    "LoCon": Case({**CASES["LoCon"], **LONG, "max_train_epochs": 8}, ((1, 1), (8, 1))),
    "memorised": Case({**LONG, "max_train_epochs": 12}, ((12, 1),), three_pictures),
    "bleed": Case({**LONG, "max_train_epochs": 8}, ((8, 1),), half_named),
}
Place = tuple[str, int, float]
"""(case, epoch, weight)."""
BASE = ("base", 0, 0.0)


@dataclass
class Bank:
    """All that was drawn, as the tagger sees it."""

    probes: list[Probe]
    training: dict[str, Training]
    looks: dict[tuple[Place, int], list[Look]]
    """By place and the number of the prompt."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Cook, draw, score; prints a table of the measures, of the orders, and of the pick."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scores", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("folder", type=Path, help="keeps what was cooked and drawn")
    parser.add_argument("--case", nargs="+", choices=PLANTED, default=list(PLANTED))
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    bank = fill(options.folder, options.case)
    for line in [*table(bank), "", *orders(bank), "", *picks(bank)]:
        print(line)


def fill(folder: Path, cases: Sequence[str]) -> Bank:
    """Cook and draw what is not there yet, and look at it."""
    if not (folder / "data").exists():
        clean_dataset(folder / "data")
    dataset = folder / "data" / "toy" / "dataset"
    tagger = onnx_tagger.load(meal.TAGGER)
    good = look_at_training(scan_subset(dataset), tagger)
    captions = [[tag for tag in it if tag != meal.TRIGGER] for it in good.captions]
    probes = make_prompts([Taught(meal.TRIGGER, captions)], [name for _, name in tagger.labels])
    bank = Bank(probes, {}, {})
    drawn = [(BASE, "")]
    for name in cases:
        case = PLANTED[name]
        source = spoilt(dataset, folder / f"{name}_data", case)
        bank.training[name] = look_at_training(scan_subset(source), tagger)
        loras = cooked(name, case, source, folder)
        drawn += [((name, *place), loras[place[0] - 1]) for place in case.places]
    for place, lora in drawn:
        for prompt, pictures in draw(place, lora, probes, folder / "cells"):
            bank.looks[place, prompt] = measures.look_at(pictures, tagger)
    return bank


def spoilt(dataset: Path, out: Path, case: Case) -> Path:
    """The dataset of a case."""
    if case.spoil is None:
        return dataset
    if not out.exists():
        out.mkdir()
        case.spoil(dataset, out)
    return out


def cooked(name: str, case: Case, dataset: Path, folder: Path) -> list[str]:
    """The LoRA files of a case, an epoch each."""
    done, out = folder / name / "done", folder / name
    if not done.exists():
        shutil.rmtree(out, ignore_errors=True)
        config = changed(meal.demo_run(dataset, out / "loras"), dict(case.changes))
        loras = cook(config, StandaloneHost(out), null_job).loras
        done.write_text("\n".join(map(str, loras)), encoding="utf-8")
    return done.read_text(encoding="utf-8").splitlines()


def asked(probes: Sequence[Probe]) -> list[int]:
    """The prompts of the bank: the trigger alone, with its captions' tags, the subject without."""
    kinds = [probe.kind for probe in probes]
    return [kinds.index(kind) for kind in ("trigger", "captions", "without")]


def draw(
    place: Place, lora: str, probes: Sequence[Probe], folder: Path
) -> Iterator[tuple[int, list[Image.Image]]]:
    """The pictures of a place by the number of the prompt; those on disk are read."""
    folder.mkdir(exist_ok=True)
    paths = {
        number: folder / "{}_{}_{:g}_{}.npy".format(*place, number) for number in asked(probes)
    }
    missing = [number for number, path in paths.items() if not path.exists()]
    config = SweepConfig(
        loras=(lora,) if lora else (), weights=(place[2],), width=meal.SIDE, height=meal.SIDE,
        prompts=tuple(probes[it].text for it in missing), seeds=tuple(range(100, 100 + SEEDS)),
        cfg_scale=meal.CFG_SCALE, steps=STEPS, batch_size=16,
    )  # fmt: skip
    if missing:
        host = StandaloneHost(folder)
        numbers = {probes[it].text: it for it in missing}
        for cell, pictures in render_cells(config, meal.MODEL, host, null_job):
            pixels = [np.asarray(it.convert("RGB")) for it in pictures]
            np.save(paths[numbers[cell.prompt]], np.stack(pixels))
    for number, path in paths.items():
        yield number, [Image.fromarray(it) for it in np.load(path)]


def measured(bank: Bank, place: Place, seeds: Sequence[int]) -> dict[str, Measure]:
    """The measures of a place by some of the seeds."""
    trigger, caption, without = asked(bank.probes)

    def of(where: Place, number: int) -> list[Look]:
        return [bank.looks[where, number][seed] for seed in seeds]

    worn, base = of(place, trigger), of(BASE, trigger)
    training = bank.training[place[0]]
    return {
        "recovery": measures.recovery(worn, base, measures.pruned_tags(training)),
        "obedience": measures.obedience(of(place, caption), bank.probes[caption].asked),
        "leak": measures.leak(of(place, without), of(BASE, without)),
        "diversity": measures.diversity(worn, base),
        "copy_risk": measures.copy_risk(worn, training)[0],
    }


def places(bank: Bank) -> list[Place]:
    """What was drawn of the cases."""
    return sorted({place for place, _ in bank.looks} - {BASE})


def table(bank: Bank) -> Iterator[str]:
    """Every measure of every place over all seeds."""
    yield "case epoch weight | " + " | ".join(measured(bank, places(bank)[0], range(SEEDS)))
    for place in places(bank):
        found = measured(bank, place, range(SEEDS)).values()
        figures = " | ".join(f"{it.value:.2f} ± {it.spread:.2f}" for it in found)
        yield "{} {} {:g} | ".format(*place) + figures


ORDERS: list[tuple[str, Place, Place]] = [
    ("recovery", ("lora", 1, 1), ("lora", 4, 1)),
    ("recovery", ("LoCon", 1, 1), ("LoCon", 8, 1)),
    ("recovery", ("lora", 8, 0.6), ("lora", 8, 1)),
    ("obedience", ("lora", 16, 1), ("lora", 8, 1)),
    ("diversity", ("lora", 16, 1), ("lora", 4, 1)),
    ("copy_risk", ("lora", 4, 1), ("lora", 16, 1)),
    ("copy_risk", ("lora", 16, 1), ("memorised", 12, 1)),
    ("diversity", ("memorised", 12, 1), ("lora", 8, 1)),
    ("obedience", ("memorised", 12, 1), ("lora", 8, 1)),
    ("leak", ("lora", 1, 1), ("lora", 16, 1)),
    ("leak", ("lora", 8, 1), ("bleed", 8, 1)),
]
"""(measure, the place where it must be lower, the place where it must be higher)."""


def trials() -> Iterator[list[int]]:
    """The seeds of each trial."""
    for number in range(TRIALS):
        yield sorted(random.Random(number).sample(range(SEEDS), TRIED))


def orders(bank: Bank) -> Iterator[str]:
    """In how many trials each order is right."""
    for name, low, high in ORDERS:
        if {low, high} <= set(places(bank)):
            right = sum(
                measured(bank, low, seeds)[name].value < measured(bank, high, seeds)[name].value
                for seeds in trials()
            )
            yield f"{name}: {low} below {high} in {right} of {TRIALS} trials"


def truth(bank: Bank, place: Place, strays: bool) -> float:
    """How much of what is asked for is there by the true attributes, 0..1.

    The own features from the trigger alone, and the tags of a caption; strays: the own features
    that stay away without the trigger count, too.
    """
    trigger, caption, without = asked(bank.probes)
    own, tags = meal.OWN_FEATURES, bank.probes[caption].asked
    wanted = ((trigger, own), (caption, tags), *(((without, own),) if strays else ()))
    shares = [
        mean(measures.share(it, names) for it in bank.looks[place, number])
        for number, names in wanted
    ]
    return mean(1 - it if number == 2 else it for number, it in enumerate(shares))


def picks(bank: Bank) -> Iterator[str]:
    """How near the pick of a trial comes to the best place, by its true attributes."""
    drawn = [place for place in places(bank) if place[0] == "lora"]
    if not drawn:
        return
    found, told = [], 0
    for seeds in trials():
        scored = [
            (Cell(Path(f"lora-{place[1]:06d}"), place[2], "", tuple(seeds)),
             Score(0.0, {}, measured(bank, place, seeds)))
            for place in drawn
        ]  # fmt: skip
        pick = pick_cell(scored)
        found.append(drawn[[cell for cell, _ in scored].index(pick.cell)])
        told += pick.sure
    for place in drawn:
        whole = {name: it.value for name, it in measured(bank, place, range(SEEDS)).items()}
        true = f"{truth(bank, place, False):.2f}, with strays {truth(bank, place, True):.2f}"
        count = found.count(place)
        yield f"{place[1]} at {place[2]:g}: true {true}; merit {merit(whole):.2f}; picked {count}"
    yield f"told from the runner-up in {told} of {TRIALS} trials"
    for strays in (False, True):
        yield nearness(bank, drawn, found, strays)


def nearness(bank: Bank, drawn: list[Place], found: list[Place], strays: bool) -> str:
    """How often the pick was next to the best place, and what it lost."""
    epochs = sorted({place[1] for place in drawn})
    true = {place: truth(bank, place, strays) for place in drawn}
    best = max(drawn, key=lambda place: true[place])
    near = sum(
        abs(epochs.index(it[1]) - epochs.index(best[1])) <= 1 and abs(it[2] - best[2]) < 0.11
        for it in found
    )
    lost = [true[best] - true[it] for it in found]
    return (
        f"best {'with strays' if strays else 'from the trigger'}: epoch {best[1]} at {best[2]:g}; "
        f"pick within one drawn epoch and 0.1 in {near} of {TRIALS}; "
        f"lost: median {median(lost):.3f}, most {max(lost):.3f}"
    )


if __name__ == "__main__":
    main()
