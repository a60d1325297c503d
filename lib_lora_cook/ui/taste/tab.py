"""The step Taste: a run's LoRA files x weights x prompts, drawn as one sheet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from .. import texts
from ..components import button, field, fold, hidden, html, listen, make, send, tick
from ..form import Widget
from ..handlers import Handlers
from .sheet_tab import SheetHandlers


@dataclass(frozen=True)
class TasteTab:
    """What of the step others listen to."""

    fields: dict[str, Any]
    run: Any
    files: Any
    tags: Any
    tagger: Any
    after: Any
    draw: Any
    problems: Any
    sheet: Any
    pick: Any
    note: Any
    tray: Any


def build_taste(widgets: list[Widget], handlers: Handlers, sheets: SheetHandlers) -> TasteTab:
    """The step inside the present tab."""
    fields: dict[str, Any] = {}
    run, files, again, note = _build_choice()
    with gr.Column(elem_classes=["lora_cook_group"]):
        fields |= {it.name: field(it) for it in widgets if it.main}
        tags, tagger = _build_wanted(list(handlers.host.taggers()))
    with gr.Row(elem_classes=["lora_cook_actions"]):
        propose = button(texts.PROPOSE_PROMPTS, "propose_prompts", small=True)
    with fold(texts.MORE_SWEEP, "more_sweep"), gr.Column(elem_classes=["lora_cook_group"]):
        fields |= {it.name: field(it) for it in widgets if not it.main}
    with gr.Row(elem_classes=["lora_cook_actions"]):
        draw = make(gr.Button, value=texts.DRAW, variant="primary", elem_id="lora_cook_draw")
    after = tick("sheet_after", texts.SHEET_AFTER, texts.SHEET_AFTER_HELP, value=True)
    problems = gr.HTML("", elem_id="lora_cook_taste_problems")
    pick = gr.HTML("", elem_id="lora_cook_pick")
    tray = html("tray")
    large, told = html("sheet_zoom"), html("sheet_told")
    under, taken = gr.State(0), gr.State([])
    with fold(texts.SHEET_FOLD, "sheet_fold"):
        sheet = make(
            gr.Image, label=texts.SHEET, type="filepath", interactive=False, visible=False,
            elem_id="lora_cook_sheet",
            show_share_button=False, buttons=["download", "fullscreen"],  # no sharing
        )  # fmt: skip
    outputs = [run, files, fields["prompts"], note]
    listen(again.click, handlers.on_runs, [fields["prompts"]], outputs)
    listen(run.change, handlers.on_run, [run, fields["prompts"]], [files, fields["prompts"]])
    listen(after.change, handlers.on_after, [after], [])
    listen(propose.click, handlers.on_prompts, [run], [fields["prompts"]])
    answered = [large, told, under, taken, run, files]
    send(hidden("sheet_act"), sheets.on_said, "sheet", [under, taken], answered)
    fields = {it.name: fields[it.name] for it in widgets}
    return TasteTab(
        fields, run, files, tags, tagger, after, draw, problems, sheet, pick, note, tray
    )


def _build_choice() -> tuple[Any, Any, Any, Any]:
    """The run and its LoRA files, the button that looks for them again, and a sentence."""
    note = gr.HTML("", elem_id="lora_cook_runs_note")
    with gr.Column(elem_classes=["lora_cook_group"]):
        run = make(
            gr.Dropdown, label=texts.RUN, info=texts.RUN_HELP, choices=[], value=None,
            allow_custom_value=True, interactive=True, elem_id="lora_cook_run",
        )  # fmt: skip
        files = make(
            gr.CheckboxGroup, label=texts.EPOCHS, info=texts.EPOCHS_HELP, choices=[], value=[],
            interactive=True, elem_id="lora_cook_files",
        )  # fmt: skip
    with gr.Row(elem_classes=["lora_cook_actions"]):
        again = make(gr.Button, value=texts.LOOK_AGAIN, size="sm", elem_id="lora_cook_look_again")
    return run, files, again, note


def _build_wanted(taggers: list[str]) -> tuple[Any, Any]:
    """The tags that should show, and who looks for them."""
    tags = make(
        gr.Textbox, label=texts.TAGS, info=texts.TAGS_HELP, lines=1, max_lines=1,
        interactive=True, elem_id="lora_cook_tags", elem_classes=["lora_cook_setting"],
    )  # fmt: skip
    choices = [texts.NO_TAGGER, *taggers]
    tagger = make(
        gr.Dropdown, label=texts.TAGGER, info=texts.TAGGER_HELP, choices=choices,
        value=choices[-1] if taggers else choices[0], interactive=True,
        elem_id="lora_cook_tagger", elem_classes=["lora_cook_setting"],
    )  # fmt: skip
    return tags, tagger
