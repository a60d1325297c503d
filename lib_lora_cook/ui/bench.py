"""What the server knows of the datasets on its page, and what its steps share."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from ..dataset.captions import split_tags
from ..dataset.editor import open_editor
from ..dataset.images import Failure, ImageFile, scan_captions
from ..dataset.look import Finding, Look
from ..dataset.report import findings
from ..dataset.tags import count_tags
from ..errors import UserError
from ..hosts.base import Host
from . import remembered, show, texts
from .desk import Desk
from .pictures import names_in, small_copies
from .runner import Runner, Work, short_home

STEP_IDS = ("gather", "clean", "tag", "cook", "taste")


@dataclass(frozen=True)
class Starter:
    """A dataset for who has none yet, where the host can draw one, and what goes with it."""

    folder: Path
    draw: Callable[[Path], None]
    trigger: str
    below: int
    """The least side in pixels that its model can learn from."""


@dataclass
class Bench:
    """The server's memory of a page: every window sees the same."""

    host: Host
    runner: Runner
    starter: Starter | None = None
    looks: dict[Path, tuple[Look, list[Finding]]] = field(default_factory=dict)
    """The last look at a dataset; gone once something has changed in it."""
    desks: dict[Path, Desk] = field(default_factory=dict)
    there: dict[str, Counted] = field(default_factory=dict)
    """The pictures of the dataset that was counted last."""
    preview: str = ""
    """What the last search found, as HTML."""
    filtered: dict[Path, list[str]] = field(default_factory=dict)
    """The names that the gallery shows of a dataset, where it does not show all."""

    def start(self, title: str, work: Work) -> str:
        """Begin a piece of work; what keeps it from starting, as HTML."""
        try:
            self.runner.start(title, work)
        except UserError as error:
            return show.problems([str(error)])
        return ""

    @property
    def small_copies(self) -> Path:
        """The folder where small copies of pictures are kept."""
        return small_copies(self.host)

    @property
    def busy(self) -> bool:
        """Whether something is going on."""
        return self.runner.snapshot().busy

    def first_folder(self) -> str:
        """The dataset that the page opens with."""
        told = self.recall("page").get("dataset")
        first = str(self.starter.folder) if self.starter else ""
        return told if isinstance(told, str) and told else first

    def recall(self, form: str) -> remembered.Values:
        """What was last typed into a form."""
        return remembered.read_remembered(self.host.cache_dir, form)

    def remember(self, form: str, values: Mapping[str, str | bool]) -> None:
        """Keep some values of a form, and those it has."""
        known = self.recall(form)
        if any(known.get(name) != value for name, value in values.items()):
            remembered.write_remembered(self.host.cache_dir, form, {**known, **values})

    def count(self, dataset: str) -> Counted:
        """The pictures of a dataset, looked at anew."""
        self.there = {dataset: counted(dataset)}
        return self.there[dataset]

    def last_count(self, dataset: str) -> Counted:
        """The pictures of a dataset as the page shows them; a press of a button waits for none."""
        name = (dataset or "").strip()
        return self.there.get(name) or self.count(name)

    def looked(self, folder: Path, look: Look) -> list[Finding]:
        """Keep a look, and what it finds."""
        found = findings(look)
        self.looks[folder] = (look, found)
        return found

    def forget_captions(self, folder: Path) -> None:
        """The editor has written some; it goes on with what it has."""
        self.looks.pop(folder, None)
        self.there = {}

    def forget_look(self, folder: Path) -> None:
        """Something has changed there."""
        self.forget_captions(folder)
        desk = self.desks.get(folder)
        if desk is not None and not desk.editor.unsaved():
            self.desks.pop(folder)


def folder_of(text: str) -> Path:
    """The folder that a person typed; UserError where there is no name."""
    name = (text or "").strip()
    if not name or "\0" in name:
        raise UserError(texts.NO_DATASET, "", texts.NO_DATASET_TO_DO)
    return Path(os.path.abspath(os.path.expanduser(name)))


@dataclass(frozen=True)
class Counted:
    """The pictures of a dataset as their names and captions tell."""

    images: tuple[ImageFile, ...] = ()
    failed: tuple[Failure, ...] = ()
    problem: str = ""
    """Why there are none, in a sentence."""

    @property
    def captioned(self) -> int:
        """How many have a caption that says something."""
        return sum(bool(image.caption) for image in self.images)

    @cached_property
    def tagged(self) -> list[list[str]]:
        """The tags of each picture, none where there is no caption."""
        return [split_tags(image.caption) for image in self.images]

    @cached_property
    def counts(self) -> Counter[str]:
        """In how many captions each tag stands."""
        return count_tags(self.tagged)


def counted(dataset: str) -> Counted:
    """The pictures of a dataset; no picture is opened."""
    failed: list[Failure] = []
    try:
        folder = folder_of(dataset)
        if not folder.exists():
            return Counted()
        return Counted(tuple(scan_captions(folder, failed)), tuple(failed))
    except UserError as error:
        empty = error.what == "No pictures in this folder"
        return Counted(problem="" if empty else short_home(str(error)))


def several(count: int, one: str, many: str) -> str:
    """`1 picture`, `2 pictures`."""
    return f"{count:,} {one if count == 1 else many}"


def named(paths: Sequence[Path], shown: int = 4) -> str:
    """The first few names, and how many more."""
    names = ", ".join(path.name for path in paths[:shown])
    return names + (texts.AND_MORE.format(count=len(paths) - shown) if len(paths) > shown else "")


def desk_of(folder: Path, bench: Bench, fresh: bool = False) -> Desk:
    """The captions of a dataset; `fresh` looks at the disk again where nothing is unsaved."""
    desk = bench.desks.get(folder)
    names = names_in(folder) if desk is None or fresh else []
    if desk is not None and fresh and not desk.editor.unsaved():
        if names == desk.names:
            desk.editor.take_theirs(desk.editor.stale())
        else:
            desk = None
    if desk is None:
        desk = bench.desks[folder] = Desk(open_editor(folder, []), names)
    return desk
