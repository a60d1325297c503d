"""`tag`: captions from a tagger."""

from __future__ import annotations

import argparse
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ..dataset import changes as plans
from ..dataset.changes import Change
from ..dataset.images import Failure, ImageFile, open_image, scan_captions
from ..errors import UserError
from ..jobs import ConsoleJob, null_job
from .base import Verbs, make_host
from .changing import (
    add_changing,
    add_folder,
    make,
    recover,
    tell_changes,
)

_BATCH = 8
_DECODERS = 2


def add_verbs(verbs: Verbs) -> None:
    """`tag`."""
    parser = add_changing(
        verbs, "tag", tag, "Captions from a tagger.",
        "lora-cook tag datasets/kafka --tagger wd-swinv2-tagger-v3 --when append",
    )  # fmt: skip
    add_folder(parser)
    parser.add_argument(
        "--tagger", required=True, metavar="NAME|FOLDER", help="with model.onnx and its tags"
    )
    parser.add_argument("--threshold", type=float, default=0.35, help="of general tags (0.35)")
    parser.add_argument(
        "--when", choices=("empty", "overwrite", "append", "prepend"), default="empty",
        help="where there is no caption, or over, behind or before the one there is",
    )  # fmt: skip
    parser.set_defaults(tell=tell_tagged)


def tag(options: argparse.Namespace, job: ConsoleJob) -> dict[str, Any]:
    """Tag the pictures; when cancelled, what is tagged already is kept."""
    if not 0 <= options.threshold <= 1:
        raise UserError("A threshold goes from 0 to 1", f"--threshold {options.threshold:g}")
    failed: list[Failure] = []
    recover(options.folder, job)
    images = scan_captions(options.folder, failed)
    tagger = load_tagger(options.tagger, job)
    todo = [image for image in images if options.when != "empty" or not image.caption]
    found: dict[Path, list[str]] = {}
    for batch in opened_ahead(todo, failed):
        if job.cancelled:
            break
        seen = tagger.predict([picture for _, picture in batch])
        for (image, _), tags in zip(batch, seen, strict=True):
            found[image.path] = tags.names(options.threshold)
        job.report(len(found), len(todo), "tagging")
    changes = plans.plan_tags(todo, found, options.when)
    made = make(options.folder, changes, failed, options, null_job if job.cancelled else job)
    job.check()
    return {"tagged": tagged(found, changes, made), "skipped": len(images) - len(todo), **made}


def tagged(found: dict[Path, list[str]], changes: Sequence[Change], made: dict[str, Any]) -> int:
    """How many pictures have their tags now."""
    failures = {failure["path"] for failure in made["failed"]}
    return len(found) - sum(str(change.path) in failures for change in changes)


def tell_tagged(result: dict[str, Any]) -> str:
    """The tagger's work for a person."""
    return (
        f"{tell_changes(result)}\n{result['tagged']} pictures tagged, {result['skipped']} left "
        "alone because they have captions."
    )


def load_tagger(name: str, job: ConsoleJob) -> Any:
    """The tagger in a folder, or of this name among the host's."""
    from ..captioning import onnx_tagger

    if Path(name).is_dir() or Path(name).name != name:
        return onnx_tagger.load(Path(name))
    host = make_host(job)
    return onnx_tagger.load(host.taggers().get(name, host.tagger_dir / name))


def opened_ahead(
    images: Sequence[ImageFile], failed: list[Failure]
) -> Iterator[list[tuple[ImageFile, Any]]]:
    """The pictures in batches, the next ones decoded meanwhile; broken ones are named."""
    waiting: deque[tuple[ImageFile, Future[Any]]] = deque()
    rest = iter(images)
    with ThreadPoolExecutor(_DECODERS) as pool:
        while True:
            for image in rest:
                waiting.append((image, pool.submit(open_image, image.path)))
                if len(waiting) >= 2 * _BATCH:
                    break
            if not waiting:
                return
            batch = []
            for _ in range(min(_BATCH, len(waiting))):
                image, picture = waiting.popleft()
                try:
                    batch.append((image, picture.result()))
                except UserError as error:
                    failed.append((image.path, error.what))
            yield batch
