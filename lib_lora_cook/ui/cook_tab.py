"""The step Cook: the main settings open, every other one in a fold that can be searched."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Any

import gradio as gr

from . import show, texts
from .components import field, listen, make
from .form import Widget
from .handlers import Handlers
from .recipe_tab import RecipeHandlers, build_folds, build_recipe


@dataclass(frozen=True)
class CookTab:
    """What of the step others listen to."""

    fields: dict[str, Any]
    start: Any
    problems: Any
    planned: list[Any]
    """What the sentence about the folder is made of, then what it goes to."""


def build_cook(widgets: list[Widget], handlers: Handlers, recipes: RecipeHandlers) -> CookTab:
    """The step inside the present tab."""
    fields: dict[str, Any] = {}
    recipe = build_recipe(recipes)
    with gr.Column(elem_classes=["lora_cook_group", "lora_cook_main"]):
        fields |= {it.name: field(it) for it in widgets if it.main}
    planned = _build_plan(fields, handlers)
    with gr.Row(elem_classes=["lora_cook_actions"]):
        start = make(gr.Button, value=texts.START, variant="primary", elem_id="lora_cook_start")
    gr.HTML(show.note(texts.START_HELP))
    problems = gr.HTML("", elem_id="lora_cook_problems")
    with gr.Accordion(texts.MORE_SETTINGS, open=False, elem_id="lora_cook_settings"):
        make(
            gr.Textbox, label=texts.SEARCH, placeholder=texts.SEARCH_HINT, max_lines=1,
            elem_id="lora_cook_search",
        )  # fmt: skip
        rest = [it for it in widgets if not it.main]
        for group, members in groupby(rest, key=lambda it: it.group):
            with gr.Column(elem_classes=["lora_cook_group"]):
                gr.HTML(f"<h3>{show.plain(texts.GROUPS[group])}</h3>")
                fields |= {it.name: field(it) for it in members}
    build_folds(fields, recipe, problems, recipes)
    return CookTab({it.name: fields[it.name] for it in widgets}, start, problems, planned)


def _build_plan(fields: dict[str, Any], handlers: Handlers) -> list[Any]:
    """The sentence about the folder, and the button that takes its numbers over."""
    with gr.Row(elem_classes=["lora_cook_actions"]):
        sentence = gr.HTML(show.note(texts.PLAN_EMPTY), elem_id="lora_cook_plan")
        use = make(
            gr.Button, value=texts.USE_PLAN, visible=False, size="sm", scale=0, min_width=160,
            elem_id="lora_cook_use_plan",
        )  # fmt: skip
    numbers = gr.State([])
    asked = [fields["image_dir"], fields["train_batch_size"]]
    for event in (fields["image_dir"].change, fields["train_batch_size"].change):
        listen(event, handlers.on_folder, asked, [sentence, use, numbers])
    filled = [fields["num_repeats"], fields["max_train_epochs"]]
    listen(use.click, handlers.on_use_plan, [numbers], filled)
    return [*asked, sentence, use, numbers]
