"""A tagger's verdict on the cells of a sweep, each prompt by what it tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from PIL import Image

from ..captioning.base import Tagger
from ..dataset.captions import split_tags
from ..dataset.images import ImageFile, open_image
from .grid import Cell
from .measures import (
    Look,
    Measure,
    Training,
    bleed,
    copy_risk,
    diversity,
    leak,
    look_at,
    mixing,
    obedience,
    pruned_tags,
    recovery,
)
from .prompts import Probe
from .score import Score, score_looks


@dataclass(frozen=True)
class Wanted:
    """What the pictures should show, and who looks for it."""

    tags: Sequence[str]
    """Spelt as in captions; looked for in every cell."""
    tagger: Tagger
    probes: Sequence[Probe] = ()
    training: Mapping[str, Training] = field(default_factory=dict)
    """What was trained, by its trigger."""


@dataclass
class Judge:
    """Scores cells in the order of a sweep, in which the base model's come first."""

    wanted: Wanted

    def __post_init__(self) -> None:
        self.probes = {probe.text: probe for probe in self.wanted.probes}
        self.pruned = {name: pruned_tags(it) for name, it in self.wanted.training.items()}
        self.base: dict[str, list[Look]] = {}

    def score(self, cell: Cell, pictures: Sequence[Image.Image]) -> Score:
        """The verdict on one cell."""
        looks = look_at(pictures, self.wanted.tagger)
        if cell.lora is None:
            self.base[cell.prompt] = looks
        probe, nearest = self.probes.get(cell.prompt), ""
        measures: dict[str, Measure] = {}
        if probe and cell.lora is not None:
            measures = dict(self.measures(probe, looks))
            training = self.wanted.training.get(probe.trigger)
            if probe.kind == "trigger" and training and len(training.looks) > 1:
                measures["copy_risk"], path = copy_risk(looks, training)
                nearest = str(path)
        return score_looks(looks, self.wanted.tags, measures, nearest)

    def measures(self, probe: Probe, looks: Sequence[Look]) -> dict[str, Measure]:
        """What a prompt of its kind tells, as far as base pictures and tags are there."""
        base = self.base.get(probe.text, [])
        found: dict[str, Measure] = {}
        if probe.kind == "trigger":
            own = self.pruned.get(probe.trigger, [])
            if own:
                found["recovery"] = recovery(looks, base, own)
            if others := self.of_others(own):
                found["mixing"] = mixing(looks, base, others)
            if len(looks) > 1 and base:
                found["diversity"] = diversity(looks, base)
        elif probe.kind == "without":
            if taught := self.of_others([]):
                found["bleed"] = bleed(looks, base, taught)
            if len(base) > 1:
                found["leak"] = leak(looks, base)
        elif probe.asked:
            found["obedience"] = obedience(looks, probe.asked)
        return found

    def of_others(self, own: Sequence[str]) -> list[str]:
        """What other subsets teach and this one does not."""
        return sorted({tag for tags in self.pruned.values() for tag in tags} - set(own))


def look_at_training(images: Sequence[ImageFile], tagger: Tagger) -> Training:
    """The pictures of a subset as the tagger sees them."""
    looks = [look_at([open_image(image.path)], tagger)[0] for image in images]
    captions = [split_tags(image.caption) for image in images]
    return Training([image.path for image in images], looks, captions)
