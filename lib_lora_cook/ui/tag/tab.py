"""The step Tag: a tagger, a trigger, what is pruned into it, and the caption editor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

import gradio as gr

from ...dataset.changes import When
from ...dataset.proposals import SUBJECTS
from ...errors import UserError
from .. import show, texts
from ..bench import Bench, Counted, folder_of, several
from ..components import button, choice, fold, line, listen, make, several_of, tick
from ..step import StepTab, Updates, build_head, button_of
from . import tagging
from .editor_tab import EditorHandlers, build_editor
from .other_captions_tab import OtherHandlers, build_other
from .tagging import Finer, Wish, wish_of


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
            label = texts.TAG_THEM.format(count=count, tagger=", ".join(wish.taggers) or "…")
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
        known = tagging.known_tags(wish.taggers, self.bench.host)
        return [tagging.listed(there, wish, known), button_of(label, busy=self.bench.busy), ticks]

    def on_propose(self, dataset: str, there: Counted, asked: Asked) -> tuple[str, str]:
        """(what keeps it from starting, the step to go to) of the proposed button."""
        wish, ticked = asked.wish, asked.ticked
        try:
            folder = folder_of(dataset)
            if tagging.without_caption(there):
                work = tagging.tag_work(folder, wish, asked.finer, self.bench)
                return self.bench.start(texts.TAGGING, work), ""
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
        """Ask the taggers, whatever the captions say."""
        asked = asked_of([], form)
        try:
            work = tagging.tag_work(folder_of(dataset), asked.wish, asked.finer, self.bench)
        except UserError as error:
            return show.problems([str(error)])
        return self.bench.start(texts.TAGGING, work)

    def on_fetch(self, taggers: Any) -> str:
        """Fetch those of the chosen taggers that are not at hand."""
        names = tagging.to_fetch(tagging.names_of(taggers), self.bench.host)
        if not names:
            return show.problems([texts.NOTHING_TO_FETCH])
        title = texts.FETCHING.format(names=", ".join(names))
        return self.bench.start(title, tagging.fetch_work(names, self.bench.host))


@dataclass(frozen=True)
class Asked:
    """Both forms of the step, and the tags that are ticked."""

    wish: Wish
    finer: Finer
    ticked: list[str]


WIDGETS = 5
"""Of the first form; those of the second follow them."""


def asked_of(ticked: list[str] | None, form: Sequence[Any]) -> Asked:
    """What the step's widgets hold, the first form before the second."""
    more: list[Any] = [
        it if isinstance(it, bool) else str(it or "").strip() for it in form[WIDGETS:]
    ]
    return Asked(wish_of(form[:WIDGETS]), Finer(*more), list(ticked or ()))


@dataclass(frozen=True)
class TagTab:
    """What of the step others listen to; form and finer are the widgets of Wish and Finer."""

    head: StepTab
    form: list[Any]
    finer: list[Any]
    ticks: Any


def build_tag(dataset: Any, handlers: TagHandlers) -> TagTab:
    """The step inside the present tab."""
    head = build_head("tag", texts.TAG_HELP)
    host = handlers.bench.host
    names, there = tagging.taggers_of(host), list(host.taggers())
    with gr.Column(elem_classes=["lora_cook_group"]):
        form = [
            several_of("caption_tagger", texts.TAGGER, texts.CAPTION_TAGGER_HELP, names, names[:1]),
            line("threshold", texts.THRESHOLD, texts.THRESHOLD_HELP),
            choice("tag_when", texts.WHEN, texts.WHEN_HELP, list(get_args(When)), "append"),
            choice("kind", texts.KIND, texts.KIND_HELP, list(SUBJECTS)),
            line("trigger", texts.TRIGGER, texts.TRIGGER_HELP),
        ]
    ticks = make(
        gr.CheckboxGroup, label=texts.PRUNE_TICKS, info=texts.PRUNE_TICKS_HELP, choices=[],
        value=[], visible=False, interactive=True, elem_id="lora_cook_prune",
    )  # fmt: skip
    with fold(texts.FINER, "finer"):
        at_hand = texts.AT_HAND.format(there=", ".join(there)) if there else texts.NONE_AT_HAND
        gr.HTML(show.note(at_hand))
        finer = build_finer()
    with gr.Row(elem_classes=["lora_cook_actions"]):
        again = button(texts.TAG_AGAIN, "tag_again", small=True)
        fetch = button(texts.FETCH, "fetch_tagger", small=True)
    listen(again.click, handlers.on_tag, [dataset, *form, *finer], [head.problems])
    listen(fetch.click, handlers.on_fetch, [form[0]], [head.problems])
    build_other(dataset, form[2], OtherHandlers(handlers.bench))
    build_editor(dataset, form[0], EditorHandlers(handlers.bench))
    return TagTab(head, form, finer, ticks)


def build_finer() -> list[Any]:
    """The widgets of a Finer in order."""
    with gr.Column(elem_classes=["lora_cook_group"]):
        return [
            line("tag_character", texts.CHARACTER_THRESHOLD, texts.CHARACTER_THRESHOLD_HELP),
            line("tag_further", texts.FURTHER, texts.FURTHER_HELP),
            choice("tag_rating", texts.RATING_PLACE, texts.RATING_PLACE_HELP,
                   ["none", "first", "last"]),
            line("tag_leave_out", texts.TAG_LEAVE_OUT, texts.TAG_LEAVE_OUT_HELP),
            tick("tag_mcut", texts.MCUT),
            tick("tag_characters_first", texts.CHARACTERS_FIRST),
            tick("tag_expand", texts.EXPAND),
            tick("tag_underscores", texts.UNDERSCORES),
        ]  # fmt: skip
