"""The caption editor's fold: filter, write, batch work, a look at the difference, undo, save."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from ...dataset.captions import split_tags
from ...errors import UserError
from ...jobs import Job
from .. import show, texts
from ..bench import Bench, desk_of, folder_of, several
from ..components import (  # fmt: skip
    button,
    choice,
    fold,
    hidden,
    html,
    line,
    listen,
    send,
    then_refresh,
    tick,
)
from ..desk import Desk
from ..runner import Outcome, short_home
from ..said import Said, read_said
from ..step import Updates
from . import editing, editor_view, tagging
from .editing import Form, form_of, found

KEEP: dict[str, Any] = gr.update()
Act = Callable[[Desk, Form], str]
"""Does something with the captions; a sentence, or HTML that begins with a tag of ours."""
LARGE = 500
"""Captions from which saving is work with a bar."""


@dataclass(frozen=True)
class EditorHandlers:
    """The fold's events; each gives a sentence, the tags and the captions as they stand."""

    bench: Bench

    def answer(
        self, act: Act, dataset: str, values: tuple[Any, ...], fresh: bool = False
    ) -> Updates:
        """Do something with the captions, and show them."""
        form = form_of(values)
        try:
            desk = desk_of(folder_of(dataset), self.bench, fresh)
            with desk.lock:
                told = act(desk, form)
                rows = found(desk, form)
                head = editor_view.head(desk, form, rows)
                shown = editor_view.rows_of(desk, rows, self.bench.small_copies)
        except UserError as error:
            return [show.problem(short_home(str(error))), KEEP, KEEP]
        return [told if told.startswith("<") else show.note(short_home(told)), head, shown]

    def on_open(self, dataset: str, *values: Any) -> Updates:
        """The captions that are meant, from the first."""

        def first(desk: Desk, form: Form) -> str:
            desk.page = 0
            return ""

        return self.answer(first, dataset, values, fresh=True)

    def on_look(self, dataset: str, *values: Any) -> Updates:
        """What the operation would do."""
        form = form_of(values)
        try:
            desk = desk_of(folder_of(dataset), self.bench)
            tokenize = editing.tokenizer_for(self.bench, form)
            return ["", KEEP, editor_view.differences(desk, form, tokenize)]
        except UserError as error:
            return [show.problem(short_home(str(error))), KEEP, KEEP]

    def on_apply(self, dataset: str, *values: Any) -> Updates:
        """Do it in memory."""
        return self.answer(
            lambda desk, form: editing.apply(
                desk, form, editing.tokenizer_for(self.bench, form)
            ),
            dataset, values,
        )  # fmt: skip

    def on_undo(self, dataset: str, *values: Any) -> Updates:
        """Take the last edit back."""
        return self.answer(
            lambda desk, _: told_of(texts.UNDID, desk.editor.undo()), dataset, values
        )

    def on_redo(self, dataset: str, *values: Any) -> Updates:
        """Make it again."""
        return self.answer(
            lambda desk, _: told_of(texts.REDID, desk.editor.redo()), dataset, values
        )

    def on_save(self, dataset: str, *values: Any) -> Updates:
        """Write what differs; many captions with a bar."""
        return self.answer(lambda desk, _: self.save(desk), dataset, values)

    def save(self, desk: Desk) -> str:
        """Write what differs, and say what another program has changed meanwhile."""
        if len(desk.editor.unsaved()) >= LARGE:
            return self.bench.start(texts.SAVING, save_work(desk, self.bench)) or texts.SAVING
        applied = desk.editor.save()
        self.bench.forget_captions(desk.editor.folder)
        told = show.note(editing.saved(len(applied.applied)))
        clash = [path.name for path, _ in applied.failed]
        return told + (editor_view.clashes(clash) if clash else "")

    def on_press(self, said_text: str, dataset: str, *values: Any) -> Updates:
        """What the script asks for."""
        said = read_said(said_text)
        if said.act == "write":
            return [*self.answer(lambda desk, _: wrote(desk, said), dataset, values)[:2], KEEP]
        if said.act == "choose":
            return [*self.answer(lambda desk, _: chose(desk, said), dataset, values)[:2], KEEP]
        return self.answer(lambda desk, form: self.pressed(desk, form, said), dataset, values)

    def pressed(self, desk: Desk, form: Form, said: Said) -> str:
        """Turn the page, select, or settle what another program has changed; a sentence."""
        desk.page += {"next": 1, "previous": -1}.get(said.act, 0)
        if said.act == "all":
            desk.selected |= set(found(desk, form))
        elif said.act == "none":
            desk.selected.clear()
        elif said.act == "theirs":
            count = desk.editor.take_theirs(desk.editor.unsaved())
            return texts.TOOK_THEIRS.format(count=several(count, "caption", "captions"))
        elif said.act == "ours":
            desk.editor.keep_ours(desk.editor.unsaved())
            return self.save(desk)
        return ""

    def on_complete(self, said_text: str, dataset: str, taggers: Any) -> str:
        """Tags for what is being typed."""
        said = read_said(said_text)
        try:
            desk = desk_of(folder_of(dataset), self.bench)
        except UserError:
            return ""
        known = tagging.known_tags(tagging.names_of(taggers), self.bench.host)
        others = split_tags(said.text("others"))
        return editor_view.offered(desk, said.text("typed"), known, others)


def told_of(text: str, what: str) -> str:
    """What was taken back or made again."""
    return text.format(what=what) if what else texts.NOTHING_MORE


def wrote(desk: Desk, said: Said) -> str:
    """A new caption for one row; UserError for a row that is none."""
    row = said.number("row")
    if not 0 <= row < len(desk.editor):
        raise UserError(texts.NO_PICTURE, str(row))
    desk.editor.write(row, said.text("text"))
    return ""


def chose(desk: Desk, said: Said) -> str:
    """Pick one row out, or no longer."""
    desk.selected ^= {said.number("row")} & set(range(len(desk.editor)))
    return ""


def save_work(desk: Desk, bench: Bench) -> Callable[[Job], Outcome]:
    """Write what differs, with a bar."""

    def work(job: Job) -> Outcome:
        with job.stage(texts.SAVING), desk.lock:
            applied = desk.editor.save(job)
        bench.forget_captions(desk.editor.folder)
        for path, why in applied.failed:
            job.log(f"{path.name}: {why}")
        return Outcome(editing.saved(len(applied.applied)))

    return work


def build_editor(dataset: Any, taggers: Any, handlers: EditorHandlers) -> None:
    """The fold inside the present tab."""
    with fold(texts.EDITOR, "editor"):
        form = [*build_filter(), *build_operation()]
        acts = {
            "edit_open": (texts.EDIT_OPEN, handlers.on_open),
            "edit_look": (texts.EDIT_LOOK, handlers.on_look),
            "edit_apply": (texts.EDIT_APPLY, handlers.on_apply),
            "edit_undo": (texts.EDIT_UNDO, handlers.on_undo),
            "edit_redo": (texts.EDIT_REDO, handlers.on_redo),
            "edit_save": (texts.EDIT_SAVE, handlers.on_save),
        }
        with gr.Row(elem_classes=["lora_cook_actions"]):
            buttons = {name: button(label, name, small=True) for name, (label, _) in acts.items()}
        shown = [html("edit_told"), html("edit_head"), html("edit_view")]
        offers = html("complete_view")
    for name, (_, handler) in acts.items():
        answered = listen(buttons[name].click, handler, [dataset, *form], shown)
        if name == "edit_save":
            then_refresh(answered)
    send(hidden("editor_act"), handlers.on_press, "editor", [dataset, *form], shown)
    send(hidden("complete_act"), handlers.on_complete, "complete", [dataset, taggers], [offers])


def build_filter() -> list[Any]:
    """Which captions are meant."""
    with gr.Column(elem_classes=["lora_cook_group"]):
        return [
            line("edit_having", texts.EDIT_HAVING, texts.EDIT_HAVING_HELP),
            line("edit_any", texts.EDIT_ANY, texts.EDIT_ANY_HELP),
            line("edit_lacking", texts.EDIT_LACKING, texts.EDIT_LACKING_HELP),
            line("edit_pattern", texts.EDIT_PATTERN, texts.EDIT_PATTERN_HELP),
            choice("edit_where", texts.EDIT_WHERE, texts.EDIT_WHERE_HELP, list(texts.WHERE)),
            tick("edit_only", texts.EDIT_ONLY),
            choice("edit_order", texts.EDIT_ORDER, texts.EDIT_ORDER_HELP, list(texts.ORDERS)),
            line("edit_search", texts.EDIT_SEARCH, texts.EDIT_SEARCH_HELP),
        ]


def build_operation() -> list[Any]:
    """What is done with them."""
    with gr.Column(elem_classes=["lora_cook_group"]):
        return [
            choice("edit_operation", texts.EDIT_OPERATION, texts.EDIT_OPERATION_HELP,
                   list(editing.OPERATIONS)),
            line("edit_first", texts.EDIT_FIRST, texts.EDIT_FIRST_HELP),
            line("edit_second", texts.EDIT_SECOND, texts.EDIT_SECOND_HELP),
            tick("edit_regex", texts.EDIT_REGEX),
        ]  # fmt: skip
