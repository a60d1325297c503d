"""The step Clean: what the doctor finds, one button that mends it, and the tools in folds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from ...errors import UserError
from .. import show, texts
from ..bench import Bench, Counted, folder_of, several
from ..components import (
    button,
    choice,
    fold,
    hidden,
    html,
    line,
    listen,
    make,
    send,
    then_refresh,
    tick,
)
from ..runner import short_home
from ..said import read_said
from ..step import StepTab, Updates, build_head, button_of
from . import cleaning
from .gallery_tab import GalleryFold, GalleryHandlers, build_gallery

BELOW = 768
NO_TICKS: dict[str, Any] = gr.update(visible=False, value=[])


@dataclass(frozen=True)
class CleanHandlers:
    """The step's events."""

    bench: Bench

    def shown(self, dataset: str, there: Counted) -> Updates:
        """Findings, the proposed button, the ticks, the past, the trash."""
        if not there.images:
            return [show.note(texts.FIRST_GATHER), button_of(""), NO_TICKS, "", ""]
        folder = folder_of(dataset)
        history = [cleaning.past(folder), cleaning.kept(folder)]
        self.forget_if_new(folder, there)
        if folder not in self.bench.looks:
            label = texts.LOOK_OVER.format(count=several(len(there.images), "picture", "pictures"))
            return ["", button_of(label, busy=self.bench.busy), NO_TICKS, *history]
        _, found = self.bench.looks[folder]
        names, ticked = cleaning.mendable(found), cleaning.proposed(found)
        ticks = gr.update(choices=names, value=ticked, visible=bool(names))
        return [cleaning.listed(found), mend_button(ticked, self.bench), ticks, *history]

    def forget_if_new(self, folder: Path, there: Counted) -> None:
        """A look that has not seen all pictures is none."""
        if folder in self.bench.looks:
            look = self.bench.looks[folder][0]
            seen = {it.path for it in look.images} | {path for path, _ in look.broken}
            if not seen.issuperset(it.path for it in there.images):
                self.bench.forget_look(folder)

    def on_ticks(self, dataset: str, ticked: list[str]) -> Any:
        """The proposed button for what is ticked; as it is before there is anything to tick."""
        if folder_of(dataset) not in self.bench.looks:
            return gr.update()
        return mend_button(ticked, self.bench)

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
        if not ticked:
            return "", "tag"
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

    def on_past(self, told: str, dataset: str) -> str:
        """Go back to a point of the past."""
        said = read_said(told)
        try:
            folder = folder_of(dataset)
            answer = cleaning.undo(folder, said.text("to"))
        except UserError as error:
            return show.problem(short_home(str(error)))
        self.bench.forget_look(folder)
        return show.note(short_home(answer))

    def on_empty(self, dataset: str, sure: bool) -> Updates:
        """Empty the trash, if the person is sure: a sentence, and the tick again."""
        if not sure:
            return [show.problem(texts.NOT_SURE), gr.update()]
        try:
            told = cleaning.empty(folder_of(dataset))
        except UserError as error:
            return [show.problem(short_home(str(error))), False]
        return [show.note(told), False]

    def on_tool(self, what: str, dataset: str, below: str, *form: Any) -> str:
        """Use one tool."""
        try:
            folder = folder_of(dataset)
            tools = cleaning.Tools(least_side(below), *(str(it or "") for it in form))
            plan = cleaning.tool_plan(what, tools, folder, self.bench.host)
        except UserError as error:
            return show.problems([str(error)])
        return self.bench.start(what, cleaning.tool_work(folder, what, plan, self.bench))


def mend_button(ticked: list[str], bench: Bench) -> Any:
    """The proposed button once the dataset has been looked over."""
    label = texts.MEND if ticked else texts.GO_ON.format(step=texts.TAG)
    return button_of(label, busy=bench.busy)


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
    trash: Any
    gallery: GalleryFold


def build_clean(dataset: Any, handlers: CleanHandlers) -> CleanTab:
    """The step inside the present tab."""
    head = build_head("clean", texts.CLEAN_HELP)
    ticks = make(
        gr.CheckboxGroup, label=texts.TICKS, info=texts.TICKS_HELP, choices=[], value=[],
        visible=False, interactive=True, elem_id="lora_cook_mends",
    )  # fmt: skip
    with gr.Row(elem_classes=["lora_cook_actions"]):
        again = button(texts.LOOK_AGAIN_CLEAN, "look_over_again", small=True)
        undo = button(texts.UNDO, "undo", small=True)
    gallery = build_gallery(dataset, GalleryHandlers(handlers.bench))
    below = build_tools(dataset, handlers, head)
    past, trash = build_past(dataset, handlers)
    listen(ticks.change, handlers.on_ticks, [dataset, ticks], [head.propose])
    listen(again.click, handlers.on_again, [dataset, below], [head.problems])
    then_refresh(listen(undo.click, handlers.on_undo, [dataset], [head.problems]))
    return CleanTab(head, ticks, below, past, trash, gallery)


def build_tools(dataset: Any, handlers: CleanHandlers, head: StepTab) -> Any:
    """What is done to all pictures at once; returns the least side."""
    bench = handlers.bench
    below = str(bench.starter.below if bench.starter else BELOW)
    names = [it for it in bench.host.upscalers() if it != "None"]
    with fold(texts.TOOLS, "clean_tools"):
        with gr.Column(elem_classes=["lora_cook_group"]):
            form = [
                line("below", texts.BELOW, texts.BELOW_HELP, below),
                line("background", texts.BACKGROUND, texts.BACKGROUND_HELP, "white"),
                choice("convert_to", texts.TO, texts.TO_HELP, ["png", "jpg", "webp", "bmp"]),
                choice("upscaler", texts.UPSCALER, texts.UPSCALER_HELP, names),
            ]
        with gr.Row(elem_classes=["lora_cook_actions"]):
            for number, what in enumerate(texts.TOOL_BUTTONS):
                tool = button(what, f"tool_{number}", small=True)
                listen(
                    tool.click, lambda *form, what=what: handlers.on_tool(what, *form),
                    [dataset, *form], [head.problems],
                )  # fmt: skip
    return form[0]


def build_past(dataset: Any, handlers: CleanHandlers) -> tuple[Any, Any]:
    """(what was done to the dataset, what lies in its trash)."""
    with fold(texts.HISTORY, "history"):
        told, past, trash = html("past_told"), html("past"), html("trash")
        with gr.Row(elem_classes=["lora_cook_actions"]):
            sure = tick("sure", texts.SURE)
            empty = button(texts.EMPTY_TRASH, "empty_trash", small=True)
    then_refresh(send(hidden("past_act"), handlers.on_past, "past", [dataset], [told]))
    then_refresh(listen(empty.click, handlers.on_empty, [dataset, sure], [told, sure]))
    return past, trash
