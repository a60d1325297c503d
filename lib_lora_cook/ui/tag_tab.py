"""The step Tag: a tagger, a trigger, what is pruned into it, and the caption editor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

import gradio as gr

from ..dataset.changes import When
from ..dataset.proposals import SUBJECTS
from ..errors import UserError
from . import show, tagging, texts
from .bench import Bench, Counted, folder_of, several
from .components import button, choice, line, listen, make
from .editor_tab import EditorHandlers, build_editor
from .gather_tab import StepTab, Updates, build_head, button_of
from .tagging import Wish, wish_of


@dataclass(frozen=True)
class TagHandlers:
    """The step's events."""

    bench: Bench

    def shown(self, dataset: str, there: Counted, wish: Wish) -> Updates:
        """What the captions say, the proposed button, the tags to prune."""
        if not there.images:
            return [show.note(texts.FIRST_GATHER), button_of(""), gr.update(visible=False)]
        if tagging.without_caption(there):
            count = several(len(there.images), "picture", "pictures")
            label = texts.TAG_THEM.format(count=count, tagger=wish.tagger)
            return [
                tagging.listed(there, wish),
                button_of(label, busy=self.bench.busy),
                gr.update(visible=False),
            ]
        found = tagging.proposals(there, wish.kind, wish.trigger)
        prune = [it.tag for it in found if it.prune]
        if prune or not wish.trigger or tagging.without_trigger(there, wish.trigger):
            label = texts.PRUNE_BUTTON.format(
                count=several(len(prune), "tag", "tags"), trigger=wish.trigger or "…"
            )
        else:
            label = texts.GO_ON.format(step=texts.COOK)
        ticks = gr.update(choices=[it.tag for it in found], value=prune, visible=bool(found))
        return [tagging.listed(there, wish), button_of(label, busy=self.bench.busy), ticks]

    def on_propose(
        self, dataset: str, there: Counted, wish: Wish, ticked: list[str]
    ) -> tuple[str, str]:
        """(what keeps it from starting, the step to go to) of the proposed button."""
        try:
            folder = folder_of(dataset)
            if tagging.without_caption(there):
                return self.bench.start(
                    texts.TAGGING, tagging.tag_work(folder, wish, self.bench)
                ), ""
        except UserError as error:
            return show.problems([str(error)]), ""
        if not wish.trigger:
            return show.problems([texts.NO_TRIGGER]), ""
        prune = [it.tag for it in tagging.proposals(there, wish.kind, wish.trigger) if it.prune]
        if not (prune or tagging.without_trigger(there, wish.trigger)):
            return "", "cook"
        self.bench.remember("trigger", {dataset: wish.trigger})
        told = str(self.bench.recall("sweep").get("tags", ""))
        tags = ", ".join(dict.fromkeys([*filter(None, told.split(", ")), *ticked]))
        self.bench.remember("sweep", {"tags": tags})
        work = tagging.prune_work(folder, wish.trigger, ticked, self.bench)
        return self.bench.start(texts.PRUNING, work), ""

    def on_tag(self, dataset: str, *form: Any) -> str:
        """Ask the tagger, whatever the captions say."""
        wish = wish_of(form)
        try:
            work = tagging.tag_work(folder_of(dataset), wish, self.bench)
        except UserError as error:
            return show.problems([str(error)])
        return self.bench.start(texts.TAGGING, work)


@dataclass(frozen=True)
class TagTab:
    """What of the step others listen to; `form` are the widgets of a Wish in order."""

    head: StepTab
    form: list[Any]
    ticks: Any


def build_tag(dataset: Any, handlers: TagHandlers) -> TagTab:
    """The step inside the present tab."""
    head = build_head("tag", texts.TAG_HELP)
    names = tagging.taggers_of(handlers.bench.host)
    with gr.Column(elem_classes=["lora_cook_group"]):
        form = [
            choice("caption_tagger", texts.TAGGER, texts.CAPTION_TAGGER_HELP, names),
            line("threshold", texts.THRESHOLD, texts.THRESHOLD_HELP),
            choice("tag_when", texts.WHEN, texts.WHEN_HELP, list(get_args(When)), "append"),
            choice("kind", texts.KIND, texts.KIND_HELP, list(SUBJECTS)),
            line("trigger", texts.TRIGGER, texts.TRIGGER_HELP),
        ]
    ticks = make(
        gr.CheckboxGroup, label=texts.PRUNE_TICKS, info=texts.PRUNE_TICKS_HELP, choices=[],
        value=[], visible=False, interactive=True, elem_id="lora_cook_prune",
    )  # fmt: skip
    with gr.Row(elem_classes=["lora_cook_actions"]):
        again = button(texts.TAG_AGAIN, "tag_again", small=True)
    listen(
        again.click, handlers.on_tag,
        [dataset, *form], [head.problems],
    )  # fmt: skip
    build_editor(dataset, EditorHandlers(handlers.bench))
    return TagTab(head, form, ticks)
