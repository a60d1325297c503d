"""Pictures of planted runs, drawn once and kept, as the tagger sees them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.planted import cooked, pictures_of, subset_folders
from benchmarks.reader import reader
from lib_lora_cook.captioning import onnx_tagger
from lib_lora_cook.compare import measures
from lib_lora_cook.compare.judge import Wanted
from lib_lora_cook.compare.measures import Look, Training
from lib_lora_cook.compare.prompts import Probe
from lib_lora_cook.compare.render import render_cells
from lib_lora_cook.compare.taught import by_trigger, wanted_of
from lib_lora_cook.config import SweepConfig
from lib_lora_cook.dataset.images import open_image, scan_subset
from lib_lora_cook.demo import meal
from lib_lora_cook.hosts.standalone import StandaloneHost
from lib_lora_cook.jobs import null_job

SEEDS, STEPS = 24, 12
"""Pictures a prompt, sampling steps."""
Place = tuple[str, int, float]
"""(case, epoch, weight)."""
Tags = frozenset[str]
"""What is seen in one picture, by key."""
TWO = ("outfits", "mixed")
"""Cases with two triggers."""


@dataclass
class Bank:
    """All that was drawn."""

    prompts: dict[str, list[Probe]] = field(default_factory=dict)
    """Of each case, those that are drawn."""
    training: dict[str, dict[str, Training]] = field(default_factory=dict)
    """Of each case, by trigger."""
    looks: dict[tuple[Place, str], list[Look]] = field(default_factory=dict)
    """By place and prompt; each seed's."""
    true: dict[tuple[Place, str], list[Tags]] = field(default_factory=dict)
    """The same pictures' tags as the reader sees them."""
    pictured: dict[str, list[Tags]] = field(default_factory=dict)
    """Of each case's training pictures, by the reader."""

    @property
    def places(self) -> list[Place]:
        """What was drawn of the cases."""
        return sorted({place for place, _ in self.looks if place[1]})


def base_of(case: str) -> Place:
    """The base model, with the prompts of a case."""
    return ("base_two" if case in TWO else "base", 0, 0.0)


def fill(folder: Path, wanted: Sequence[Place]) -> Bank:
    """Cook and draw what is not there yet, and look at it."""
    bank, tagger, second = Bank(), onnx_tagger.load(meal.TAGGER), reader(folder / "reader")
    for case in dict.fromkeys(place[0] for place in wanted):
        found = wanted_by(case, folder, tagger)
        bank.training[case] = dict(found.training)
        paths = [path for it in found.training.values() for path in it.paths]
        bank.pictured[case] = tags_in([open_image(path) for path in paths], second)
        probes = found.probes if case in TWO else wanted_by("lora", folder, tagger).probes
        bank.prompts[case] = asked(probes)
        loras = cooked(case, folder)
        drawn = [(base_of(case), ""), *((it, loras[it[1] - 1]) for it in wanted if it[0] == case)]
        for place, lora in drawn:
            for text, pictures in draw(place, lora, bank.prompts[case], folder / "cells"):
                if (place, text) not in bank.looks:
                    bank.looks[place, text] = measures.look_at(pictures, tagger)
                    bank.true[place, text] = tags_in(pictures, second)
    return bank


def tags_in(pictures: Sequence[Image.Image], tagger: onnx_tagger.OnnxTagger) -> list[Tags]:
    """What a tagger sees in each."""
    return [look.seen for look in measures.look_at(pictures, tagger)]


def wanted_by(case: str, folder: Path, tagger: onnx_tagger.OnnxTagger) -> Wanted:
    """The prompts of a case's captions, and its pictures as the tagger sees them."""
    subsets = [it for it in subset_folders(pictures_of(case, folder)) if it.name != "reg"]
    several = len(subsets) > 1
    taught = by_trigger(
        ("" if several else meal.TRIGGER, it.name, scan_subset(it)) for it in subsets
    )
    return wanted_of(taught, [], tagger)


def asked(probes: Sequence[Probe]) -> list[Probe]:
    """The triggers alone; of a single one also with its captions' tags, and the subject without."""
    alone = [it for it in probes if it.kind == "trigger"]
    if len(alone) > 1:
        return alone
    return alone + [
        next(it for it in probes if it.kind == kind) for kind in ("captions", "without")
    ]


def draw(
    place: Place, lora: str, probes: Sequence[Probe], folder: Path
) -> Iterator[tuple[str, list[Image.Image]]]:
    """The pictures of a place by prompt; those on disk are read."""
    folder.mkdir(exist_ok=True)
    name = "{}_{}_{:g}".format(*place)
    paths = {it.text: folder / f"{name}_{it.kind}_{it.trigger}.npy" for it in probes}
    missing = tuple(text for text, path in paths.items() if not path.exists())
    config = SweepConfig(
        loras=(lora,) if lora else (), weights=(place[2],), width=meal.SIDE, height=meal.SIDE,
        prompts=missing, seeds=tuple(range(100, 100 + SEEDS)), cfg_scale=meal.CFG_SCALE,
        steps=STEPS, batch_size=16,
    )  # fmt: skip
    if missing:
        host = StandaloneHost(folder)
        for cell, pictures in render_cells(config, meal.MODEL, host, null_job):
            pixels = [np.asarray(it.convert("RGB")) for it in pictures]
            np.save(paths[cell.prompt], np.stack(pixels))
    for text, path in paths.items():
        yield text, [Image.fromarray(it) for it in np.load(path)]
