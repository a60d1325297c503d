"""The step Clean: what the doctor finds, one button that mends it, and the tools in folds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from ..errors import UserError
from . import cleaning, show, texts
from .bench import Bench, Counted, folder_of, several
from .components import button, fold, html, line, listen, make
from .gallery_tab import GalleryFold, GalleryHandlers, build_gallery
from .gather_tab import StepTab, Updates, build_head, button_of
from .runner import short_home

BELOW = 768


@dataclass(frozen=True)
class CleanHandlers:
    """The step's events."""

    bench: Bench

    def shown(self, dataset: str, there: Counted) -> Updates:
        """Findings, the proposed button, the ticks, the past."""
        if not there.images:
            return [show.note(texts.FIRST_GATHER), button_of(""), gr.update(visible=False), ""]
        folder = folder_of(dataset)
        past = cleaning.past(folder)
        if folder not in self.bench.looks:
            label = texts.LOOK_OVER.format(count=several(len(there.images), "picture", "pictures"))
            return ["", button_of(label, busy=self.bench.busy), gr.update(visible=False), past]
        _, found = self.bench.looks[folder]
        names = cleaning.mendable(found)
        label = texts.MEND if names else texts.GO_ON.format(step=texts.TAG)
        ticks = gr.update(choices=names, value=names, visible=bool(names))
        return [cleaning.listed(found), button_of(label, busy=self.bench.busy), ticks, past]

    def on_propose(
        self, dataset: str, there: Counted, ticked: list[str], below: str
    ) -> tuple[str, str]:
        """(what keeps it from starting, the step to go to) of the proposed button."""
        try:
            folder, least = folder_of(dataset), least_side(below)
        except UserError as error:
            return show.problems([str(error)]), ""
        if folder not in self.bench.looks:
            work = cleaning.look_work(folder, least, self.bench)
            return self.bench.start(texts.LOOKING, work), ""
        if not cleaning.mendable(self.bench.looks[folder][1]):
            return "", "tag"
        if not ticked:
            return show.problems([texts.NOTHING_TICKED]), ""
        work = cleaning.mend_work(folder, ticked, least, self.bench)
        return self.bench.start(texts.MENDING, work), ""

    def on_again(self, dataset: str, below: str) -> str:
        """Look once more."""
        try:
            work = cleaning.look_work(folder_of(dataset), least_side(below), self.bench)
        except UserError as error:
            return show.problems([str(error)])
        return self.bench.start(texts.LOOKING, work)

    def on_undo(self, dataset: str) -> str:
        """Take the last operation back."""
        try:
            folder = folder_of(dataset)
            told = cleaning.undo(folder)
        except UserError as error:
            return show.problems([short_home(str(error))])
        self.bench.forget_look(folder)
        return show.note(short_home(told))

    def on_tool(self, what: str, dataset: str, below: str, background: str) -> str:
        """Use one tool."""
        try:
            folder = folder_of(dataset)
            plan = cleaning.tool_plans(least_side(below), background, folder)[what]
        except UserError as error:
            return show.problems([str(error)])
        return self.bench.start(what, cleaning.tool_work(folder, what, plan, self.bench))

    def on_crop(self, dataset: str, name: str, box: str, copy: bool) -> str:
        """Cut one picture."""
        try:
            folder = folder_of(dataset)
            told = cleaning.crop_one(folder, name, box, copy)
        except UserError as error:
            return show.problems([short_home(str(error))])
        self.bench.forget_look(folder)
        return show.note(told)


def least_side(text: str) -> int:
    """The least side in pixels; UserError where it is no number."""
    try:
        side = int(text)
    except (TypeError, ValueError):
        side = 0
    if side < 1:
        wanted = texts.WANTED["whole"]
        raise UserError(texts.IS_NOT.format(name=texts.BELOW, value=text, wanted=wanted))
    return side


@dataclass(frozen=True)
class CleanTab:
    """What of the step others listen to."""

    head: StepTab
    ticks: Any
    below: Any
    past: Any
    undo: Any
    gallery: GalleryFold


def build_clean(dataset: Any, handlers: CleanHandlers) -> CleanTab:
    """The step inside the present tab."""
    head = build_head("clean", texts.CLEAN_HELP)
    starter = handlers.bench.starter
    ticks = make(
        gr.CheckboxGroup, label=texts.TICKS, info=texts.TICKS_HELP, choices=[], value=[],
        visible=False, interactive=True, elem_id="lora_cook_mends",
    )  # fmt: skip
    with gr.Row(elem_classes=["lora_cook_actions"]):
        again = button(texts.LOOK_AGAIN_CLEAN, "look_over_again", small=True)
        undo = button(texts.UNDO, "undo", small=True)
    gallery = build_gallery(dataset, GalleryHandlers(handlers.bench))
    with fold(texts.TOOLS, "clean_tools"):
        with gr.Column(elem_classes=["lora_cook_group"]):
            below = line("below", texts.BELOW, texts.BELOW_HELP,
                         str(starter.below if starter else BELOW))  # fmt: skip
            ground = line("background", texts.BACKGROUND, texts.BACKGROUND_HELP, "white")
        with gr.Row(elem_classes=["lora_cook_actions"]):
            for number, what in enumerate((texts.TO_PNG, texts.FLATTEN, texts.SET_ASIDE)):
                tool = button(what, f"tool_{number}", small=True)
                listen(
                    tool.click, lambda *form, what=what: handlers.on_tool(what, *form),
                    [dataset, below, ground], [head.problems],
                )  # fmt: skip
    _build_crop(dataset, handlers, head)
    with fold(texts.HISTORY, "history"):
        past = html("past")
    listen(again.click, handlers.on_again, [dataset, below], [head.problems])
    listen(undo.click, handlers.on_undo, [dataset], [head.problems])
    return CleanTab(head, ticks, below, past, undo, gallery)


def _build_crop(dataset: Any, handlers: CleanHandlers, head: StepTab) -> None:
    """Cutting one picture: by numbers, or with a box drawn on it in the gallery."""
    with fold(texts.CROP_FOLD, "crop_fold"):
        with gr.Column(elem_classes=["lora_cook_group"]):
            name = line("crop_name", texts.CROP_NAME, texts.CROP_NAME_HELP)
            box = line("crop_box", texts.CROP_BOX, texts.CROP_BOX_HELP)
            copy = make(gr.Checkbox, label=texts.CROP_COPY, value=False, interactive=True,
                        elem_id="lora_cook_crop_copy")  # fmt: skip
        with gr.Row(elem_classes=["lora_cook_actions"]):
            crop = button(texts.CROP, "crop", small=True)
    listen(crop.click, handlers.on_crop, [dataset, name, box, copy], [head.problems])
