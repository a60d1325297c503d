"""The tab: what is going on at the top, the steps in the order of the work below it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from ..hosts.base import Host
from . import progress, show, texts
from .bench import Bench, Starter
from .clean.gallery_tab import GalleryHandlers, wire_zoom
from .clean.tab import CleanHandlers, CleanTab, build_clean
from .components import button, hidden, html, line, listen, log_box, make
from .cook.recipe_tab import RecipeHandlers
from .cook.tab import CookTab, build_cook
from .form import sweep_widgets, training_widgets
from .gather.tab import GatherHandlers, GatherTab, build_gather
from .handlers import Handlers
from .runner import RUNNER, Runner, Snapshot
from .steps import StepHandlers
from .tag.tab import TagHandlers, TagTab, build_tag
from .taste.sheet_tab import SheetHandlers
from .taste.tab import TasteTab, build_taste


@dataclass(frozen=True)
class Watch:
    """What shows the work that is going on."""

    beat: Any
    now: Any
    log: Any
    stop: Any
    pause: Any
    discard: Any
    curve: Any
    strip: Any
    poll: Any
    seen: Any


def build_tab(
    host: Host,
    problem: str | None = None,
    *,
    runner: Runner = RUNNER,
    recipe: Mapping[str, Any] | None = None,
    starter: Starter | None = None,
) -> gr.Blocks:
    """The tab for a host, or, with a problem, that one sentence.

    `recipe` sets what widgets show at first, by kohya's name; `starter` is a dataset to begin with.
    """
    blocks = gr.Blocks(analytics_enabled=False, title=texts.TITLE)
    with blocks as tab, gr.Column(elem_id="lora_cook_page"):
        if problem:
            gr.HTML(show.problem(problem), elem_id="lora_cook_refusal")
        else:
            _build_steps(tab, Bench(host, runner, starter), recipe or {})
    return tab


@dataclass(frozen=True)
class Page:
    """The page's parts, for who wires them together."""

    dataset: Any
    tabs: Any
    gather: GatherTab
    clean: CleanTab
    tag: TagTab
    cook: CookTab
    taste: TasteTab


def _build_steps(tab: gr.Blocks, bench: Bench, recipe: Mapping[str, Any]) -> None:
    folders = {"output_dir": str(bench.host.lora_dir), "image_dir": bench.first_folder()}
    recipe = {**folders, **recipe}
    training, sweep = training_widgets(recipe), sweep_widgets(recipe)
    handlers = Handlers(bench.host, bench.runner, training, sweep)
    steps = StepHandlers(
        bench, GatherHandlers(bench), CleanHandlers(bench), TagHandlers(bench)
    )  # fmt: skip
    watch = _build_watch()
    dataset = line("dataset", texts.DATASET, texts.DATASET_HELP, bench.first_folder())
    with gr.Tabs(elem_id="lora_cook_tabs") as tabs:
        with gr.TabItem(texts.GATHER, id="gather", elem_id="lora_cook_gather"):
            gather = build_gather(dataset, steps.gather)
        with gr.TabItem(texts.CLEAN, id="clean", elem_id="lora_cook_clean"):
            clean = build_clean(dataset, steps.clean)
        with gr.TabItem(texts.TAG, id="tag", elem_id="lora_cook_tag"):
            tag = build_tag(dataset, steps.tag)
        with gr.TabItem(texts.COOK, id="cook", elem_id="lora_cook_cook"):
            cook = build_cook(training, RecipeHandlers(bench, training), handlers.taste)
        with gr.TabItem(texts.TASTE, id="taste", elem_id="lora_cook_taste"):
            taste = build_taste(sweep, handlers, SheetHandlers(bench))
    with gr.Accordion(texts.LOG, open=False, elem_id="lora_cook_log_fold"):
        watch = replace(watch, log=log_box("lora_cook_log"))
    page = Page(dataset, tabs, gather, clean, tag, cook, taste)
    _wire(tab, handlers, watch, page)
    _wire_steps(tab, steps, handlers, page)


def _build_watch() -> Watch:
    """The panel at the top."""
    with gr.Row(elem_id="lora_cook_watch"):
        now = gr.HTML(progress.now(Snapshot()), elem_id="lora_cook_now")
        stop = make(
            gr.Button, value=texts.STOP, variant="stop", visible=False, scale=0, min_width=96,
            elem_id="lora_cook_stop",
        )  # fmt: skip
        pause = button(texts.PAUSE, "pause", small=True, visible=False)
        discard = button(texts.DISCARD, "discard", small=True, visible=False)
    curve, strip = html("curve"), html("strip")
    hidden = ["lora_cook_hidden"]
    beat = gr.HTML("", elem_id="lora_cook_beat", elem_classes=hidden)
    poll = gr.Button("poll", elem_id="lora_cook_poll", elem_classes=hidden)
    return Watch(beat, now, None, stop, pause, discard, curve, strip, poll, gr.State(""))


def _wire(tab: gr.Blocks, handlers: Handlers, watch: Watch, page: Page) -> None:
    """Who listens to the work that goes on."""
    cook, taste = page.cook, page.taste
    shown = [
        watch.beat, watch.now, watch.log, watch.stop, cook.start, taste.draw, taste.sheet,
        taste.pick, watch.pause, watch.discard, watch.curve, watch.strip, taste.tray,
        watch.seen,
    ]  # fmt: skip
    settings, cells = list(cook.fields.values()), list(taste.fields.values())
    listen(watch.poll.click, handlers.on_poll, [watch.seen], shown)
    listen(watch.stop.click, handlers.on_stop, [watch.seen], shown)
    listen(watch.pause.click, handlers.on_pause, [watch.seen], shown)
    listen(watch.discard.click, handlers.on_discard, [watch.seen], shown)
    listen(cook.start.click, handlers.on_cook, [watch.seen, *settings], [cook.problems, *shown])
    asked = [watch.seen, taste.run, taste.files, taste.tags, taste.tagger, *cells]
    listen(taste.draw.click, handlers.on_taste, asked, [taste.problems, *shown])
    listen(tab.load, handlers.on_load, [], [*settings, *cells, taste.tags, taste.after])
    found = [taste.run, taste.files, taste.fields["prompts"], taste.note]
    listen(tab.load, handlers.on_runs, [taste.fields["prompts"]], found)


def _wire_steps(tab: gr.Blocks, steps: StepHandlers, handlers: Handlers, page: Page) -> None:
    """Who listens to the dataset."""
    again = hidden("refresh")
    fields, clean, tag, form = page.cook.fields, page.clean, page.tag, page.tag.form
    shown = [
        page.gather.head.found, page.gather.head.propose, page.gather.preview,
        clean.head.found, clean.head.propose, clean.ticks, clean.past, clean.trash,
        tag.head.found, tag.head.propose, tag.ticks,
        form[4],
    ]  # fmt: skip
    listen(tab.load, steps.on_load, [], [page.dataset, *shown])
    folder = fields["image_dir"]
    listen(page.dataset.change, steps.on_dataset, [page.dataset, *form], [folder, *shown])
    listen(again.click, steps.on_refresh, [page.dataset, *form], shown)
    found = [page.taste.run, page.taste.files, page.taste.fields["prompts"], page.taste.note]
    listen(again.click, handlers.on_runs, [page.taste.fields["prompts"]], found)
    listen(again.click, handlers.on_tags, [page.taste.tags], [page.taste.tags])
    filled = [
        fields[it] for it in
        ("image_dir", "class_tokens", "output_name", "num_repeats", "max_train_epochs")
    ]  # fmt: skip
    for event in (tab.load, again.click):
        for function, asked, answered in page.cook.looks:
            listen(event, function, asked, answered)
    wire_zoom(clean.gallery, GalleryHandlers(steps.bench), page.dataset, fields["resolution"])
    for event in (form[3].change, form[4].blur):
        listen(event, steps.on_refresh, [page.dataset, *form], shown)
    listen(
        page.gather.head.propose.click, steps.on_propose_gather, [page.dataset],
        [page.gather.head.problems, page.tabs],
    )  # fmt: skip
    listen(
        clean.head.propose.click, steps.on_propose_clean, [page.dataset, clean.ticks, clean.below],
        [clean.head.problems, page.tabs],
    )  # fmt: skip
    listen(
        tag.head.propose.click, steps.on_propose_tag, [page.dataset, tag.ticks, *form, *tag.finer],
        [tag.head.problems, page.tabs, *filled],
    )  # fmt: skip
