"""What joins the steps: the dataset at the top, and each step as it stands with it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr

from .bench import Bench
from .clean.tab import CleanHandlers
from .components import go_to
from .cook import planning
from .gather.tab import GatherHandlers
from .step import Updates
from .tag import tagging
from .tag.tab import TagHandlers, asked_of
from .tag.tagging import Wish, wish_of

KEEP: dict[str, Any] = gr.update()
BATCH = 2
"""Pictures a step, for repeats and epochs; the guide's proposal hardly depends on it."""


@dataclass(frozen=True)
class StepHandlers:
    """The events of the steps that come before Cook."""

    bench: Bench
    gather: GatherHandlers
    clean: CleanHandlers
    tag: TagHandlers

    def on_load(self) -> Updates:
        """The dataset that the page opens with, then what `on_refresh` gives."""
        dataset = self.bench.first_folder()
        wish = Wish(tuple(self.taggers()[:1]), "", "append", "character", "")
        return [dataset, *self.on_refresh(dataset, *vars(wish).values())]

    def taggers(self) -> list[str]:
        """The taggers of the page."""
        return tagging.taggers_of(self.bench.host)

    def on_dataset(self, dataset: str, *form: Any) -> Updates:
        """Another dataset: image_dir, and what `on_refresh` gives with its own trigger."""
        name = (dataset or "").strip()
        self.bench.remember("page", {"dataset": name})
        return [name, *self.on_refresh(name, *form[:4], "")]

    def on_refresh(self, dataset: str, *form: Any) -> Updates:
        """Gather's 3, Clean's 5, Tag's 3, then the trigger."""
        dataset = (dataset or "").strip()
        there = self.bench.count(dataset)
        wish = wish_of(form)
        if not wish.trigger:
            wish = replace(wish, trigger=tagging.trigger_for(dataset, there, self.bench))
        return [
            *self.gather.shown(there),
            *self.clean.shown(dataset, there),
            *self.tag.shown(dataset, there, wish),
            wish.trigger or KEEP,
        ]  # fmt: skip

    def on_propose_gather(self, dataset: str) -> Updates:
        """The proposed button of Gather: problems, and the step to go to."""
        told, step = self.gather.on_propose(dataset, self.bench.last_count(dataset))
        return [told, go_to(step)]

    def on_propose_clean(self, dataset: str, ticked: list[str], below: str) -> Updates:
        """The proposed button of Clean: problems, and the step to go to."""
        told, step = self.clean.on_propose(dataset, self.bench.last_count(dataset), ticked, below)
        return [told, go_to(step)]

    def on_propose_tag(self, dataset: str, ticked: list[str], *form: Any) -> Updates:
        """The proposed button of Tag: problems, the step, then what `cook_values` gives."""
        name, asked = (dataset or "").strip(), asked_of(ticked, form)
        told, step = self.tag.on_propose(name, self.bench.last_count(name), asked)
        return [told, go_to(step), *(cook_values(name, asked.wish.trigger) if step else [KEEP] * 5)]


def cook_values(dataset: str, trigger: str) -> Updates:
    """image_dir, class_tokens, output_name, num_repeats and max_train_epochs for a dataset."""
    plain = "".join(it for it in trigger or Path(dataset).name if it not in '/\\:*?"<>|')
    found = planning.proposal(dataset, BATCH)
    numbers = [planning.repeats_of(found), str(found.epochs)] if found else [KEEP, KEEP]
    return [dataset, trigger, plain or KEEP, *numbers]
