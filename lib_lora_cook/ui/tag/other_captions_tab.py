"""Captions of other kinds, in and out: another ending, kohya's metadata, the pictures' names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from ...dataset import journal
from ...dataset.caption_copies import plan_copies
from ...dataset.captions import OTHER_ENDING, caption_path, read_caption, split_tags
from ...dataset.changes import Change, When, plan_tags
from ...dataset.editor import Difference
from ...dataset.file_names import caption_of_name
from ...dataset.images import Failure, ImageFile, scan_captions
from ...dataset.kohya_metadata import read_metadata, write_metadata
from ...errors import UserError
from ...jobs import Job
from .. import show, texts
from ..bench import Bench, folder_of, several
from ..components import button, choice, fold, html, line, listen
from ..runner import Outcome, Work, short_home
from ..show import plain
from .editor_view import lit

METADATA = "metadata.json"
"""The file in the dataset where none is named."""
SHOWN = 20
"""Captions that are shown before they are read."""


@dataclass(frozen=True)
class Source:
    """What the form says; when: where a picture has a caption already."""

    folder: Path
    kind: str
    file: str
    when: When

    @property
    def metadata(self) -> Path:
        """kohya's JSON; a bare name lies in the dataset."""
        return self.folder / Path(self.file or METADATA).expanduser()

    def found(self, images: list[ImageFile]) -> Mapping[Path, str]:
        """What it says of each picture; UserError for a file that is none."""
        if self.kind == texts.OTHER_METADATA:
            return read_metadata(self.metadata, images)
        if self.kind == texts.OTHER_NAMES:
            return {it.path: caption_of_name(it.path.stem) for it in images}
        return {it.path: read_caption(caption_path(it.path, OTHER_ENDING)) for it in images}

    def plan(self, failed: list[Failure]) -> list[Change]:
        """The captions that would change; UserError as above, and for a folder without pictures."""
        images = scan_captions(self.folder, failed)
        said = {path: split_tags(text) for path, text in self.found(images).items() if text}
        if not said:
            raise UserError(texts.OTHER_NOTHING.format(kind=self.kind), self.folder)
        return plan_tags(images, said, self.when)


def read_work(source: Source, bench: Bench) -> Work:
    """Read captions in, as one operation that can be undone."""

    def work(job: Job) -> Outcome:
        failed: list[Failure] = []
        made = source.plan(failed)
        return changed(source.folder, made, failed, bench, job)

    return work


def write_work(source: Source, bench: Bench) -> Work:
    """Write the captions out; into kohya's file what it has already stays."""

    def work(job: Job) -> Outcome:
        failed: list[Failure] = []
        images = scan_captions(source.folder, failed)
        if source.kind != texts.OTHER_METADATA:
            return changed(
                source.folder, plan_copies(images, texts.OTHER_WRITE), failed, bench, job
            )
        count = write_metadata(source.metadata, [it for it in images if it.caption])
        told = several(count, "caption", "captions")
        return Outcome(texts.OTHER_WRITTEN.format(count=told, file=source.metadata.name))

    return work


def changed(
    folder: Path, changes: list[Change], failed: list[Failure], bench: Bench, job: Job
) -> Outcome:
    """Make the changes, and tell of them."""
    journal.recover(folder)
    applied = journal.apply_changes(folder, changes, job, texts.OTHER)
    for path, why in [*failed, *applied.failed]:
        job.log(f"{path.name}: {why}")
    bench.forget_look(folder)
    return Outcome(texts.SAVED.format(count=several(len(applied.applied), "caption", "captions")))


@dataclass(frozen=True)
class OtherHandlers:
    """The fold's events."""

    bench: Bench

    def on_look(self, dataset: str, kind: str, file: str, when: When) -> str:
        """What reading them in would do; nothing is changed."""
        try:
            made = Source(folder_of(dataset), kind, (file or "").strip(), when).plan([])
        except UserError as error:
            return show.problem(short_home(str(error)))
        rows = "".join(
            f"<tr><td>{plain(it.path.name)}</td>"
            f"<td>{lit(Difference(0, str(it.before or ''), it.after))}</td></tr>"
            for it in made[:SHOWN]
        )
        told = texts.WOULD_CHANGE.format(count=several(len(made), "caption", "captions"))
        return show.note(told) + f'<table class="lora_cook_table"><tbody>{rows}</tbody></table>'

    def on_read(self, dataset: str, kind: str, file: str, when: When) -> str:
        """Read them in."""
        try:
            source = Source(folder_of(dataset), kind, (file or "").strip(), when)
            source.plan([])
        except UserError as error:
            return show.problem(short_home(str(error)))
        return self.bench.start(texts.OTHER_READ, read_work(source, self.bench))

    def on_write(self, dataset: str, kind: str, file: str) -> str:
        """Write the dataset's captions out; kohya's file stands in the dataset."""
        try:
            source = Source(folder_of(dataset), kind, (file or "").strip(), "empty")
            if kind == texts.OTHER_NAMES:
                raise UserError(texts.OTHER_NO_NAMES, "", texts.OTHER_NO_NAMES_TO_DO)
            if kind == texts.OTHER_METADATA and not _is_inside(source):
                raise UserError(texts.OTHER_OUTSIDE, source.file, texts.OTHER_OUTSIDE_TO_DO)
        except UserError as error:
            return show.problem(short_home(str(error)))
        return self.bench.start(texts.OTHER_WRITE, write_work(source, self.bench))


def _is_inside(source: Source) -> bool:
    """Whether the file's name is a bare one for JSON, so that no other program's is written in."""
    name = source.file or METADATA
    return Path(name).name == name and name.endswith(".json")


def build_other(dataset: Any, when: Any, handlers: OtherHandlers) -> None:
    """The fold inside the present tab; `when` is the step's own choice."""
    kinds = [texts.OTHER_ENDING, texts.OTHER_METADATA, texts.OTHER_NAMES]
    with fold(texts.OTHER, "other"):
        gr.HTML(show.note(texts.OTHER_HELP))
        with gr.Column(elem_classes=["lora_cook_group"]):
            kind = choice("other_kind", texts.OTHER_KIND, texts.OTHER_KIND_HELP, kinds)
            file = line("other_file", texts.OTHER_FILE, texts.OTHER_FILE_HELP)
        with gr.Row(elem_classes=["lora_cook_actions"]):
            look = button(texts.EDIT_LOOK, "other_look", small=True)
            read = button(texts.OTHER_READ, "other_read", small=True)
            write = button(texts.OTHER_WRITE, "other_write", small=True)
        told = html("other_told")
    listen(look.click, handlers.on_look, [dataset, kind, file, when], [told])
    listen(read.click, handlers.on_read, [dataset, kind, file, when], [told])
    listen(write.click, handlers.on_write, [dataset, kind, file], [told])
