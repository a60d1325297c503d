"""The fold with the pictures: paged, moved through and marked by keys, cut with a drawn box."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from ..config import BucketConfig
from ..dataset import changes as plans
from ..dataset import journal
from ..errors import UserError
from . import cleaning, gallery, show, texts
from .bench import Bench, folder_of
from .components import button, fold, hidden, html, listen, send
from .gather_tab import Updates
from .runner import short_home

KEEP: dict[str, Any] = gr.update()


@dataclass(frozen=True)
class GalleryHandlers:
    """The gallery's events."""

    bench: Bench

    @property
    def cache(self) -> Path:
        """Where small copies are kept."""
        return self.bench.host.cache_dir / "thumbnails"

    def on_show(self, dataset: str) -> str:
        """The first page."""
        return self.page(dataset, 0)

    def page(self, dataset: str, number: int) -> str:
        """One page."""
        try:
            folder = folder_of(dataset)
        except UserError as error:
            return show.problems([str(error)])
        return gallery.page_of(folder, self.cache, number, self.marks(folder))

    def marks(self, folder: Path) -> dict[str, str | bool]:
        """What a person thinks of the pictures: name -> keep, or 1 to 5."""
        return self.bench.recall(f"marks of {folder}")

    def on_asked(self, said: str, dataset: str, resolution: str) -> Updates:
        """What the script asked for: the page, the large picture, a sentence."""
        asked = gallery.read_asked(said)
        try:
            folder = folder_of(dataset)
            if asked.act == "close":
                return [KEEP, "", KEEP]
            if asked.act == "zoom":
                path = cleaning.inside(folder, asked.name)
                return [KEEP, gallery.large(path, self.cache, bucket_config(resolution)), KEEP]
            told = self.change(folder, asked)
        except UserError as error:
            return [KEEP, KEEP, show.problems([short_home(str(error))])]
        number = asked.page + {"next": 1, "previous": -1}.get(asked.act, 0)
        return [self.page(dataset, number), KEEP, show.note(told)]

    def change(self, folder: Path, asked: gallery.Asked) -> str:
        """Mark a picture, drop it, or undo; a sentence."""
        if asked.act == "undo":
            self.bench.forget_look(folder)
            return short_home(cleaning.undo(folder))
        if asked.act == "drop":
            path = cleaning.inside(folder, asked.name)
            journal.apply_changes(folder, plans.plan_trash([path]), what="drop")
            self.bench.forget_look(folder)
            return texts.DROPPED.format(name=asked.name)
        if asked.act in ("keep", "1", "2", "3", "4", "5"):
            cleaning.inside(folder, asked.name)
            self.bench.remember(f"marks of {folder}", {asked.name: asked.act})
        return ""

    def on_copies(self, dataset: str) -> str:
        """Copies side by side, as the last look found them."""
        try:
            seen = self.bench.looks.get(folder_of(dataset))
        except UserError as error:
            return show.problems([str(error)])
        if seen is None:
            return show.note(texts.FIRST_LOOK)
        return gallery.side_by_side(seen[0].groups, self.cache)


def bucket_config(resolution: str) -> BucketConfig:
    """The sizes of the run; the usual ones where its resolution cannot be read."""
    parts = [it for it in str(resolution or "").replace("x", ",").split(",") if it.strip()]
    if not parts or not all(it.strip().isdigit() for it in parts):
        return BucketConfig()
    return BucketConfig(resolution=(int(parts[0]), int(parts[-1])))


@dataclass(frozen=True)
class GalleryFold:
    """What is asked with the run's resolution, which a later step brings."""

    asked: Any
    said: Any
    outputs: list[Any]


def build_gallery(dataset: Any, handlers: GalleryHandlers) -> GalleryFold:
    """The folds inside the present tab."""
    with fold(texts.PICTURES, "pictures"):
        with gr.Row(elem_classes=["lora_cook_actions"]):
            look = button(texts.SHOW_PICTURES, "show_pictures", small=True)
            copies = button(texts.SHOW_COPIES, "show_copies", small=True)
        told, view, zoom = html("gallery_told"), html("gallery_view"), html("gallery_zoom")
        pairs = html("copies_view")
    asked, said = hidden("gallery_act")
    listen(look.click, handlers.on_show, [dataset], [view])
    listen(copies.click, handlers.on_copies, [dataset], [pairs])
    return GalleryFold(asked, said, [view, zoom, told])


def wire_gallery(
    part: GalleryFold, handlers: GalleryHandlers, dataset: Any, resolution: Any
) -> None:
    """Listen to the page's script."""
    send(
        part.asked.click,
        handlers.on_asked,
        "gallery",
        [part.said, dataset, resolution],
        part.outputs,
    )
