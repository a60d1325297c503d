"""The step Cook: the main settings open, every other one in a fold that can be searched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import gradio as gr

from .. import show, texts
from ..components import field, listen, make
from ..form import Widget
from .kept_tab import KeptHandlers, build_kept
from .plan_tab import PlanHandlers, build_plan
from .queue_tab import QueueHandlers, Taste, build_queue
from .recipe_tab import RecipeHandlers, build_folds, build_recipe

Look = tuple[Callable[..., Any], list[Any], list[Any]]
"""A function, what it is given, where its answer goes."""


@dataclass(frozen=True)
class CookTab:
    """What of the step others listen to."""

    fields: dict[str, Any]
    start: Any
    problems: Any
    looks: list[Look]
    """What is looked at again when the page opens, and when work has begun or ended."""


def build_cook(widgets: list[Widget], recipes: RecipeHandlers, taste: Taste) -> CookTab:
    """The step inside the present tab."""
    fields: dict[str, Any] = {}
    recipe = build_recipe(recipes)
    with gr.Column(elem_classes=["lora_cook_group", "lora_cook_main"]):
        fields |= {it.name: field(it) for it in widgets if it.main}
    place = gr.Column()
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
    with place:
        plans = PlanHandlers(recipes.bench, widgets)
        plan = build_plan(fields, recipe[1], problems, plans)
    typed = build_folds(fields, recipe, recipes)
    listen(typed.click, plans.on_plan, plan.asked, plan.shown)
    waits = QueueHandlers(recipes.bench, widgets, taste)
    keeps = KeptHandlers(recipes.bench, widgets)
    waiting = build_queue(fields, problems, waits)
    kept = build_kept(fields, keeps)
    looks: list[Look] = [
        (plans.on_plan, plan.asked, plan.shown), (waits.shown, waiting[1:], waiting),
        (keeps.on_look, kept, kept), (recipes.basis, [], recipe[-1:]),
    ]  # fmt: skip
    return CookTab({it.name: fields[it.name] for it in widgets}, start, problems, looks)
