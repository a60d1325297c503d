"""The fold with the pictures: filtered, moved through and rated by keys, compared and cut."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from ...config import RATINGS, BucketConfig
from ...dataset import changes as plans
from ...dataset import gallery as cards
from ...dataset import journal
from ...dataset.filters import Filter
from ...dataset.report import CHECKS
from ...dataset.thumbnails import trim_thumbnails
from ...errors import UserError
from .. import pictures, show, texts
from ..bench import Bench, desk_of, folder_of
from ..components import (
    button,
    choice,
    fold,
    hidden,
    html,
    line,
    listen,
    send,
    several_of,
    then_refresh,
)
from ..runner import short_home
from ..said import Said, read_said
from ..step import Updates
from . import cleaning, gallery
from .gallery_copies import side_by_side, with_keeper, without_pair
from .gallery_zoom import cut, large

KEEP: dict[str, Any] = gr.update()


@dataclass(frozen=True)
class GalleryHandlers:
    """The gallery's events."""

    bench: Bench

    def on_show(self, dataset: str, *form: Any) -> str:
        """The first page of the pictures that are meant."""
        threading.Thread(
            target=trim_thumbnails, args=[self.bench.small_copies], daemon=True
        ).start()
        try:
            folder = folder_of(dataset)
            self.bench.filtered.pop(folder, None)
            tags, wanted = gallery.filters_of(form), gallery.wanted_of(form)
            if tags or wanted != cards.Wanted():
                self.bench.filtered[folder] = self.found(folder, tags, wanted)
        except UserError as error:
            return show.problem(short_home(str(error)))
        return self.page(folder, 0)

    def found(self, folder: Path, tags: Sequence[Filter], wanted: cards.Wanted) -> list[str]:
        """The names of the pictures that are meant; UserError where findings are not known yet.

        Tags are looked up among the captions that the editor holds, as they stand there.
        """
        seen = self.bench.looks.get(folder)
        if wanted.findings and seen is None:
            raise UserError(texts.FIRST_LOOK)
        names = None  # all
        if tags:
            editor = desk_of(folder, self.bench, fresh=True).editor
            stems = {stem_of(editor.pictures[row]) for row in editor.found(tags)}
            names = [name for name in pictures.names_in(folder) if stem_of(name) in stems]
            if wanted == cards.Wanted():
                return names
        known = cards.with_findings(
            cards.scan_gallery(folder, [], names, wanted),
            seen[1] if wanted.findings and seen else [],
        )
        return [card.image.path.name for card in cards.found(known, wanted)]

    def page(self, folder: Path, number: int) -> str:
        """One page; what has left the dataset meanwhile is passed over."""
        names = pictures.names_in(folder)
        if folder in self.bench.filtered:
            there = set(names)
            names = [it for it in self.bench.filtered[folder] if it in there]
        return gallery.page_of(folder, names, self.bench.small_copies, number)

    def on_gallery(self, told: str, dataset: str) -> Updates:
        """What the script asked for: the page, a sentence."""
        said = read_said(told)
        try:
            folder = folder_of(dataset)
            answer = self.change(folder, said)
        except UserError as error:
            return [KEEP, show.problem(short_home(str(error)))]
        number = said.number("page") + {"next": 1, "previous": -1}.get(said.act, 0)
        return [self.page(folder, number), show.note(answer)]

    def change(self, folder: Path, said: Said) -> str:
        """Mark a picture, drop it, or undo; a sentence."""
        if said.act == "undo":
            self.bench.forget_look(folder)
            return short_home(cleaning.undo(folder))
        if said.act in ("next", "previous"):
            return ""
        path = cleaning.inside(folder, said.text("name"))
        if said.act == "drop":
            journal.apply_changes(folder, plans.plan_trash([path]), what="drop")
            self.bench.forget_look(folder)
            return texts.DROPPED.format(name=path.name)
        card = cards.read_card(path)
        if said.act == "keep":
            changes = cards.plan_mark([card], "" if card.mark == "keep" else "keep")
        else:
            stars = int(said.act) if said.act.isdigit() else 0
            changes = cards.plan_stars([card], 0 if card.stars == stars else stars)
        journal.apply_changes(folder, changes, what="rate")
        return ""

    def on_zoom(self, told: str, dataset: str, resolution: str) -> Updates:
        """One picture large, closed, or cut: the large picture, the page, a sentence."""
        said = read_said(told)
        if said.act == "close":
            return ["", KEEP, KEEP]
        try:
            folder = folder_of(dataset)
            path, floods = cleaning.inside(folder, said.text("name")), said.texts("floods")
            if said.act in ("cut", "cut_copy"):
                answer = cut(path, said.text("boxes"), floods, said.act == "cut_copy")
                self.bench.forget_look(folder)
                return ["", self.page(folder, said.number("page")), show.note(answer)]
            return [
                large(path, self.bench.small_copies, bucket_config(resolution), floods),
                KEEP,
                "",
            ]
        except UserError as error:
            return [KEEP, KEEP, show.problem(short_home(str(error)))]

    def on_copies(self, dataset: str) -> str:
        """Copies side by side, as the last look found them."""
        return self.on_pair("{}", dataset)[0]

    def on_pair(self, told: str, dataset: str) -> Updates:
        """Another keeper, two that are no copies, another page: copies side by side, a sentence."""
        said = read_said(told)
        try:
            folder = folder_of(dataset)
            if folder not in self.bench.looks:
                return [show.note(texts.FIRST_LOOK), ""]
            look, answer = self.bench.looks[folder][0], ""
            name, other = said.text("name"), said.text("other")
            if said.act == "keeper":
                look, answer = with_keeper(look, name), texts.KEEPER_IS.format(name=name)
            elif said.act == "distinct":
                look = without_pair(look, folder, name, other)
                answer = texts.DISTINCT.format(name=name, other=other)
            if answer:
                self.bench.looked(folder, look)
        except UserError as error:
            return [KEEP, show.problem(short_home(str(error)))]
        number = said.number("page") + {"next": 1, "previous": -1}.get(said.act, 0)
        return [side_by_side(look.groups, self.bench.small_copies, number), show.note(answer)]


def stem_of(path: str) -> str:
    """A picture's name without its folder and ending, which its caption shares."""
    return os.path.splitext(os.path.basename(path))[0]


def bucket_config(resolution: str) -> BucketConfig:
    """The sizes of the run; the usual ones where its resolution cannot be read."""
    parts = [it for it in str(resolution or "").replace("x", ",").split(",") if it.strip()]
    if not parts or not all(it.strip().isdigit() for it in parts):
        return BucketConfig()
    return BucketConfig(resolution=(int(parts[0]), int(parts[-1])))


@dataclass(frozen=True)
class GalleryFold:
    """What listens to the page's script; the run's resolution comes from a later step."""

    view: Any
    zoom: Any
    told: Any
    pairs: Any


def build_gallery(dataset: Any, handlers: GalleryHandlers) -> GalleryFold:
    """The folds inside the present tab."""
    with fold(texts.PICTURES, "pictures"):
        form = build_filter()
        with gr.Row(elem_classes=["lora_cook_actions"]):
            look = button(texts.SHOW_PICTURES, "show_pictures", small=True)
        told, view, zoom = html("gallery_told"), html("gallery_view"), html("gallery_zoom")
    with fold(texts.COPIES, "copies"):
        with gr.Row(elem_classes=["lora_cook_actions"]):
            copies = button(texts.SHOW_COPIES, "show_copies", small=True)
        answer, pairs = html("copies_told"), html("copies_view")
    listen(look.click, handlers.on_show, [dataset, *form], [view])
    listen(copies.click, handlers.on_copies, [dataset], [pairs])
    asked, turned = hidden("gallery_act"), hidden("copies_act")
    then_refresh(send(asked, handlers.on_gallery, "gallery", [dataset], [view, told]))
    then_refresh(send(turned, handlers.on_pair, "copies", [dataset], [pairs, answer]))
    return GalleryFold(view, zoom, told, pairs)


def build_filter() -> list[Any]:
    """Which pictures are shown; `gallery.wanted_of` reads it."""
    names = [cleaning.spoken(it) for it in CHECKS]
    with gr.Column(elem_classes=["lora_cook_group"]):
        return [
            several_of("show_findings", texts.SHOW_FINDINGS, texts.SHOW_FINDINGS_HELP, names),
            line("show_least", texts.SIDE_FROM, texts.SIDE_HELP),
            line("show_most", texts.SIDE_TO, texts.SIDE_HELP),
            choice("show_aspect", texts.ASPECT, texts.ASPECT_HELP, list(gallery.ASPECTS)),
            several_of(
                "show_ratings", texts.SITE_RATING, texts.SITE_RATING_HELP, [*RATINGS, "safe"]
            ),
            choice("show_stars", texts.STARS, texts.STARS_HELP, list("012345")),
            line("show_having", texts.HAVING, texts.HAVING_HELP),
            line("show_lacking", texts.LACKING, texts.LACKING_HELP),
        ]


def wire_zoom(part: GalleryFold, handlers: GalleryHandlers, dataset: Any, resolution: Any) -> None:
    """Listen to the page's script about the large picture."""
    outputs = [part.zoom, part.view, part.told]
    asked, inputs = hidden("zoom_act"), [dataset, resolution]
    then_refresh(send(asked, handlers.on_zoom, "zoom", inputs, outputs))
