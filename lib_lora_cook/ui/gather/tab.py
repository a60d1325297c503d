"""The step Gather: pictures into the dataset, from a site, from this computer, or drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr

from ...config import CATEGORIES, RATINGS, ImportConfig
from ...errors import UserError
from ...gather.gallery_dl import find_program
from ...gather.search import Home, home_in, keep_key, kept_as
from ...gather.sites import SITES
from ...hosts.base import default_home
from .. import show, texts
from ..bench import Bench, Counted, folder_of
from ..components import button, fold, html, line, listen, make, send, several_of, tick
from ..runner import short_home
from ..said import read_said
from ..step import StepTab, Updates, build_head, button_of
from . import gathering
from .previewing import preview_work


@dataclass(frozen=True)
class GatherHandlers:
    """The step's events."""

    bench: Bench

    @property
    def home(self) -> Home:
        """Where keys and programs are kept."""
        return home_in(default_home())

    def shown(self, there: Counted) -> Updates:
        """What was found, the proposed button, what a search has found."""
        if there.images:
            label = texts.GO_ON.format(step=texts.CLEAN)
        else:
            label = texts.DRAW_TOY if self.bench.starter else ""
        return [gathering.found(there), button_of(label, busy=self.bench.busy), self.bench.preview]

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
        """Ask what the search finds."""
        try:
            config = gathering.search_of(form)
        except UserError as error:
            return show.problems([str(error)])
        self.remember(form)
        work = preview_work(config, self.bench, self.home)
        return self.bench.start(texts.ASKING.format(query=config.query), work)

    def on_search(self, told: str, dataset: str, *form: Any) -> str:
        """Fetch it, or of it what was chosen."""
        posts = read_said(told).texts("posts")
        try:
            config, folder = gathering.search_of(form, posts), folder_of(dataset)
        except UserError as error:
            return show.problems([str(error)])
        self.remember(form)
        work = gathering.search_work(config, folder, self.bench, self.home)
        return self.bench.start(texts.GATHERING.format(query=config.query), work)

    def remember(self, form: Sequence[Any]) -> None:
        """Keep the texts of the form for the next time."""
        names = ("query", "site", "limit", "min_size", "blacklist")
        told = {name: str(it or "") for name, it in zip(names, form, strict=False)}
        self.bench.remember("gather", told)

    def on_key(self, site: str, name: str, key: str) -> Updates:
        """Keep a key: a sentence, and the key's field empty again."""
        try:
            kept = kept_as((site or "").strip())
            keep_key(kept, (name or "").strip(), (key or "").strip(), self.home.keys)
        except UserError as error:
            return [show.problem(short_home(str(error))), ""]
        told = texts.KEY_KEPT if name and key else texts.KEY_GONE
        return [show.note(told.format(site=kept)), ""]

    def on_install(self, sure: bool) -> str:
        """Get gallery-dl, if the person is sure."""
        if not sure:
            return show.problems([texts.INSTALL_FIRST])
        return self.bench.start(texts.INSTALLING, gathering.install_work(self.home))

    def on_refetch(self, dataset: str, *form: Any) -> str:
        """Ask the sites for the tags of the pictures at hand."""
        try:
            folder = folder_of(dataset)
            config = replace(gathering.search_of(["*", "", *form[2:]]), query="")
        except UserError as error:
            return show.problems([str(error)])
        work = gathering.refetch_work(config, folder, self.bench, self.home)
        return self.bench.start(texts.REFETCH, work)

    def on_bring(self, dataset: str, sources: str, dropped: Any = None) -> str:
        """Bring pictures of this computer."""
        paths = [Path(it.strip()).expanduser() for it in (sources or "").splitlines() if it.strip()]
        files = [named_file(it) for it in dropped or []]
        if not paths and not files:
            return show.problems([texts.NO_SOURCE])
        return self.begin(dataset, paths, files, ImportConfig())

    def on_own(self, dataset: str, words: str, model: str) -> str:
        """Bring the person's own generations out of the host's folders."""
        paths = [it for it in self.bench.host.output_dirs if it.is_dir()]
        if not paths:
            return show.problems([texts.NO_OUTPUTS])
        config = ImportConfig(prompt=words or "", model=(model or "").strip())
        return self.begin(dataset, paths, [], config)

    def begin(
        self, dataset: str, paths: list[Path], files: list[tuple[str, Path]], config: ImportConfig
    ) -> str:
        """Start bringing folders, archives and what was dropped."""
        try:
            folder = folder_of(dataset)
        except UserError as error:
            return show.problems([str(error)])
        if paths:
            work = gathering.bring_work(paths, config, folder, self.bench)
        else:
            work = gathering.dropped_work(files, folder, self.bench)
        return self.bench.start(texts.BRINGING, work)


def named_file(dropped: Any) -> tuple[str, Path]:
    """(the name it had, where it lies now): a path, or in gradio 3 an open file."""
    path = Path(str(getattr(dropped, "name", dropped)))
    return Path(str(getattr(dropped, "orig_name", path.name))).name, path


@dataclass(frozen=True)
class GatherTab:
    """What of the step others listen to."""

    head: StepTab
    preview: Any


def build_gather(dataset: Any, handlers: GatherHandlers) -> GatherTab:
    """The step inside the present tab."""
    head = build_head("gather", texts.GATHER_HELP)
    starter = handlers.bench.starter
    with fold(texts.SEARCH_SITE, "search_fold", is_open=starter is None):
        form = build_search(handlers)
        with gr.Row(elem_classes=["lora_cook_actions"]):
            look = button(texts.PREVIEW_BUTTON, "preview")
            get = button(texts.GET, "get", primary=starter is None)
        seen = html("preview_list")
        with fold(texts.MORE_SITES, "sites_fold"):
            build_sites(form[1], handlers, head)
        send(get, handlers.on_search, "gather", [dataset, *form], [head.problems])
        again = button(texts.REFETCH, "refetch", small=True)
    listen(look.click, handlers.on_preview, form, [head.problems])
    listen(again.click, handlers.on_refetch, [dataset, *form], [head.problems])
    build_local(dataset, handlers, head)
    return GatherTab(head, seen)


def build_search(handlers: GatherHandlers) -> list[Any]:
    """What is searched for; `gathering.search_of` reads it."""
    kept = {name: str(it) for name, it in handlers.bench.recall("gather").items()}
    with gr.Column(elem_classes=["lora_cook_group"]):
        return [
            line("query", texts.QUERY, texts.QUERY_HELP, kept.get("query", "")),
            line("site", texts.SITE, texts.SITE_HELP.format(names=", ".join(SITES)),
                 kept.get("site", "danbooru")),
            line("limit", texts.LIMIT, texts.LIMIT_HELP, kept.get("limit", "100")),
            line("min_size", texts.MIN_SIZE, texts.MIN_SIZE_HELP, kept.get("min_size", "")),
            line("blacklist", texts.BLACKLIST, texts.BLACKLIST_HELP, kept.get("blacklist", ""), 2),
            several_of("ratings", texts.RATING, texts.RATING_HELP, list(RATINGS)),
            several_of("categories", texts.CATEGORIES, texts.CATEGORIES_HELP, list(CATEGORIES),
                       ["character", "general"]),
            tick("rating_tag", texts.RATING_TAG),
        ]  # fmt: skip


def build_sites(site: Any, handlers: GatherHandlers, head: StepTab) -> None:
    """Keys for sites, and the program that knows more of them."""
    with gr.Column(elem_classes=["lora_cook_group"]):
        name = line("key_name", texts.KEY_NAME, texts.KEY_NAME_HELP)
        key = make(
            gr.Textbox, label=texts.KEY, info=texts.KEY_HELP, type="password", value="",
            interactive=True, elem_id="lora_cook_key",
        )  # fmt: skip
    keep = button(texts.KEEP_KEY, "keep_key", small=True)
    told = html("key_told")
    listen(keep.click, handlers.on_key, [site, name, key], [told, key])
    if find_program(handlers.home.programs) is not None:
        gr.HTML(show.note(texts.GALLERY_DL_THERE))
        return
    gr.HTML(show.note(texts.GALLERY_DL))
    with gr.Row(elem_classes=["lora_cook_actions"]):
        sure = tick("install_sure", texts.INSTALL_SURE)
        install = button(texts.INSTALL, "install", small=True)
    listen(install.click, handlers.on_install, [sure], [head.problems])


def build_local(dataset: Any, handlers: GatherHandlers, head: StepTab) -> None:
    """Pictures of this computer, and those that the person has drawn in the host."""
    with fold(texts.BRING_FOLD, "bring_fold"):
        dropped = make(
            gr.File, label=texts.DROP, file_count="multiple", elem_id="lora_cook_dropped"
        )
        sources = line("sources", texts.SOURCES, texts.SOURCES_HELP, rows=2)
        bring = button(texts.BRING, "bring", small=True)
    with fold(texts.OWN_FOLD, "own_fold"):
        gr.HTML(show.lead(texts.OWN_HELP))
        with gr.Column(elem_classes=["lora_cook_group"]):
            words = line("words", texts.WORDS, texts.WORDS_HELP)
            model = line("own_model", texts.OWN_MODEL, texts.OWN_MODEL_HELP)
        folders = ", ".join(short_home(str(it)) for it in handlers.bench.host.output_dirs)
        gr.HTML(show.note(texts.OWN_FOLDERS.format(folders=folders)))
        own = button(texts.BRING_OWN, "bring_own", small=True)
    inputs = [dataset, sources, dropped]
    listen(bring.click, handlers.on_bring, inputs, [head.problems])
    listen(own.click, handlers.on_own, [dataset, words, model], [head.problems])
