"""The tab: what is going on at the top, the steps in the order of the work below it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from ..hosts.base import Host
from . import show, texts
from .components import listen, log_box, make
from .cook_tab import CookTab, build_cook
from .form import sweep_widgets, training_widgets
from .handlers import Handlers
from .runner import RUNNER, Runner, Snapshot
from .taste_tab import TasteTab, build_taste


@dataclass(frozen=True)
class Watch:
    """What shows the work that is going on."""

    beat: Any
    now: Any
    log: Any
    stop: Any
    poll: Any
    seen: Any


def build_tab(
    host: Host,
    problem: str | None = None,
    *,
    runner: Runner = RUNNER,
    recipe: Mapping[str, Any] | None = None,
) -> gr.Blocks:
    """The tab for a host, or, with a problem, that one sentence.

    `recipe` sets what widgets show at first, by kohya's name.
    """
    blocks = gr.Blocks(analytics_enabled=False, title=texts.TITLE)
    with blocks as tab, gr.Column(elem_id="lora_cook_page"):
        if problem:
            gr.HTML(show.refusal(problem), elem_id="lora_cook_refusal")
        else:
            _build_steps(tab, host, runner, recipe or {})
    return tab


def _build_steps(tab: gr.Blocks, host: Host, runner: Runner, recipe: Mapping[str, Any]) -> None:
    recipe = {"output_dir": str(host.lora_dir), **recipe}
    training, sweep = training_widgets(recipe), sweep_widgets(recipe)
    handlers = Handlers(host, runner, training, sweep)
    watch = _build_watch()
    with gr.Tabs(elem_id="lora_cook_tabs"):
        with gr.TabItem(texts.COOK, elem_id="lora_cook_cook"):
            cook = build_cook(training, handlers)
        with gr.TabItem(texts.TASTE, elem_id="lora_cook_taste"):
            taste = build_taste(sweep, handlers)
    with gr.Accordion(texts.LOG, open=False, elem_id="lora_cook_log_fold"):
        watch = replace(watch, log=log_box("lora_cook_log"))
    _wire(tab, handlers, watch, cook, taste)


def _build_watch() -> Watch:
    """The panel at the top."""
    with gr.Row(elem_id="lora_cook_watch"):
        now = gr.HTML(show.now(Snapshot()), elem_id="lora_cook_now")
        stop = make(
            gr.Button, value=texts.STOP, variant="stop", interactive=False, scale=0, min_width=96,
            elem_id="lora_cook_stop",
        )  # fmt: skip
    hidden = ["lora_cook_hidden"]
    beat = gr.HTML("", elem_id="lora_cook_beat", elem_classes=hidden)
    poll = gr.Button("poll", elem_id="lora_cook_poll", elem_classes=hidden)
    return Watch(beat, now, None, stop, poll, gr.State(""))


def _wire(tab: gr.Blocks, handlers: Handlers, watch: Watch, cook: CookTab, taste: TasteTab) -> None:
    """Who listens to whom."""
    shown = [
        watch.beat, watch.now, watch.log, watch.stop, cook.start, taste.draw, taste.sheet,
        taste.pick, watch.seen,
    ]  # fmt: skip
    settings, cells = list(cook.fields.values()), list(taste.fields.values())
    listen(watch.poll.click, handlers.on_poll, [watch.seen], shown)
    listen(watch.stop.click, handlers.on_stop, [watch.seen], shown)
    listen(cook.start.click, handlers.on_cook, [watch.seen, *settings], [cook.problems, *shown])
    asked = [watch.seen, taste.run, taste.files, taste.tags, taste.tagger, *cells]
    listen(taste.draw.click, handlers.on_taste, asked, [taste.problems, *shown])
    listen(tab.load, handlers.on_load, [], [*settings, *cells, taste.tags])
    found = [taste.run, taste.files, taste.fields["prompts"], taste.note]
    listen(tab.load, handlers.on_runs, [taste.fields["prompts"]], found)
