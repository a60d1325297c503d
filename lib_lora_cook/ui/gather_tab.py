"""The step Gather: pictures into the dataset, from a site, from this computer, or drawn."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from ..config import RATINGS, ImportConfig
from ..errors import UserError
from ..gather.sites import SITES
from . import gathering, show, texts
from .bench import Bench, Counted, folder_of
from .components import button, fold, html, line, listen, make
from .runner import short_home

Updates = list[Any]


@dataclass(frozen=True)
class GatherHandlers:
    """The step's events."""

    bench: Bench

    def shown(self, there: Counted) -> Updates:
        """What was found, and the proposed button."""
        if there.images:
            label = texts.GO_ON.format(step=texts.CLEAN)
        else:
            label = texts.DRAW_TOY if self.bench.starter else ""
        return [gathering.found(there), button_of(label, busy=self.bench.busy)]

    def on_propose(self, dataset: str, there: Counted) -> tuple[str, str]:
        """(what keeps it from starting, the step to go to) of the proposed button."""
        if there.images:
            return "", "clean"
        if self.bench.starter is None:
            return show.problems([texts.GATHER_EMPTY]), ""
        try:
            folder = folder_of(dataset)
        except UserError as error:
            return show.problems([str(error)]), ""
        work = gathering.draw_work(self.bench.starter, folder, self.bench)
        return self.bench.start(texts.DRAWING, work), ""

    def on_preview(self, *form: Any) -> str:
        """What the search finds."""
        try:
            return gathering.preview_of(gathering.search_of(*form))
        except UserError as error:
            return show.problems([short_home(str(error))])

    def on_search(self, dataset: str, *form: Any) -> str:
        """Fetch it."""
        try:
            config, folder = gathering.search_of(*form), folder_of(dataset)
        except UserError as error:
            return show.problems([str(error)])
        told = {"query": form[0], "site": form[1], "blacklist": form[3]}
        self.bench.remember("gather", told)
        work = gathering.search_work(config, folder, self.bench)
        return self.bench.start(texts.GATHERING.format(query=config.query), work)

    def on_bring(self, dataset: str, sources: str, prompt: str) -> str:
        """Bring pictures of this computer."""
        paths = [Path(it.strip()).expanduser() for it in (sources or "").splitlines() if it.strip()]
        if not paths:
            return show.problems([texts.NO_SOURCE])
        try:
            folder = folder_of(dataset)
        except UserError as error:
            return show.problems([str(error)])
        work = gathering.bring_work(paths, ImportConfig(prompt=prompt or ""), folder, self.bench)
        return self.bench.start(texts.BRINGING, work)


def button_of(label: str, *, busy: bool = False) -> Any:
    """The proposed button's next label; none without one, and none to press while work goes on."""
    return gr.update(value=label or texts.NOTHING_TO_DO, visible=bool(label), interactive=not busy)


@dataclass(frozen=True)
class StepTab:
    """What of a step others listen to."""

    found: Any
    propose: Any
    problems: Any


def build_head(step: str, help_text: str) -> StepTab:
    """What every step of the dataset begins with: what was found, one proposed button."""
    gr.HTML(show.lead(help_text))
    found = html(f"{step}_found")
    with gr.Row(elem_classes=["lora_cook_actions"]):
        propose = button(texts.NOTHING_TO_DO, f"{step}_propose", primary=True)
    return StepTab(found, propose, html(f"{step}_problems"))


def build_gather(dataset: Any, handlers: GatherHandlers) -> StepTab:
    """The step inside the present tab."""
    head = build_head("gather", texts.GATHER_HELP)
    kept = handlers.bench.recall("gather")
    with fold(texts.SEARCH_SITE, "search_fold", is_open=handlers.bench.starter is None):
        with gr.Column(elem_classes=["lora_cook_group"]):
            form = [
                line("query", texts.QUERY, texts.QUERY_HELP, str(kept.get("query", ""))),
                make(
                    gr.Dropdown, label=texts.SITE, info=texts.SITE_HELP, choices=sorted(SITES),
                    value=str(kept.get("site", "danbooru")), allow_custom_value=True,
                    interactive=True, elem_id="lora_cook_site",
                ),
                line("limit", texts.LIMIT, texts.LIMIT_HELP, "100"),
                line("blacklist", texts.BLACKLIST, texts.BLACKLIST_HELP,
                     str(kept.get("blacklist", "")), rows=3),
                make(gr.CheckboxGroup, label=texts.RATING, info=texts.RATING_HELP,
                     choices=list(RATINGS), value=[], interactive=True,
                     elem_id="lora_cook_ratings"),
            ]  # fmt: skip
        with gr.Row(elem_classes=["lora_cook_actions"]):
            look = button(texts.PREVIEW_BUTTON, "preview")
            get = button(texts.GET, "get", primary=handlers.bench.starter is None)
        seen = html("preview_list")
    with fold(texts.BRING_FOLD, "bring_fold"):
        with gr.Column(elem_classes=["lora_cook_group"]):
            sources = line("sources", texts.SOURCES, texts.SOURCES_HELP, rows=2)
            words = line("words", texts.WORDS, texts.WORDS_HELP)
        with gr.Row(elem_classes=["lora_cook_actions"]):
            bring = button(texts.BRING, "bring")
    listen(look.click, handlers.on_preview, form, [seen])
    listen(get.click, handlers.on_search, [dataset, *form], [head.problems])
    listen(bring.click, handlers.on_bring, [dataset, sources, words], [head.problems])
    return head
