"""The caption editor's fold: filter, batch work, a look at the difference, undo, save."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from ..dataset.editor import Editor
from ..errors import UserError
from . import editing, show, texts
from .bench import Bench, folder_of
from .components import button, choice, fold, html, line, listen
from .editing import Batch
from .gather_tab import Updates
from .runner import short_home

Act = Callable[[Editor, Batch], str]


@dataclass(frozen=True)
class EditorHandlers:
    """The fold's events; each gives a sentence and the captions as they stand."""

    bench: Bench

    def answer(self, act: Act, dataset: str, form: tuple[Any, ...]) -> Updates:
        """Do something with the editor."""
        batch = Batch(*(str(it or "") for it in form))
        try:
            editor = editing.editor_of(folder_of(dataset), self.bench)
            told = act(editor, batch)
            return [show.note(short_home(told)), editing.shown(editor, batch)]
        except UserError as error:
            return [show.problems([short_home(str(error))]), gr.update()]

    def on_open(self, dataset: str, *form: Any) -> Updates:
        """The captions that are meant."""
        return self.answer(lambda editor, batch: "", dataset, form)

    def on_look(self, dataset: str, *form: Any) -> Updates:
        """What the operation would do."""
        batch = Batch(*(str(it or "") for it in form))
        try:
            editor = editing.editor_of(folder_of(dataset), self.bench)
            return ["", editing.differences(editor, batch)]
        except UserError as error:
            return [show.problems([short_home(str(error))]), gr.update()]

    def on_apply(self, dataset: str, *form: Any) -> Updates:
        """Do it in memory."""
        return self.answer(editing.apply, dataset, form)

    def on_undo(self, dataset: str, *form: Any) -> Updates:
        """Take the last edit back."""
        return self.answer(lambda editor, batch: editor.undo(), dataset, form)

    def on_redo(self, dataset: str, *form: Any) -> Updates:
        """Make it again."""
        return self.answer(lambda editor, batch: editor.redo(), dataset, form)

    def on_save(self, dataset: str, *form: Any) -> Updates:
        """Write what differs."""
        return self.answer(lambda editor, batch: editing.save(editor), dataset, form)


def build_editor(dataset: Any, handlers: EditorHandlers) -> None:
    """The fold inside the present tab."""
    with fold(texts.EDITOR, "editor"):
        with gr.Column(elem_classes=["lora_cook_group"]):
            form = [
                line("edit_tags", texts.EDIT_TAGS, texts.EDIT_TAGS_HELP),
                choice("edit_mode", texts.EDIT_MODE, texts.EDIT_MODE_HELP, ["and", "or", "none"]),
                choice("edit_operation", texts.EDIT_OPERATION, texts.EDIT_OPERATION_HELP,
                       list(editing.OPERATIONS)),
                line("edit_first", texts.EDIT_FIRST, texts.EDIT_FIRST_HELP),
                line("edit_second", texts.EDIT_SECOND, texts.EDIT_SECOND_HELP),
            ]  # fmt: skip
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
        told, view = html("edit_told"), html("edit_view")
    for name, (_, handler) in acts.items():
        listen(buttons[name].click, handler, [dataset, *form], [told, view])
