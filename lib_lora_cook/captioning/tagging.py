"""A dataset through a tagger: the next pictures are decoded while the present are looked at."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..dataset import journal
from ..dataset.captions import caption_path
from ..dataset.changes import Change, When, plan_tags
from ..dataset.images import Failure, ImageFile, open_image, scan_captions
from ..dataset.rendering import THREADS
from ..errors import UserError
from ..jobs import Job, null_job
from .base import Choice, Tagger, Tags, at_once, chosen, ready

_BATCH = 8
_AHEAD = 3
"""Batches that are decoded or waited for: what bounds the memory."""
_SAVE_PICTURES, _SAVE_SECONDS = 256, 30.0
"""After so many pictures, or so long, what is found is written."""


@dataclass(frozen=True)
class Tagging:
    """What is wanted of a tagger."""

    choice: Choice = field(default_factory=Choice)
    when: When = "empty"
    extension: str = ".txt"
    dry_run: bool = False
    recursive: bool = False


@dataclass
class Tagged:
    """What has become of a dataset; `tagged` and `skipped` count pictures."""

    tagged: int = 0
    skipped: int = 0
    changes: list[Change] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)


def tag_dataset(folder: Path, tagger: Tagger, wanted: Tagging, job: Job = null_job) -> Tagged:
    """Caption the pictures of a folder as one operation of the journal, written as it goes on.

    When it is stopped, by Cancelled or by a kill, what was written stays. Raises UserError for a
    folder without pictures, or one that cannot be written.
    """
    result = Tagged()
    images = scan_captions(folder, result.failed, wanted.extension, wanted.recursive)
    todo = [image for image in images if wanted.when != "empty" or not image.caption]
    result.skipped = len(images) - len(todo)
    writer = _Writer(folder, wanted, result)
    try:
        for done, (image, tags) in enumerate(tag_pictures(todo, tagger, result.failed, job)):
            result.tagged += 1
            writer.add(image, chosen(tags, wanted.choice))
            job.report(done + 1, len(todo), image.path.name)
    finally:
        writer.flush()
    job.check()
    return result


class _Writer:
    """Collects changes and writes them now and then, all as one operation."""

    def __init__(self, folder: Path, wanted: Tagging, result: Tagged) -> None:
        self.folder, self.wanted, self.result = folder, wanted, result
        self.waiting: list[Change] = []
        self.entry = ""
        self.since = time.monotonic()
        self.captions: set[Path] = set()

    def add(self, image: ImageFile, names: list[str]) -> None:
        """The tags of one picture; of two that share a caption the first counts."""
        path = image.caption_path or caption_path(image.path, self.wanted.extension)
        if path in self.captions:
            return
        self.captions.add(path)
        found = {image.path: names}
        self.waiting += plan_tags([image], found, self.wanted.when, self.wanted.extension)
        full = len(self.waiting) >= _SAVE_PICTURES
        if full or time.monotonic() - self.since > _SAVE_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what is waiting, or in a dry run only list it."""
        waiting, self.waiting = self.waiting, []
        self.since = time.monotonic()
        if self.wanted.dry_run:
            self.result.changes += waiting
            return
        applied = journal.apply_changes(self.folder, waiting, null_job, "tag", self.entry)
        self.entry = applied.entry or self.entry
        self.result.changes += applied.applied
        self.result.failed += applied.failed
        self.result.tagged -= len(applied.failed)


def tag_pictures(
    images: Iterable[ImageFile], tagger: Tagger, failed: list[Failure], job: Job = null_job
) -> Iterator[tuple[ImageFile, Tags]]:
    """Each picture with its tags, in order; those that cannot be opened are named in `failed`.

    Ends early when the job is cancelled.
    """
    threads = at_once(tagger)

    def opened(image: ImageFile) -> Any:
        return ready(tagger, open_image(image.path))

    def seen(image: ImageFile) -> Tags:
        return tagger.predict([opened(image)])[0]

    for batch in _ahead(images, seen if threads else opened, threads or THREADS, failed):
        job.rest()
        if job.cancelled:
            return
        found = [it for _, it in batch]
        tags = found if threads else tagger.predict(found)
        yield from zip((image for image, _ in batch), tags, strict=True)


def _ahead(
    images: Iterable[ImageFile], work: Callable[[ImageFile], Any], threads: int,
    failed: list[Failure],
) -> Iterator[list[tuple[ImageFile, Any]]]:  # fmt: skip
    """Batches of pictures and what `work` made of each, the next ones under way meanwhile."""
    waiting: deque[tuple[ImageFile, Future[Any]]] = deque()
    rest = iter(images)
    with ThreadPoolExecutor(threads) as pool:
        try:
            while True:
                for image in rest:
                    waiting.append((image, pool.submit(work, image)))
                    if len(waiting) >= _AHEAD * _BATCH:
                        break
                if not waiting:
                    return
                some = [waiting.popleft() for _ in range(min(_BATCH, len(waiting)))]
                if batch := list(_whole(some, failed)):
                    yield batch
        finally:
            for _, future in waiting:
                future.cancel()


def _whole(
    some: Sequence[tuple[ImageFile, Future[Any]]], failed: list[Failure]
) -> Iterator[tuple[ImageFile, Any]]:
    for image, future in some:
        try:
            yield image, future.result()
        except UserError as error:
            failed.append((image.path, error.what))
