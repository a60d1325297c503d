"""`captions`: captions from and to what other programs keep them in."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..dataset.captions import split_tags
from ..dataset.changes import plan_tags
from ..dataset.file_names import caption_of_name
from ..dataset.images import Failure, ImageFile
from ..dataset.kohya_metadata import read_metadata, write_metadata
from ..jobs import ConsoleJob
from .changing import add_dry_run, make, named, recover, scan_asked, tell_changes


def add_files(actions: Any) -> None:
    """`from-names`, `read-json` and `write-json`."""
    names = add_source(actions, "from-names", "Captions from the names of the pictures.", "")
    names.set_defaults(verb=captions_from_names)
    read = add_source(actions, "read-json", "Captions from kohya's metadata.", "meta.json")
    read.add_argument("file", type=Path, metavar="FILE", help="sd-scripts' JSON")
    read.set_defaults(verb=captions_from_json)
    write = add_one(actions, "write-json", "Captions into kohya's metadata.", "meta.json")
    write.add_argument("file", type=Path, metavar="FILE", help="made, or added to")
    write.add_argument(
        "--field", choices=("tags", "caption"), default="tags", help="as which they are noted"
    )
    write.add_argument("--stems", action="store_true", help="names as keys, not whole paths")
    write.set_defaults(
        verb=captions_to_json, tell=lambda result: f"{result['images']} captions written."
    )


def add_source(actions: Any, name: str, what: str, example: str) -> Any:
    """An action that brings captions in."""
    parser = add_one(actions, name, what, example)
    add_dry_run(parser)
    parser.add_argument(
        "--when", choices=("empty", "overwrite", "append", "prepend"), default="empty",
        help="where there is no caption, or over, behind or before the one there is",
    )  # fmt: skip
    parser.set_defaults(tell=tell_changes)
    return parser


def add_one(actions: Any, name: str, what: str, example: str) -> Any:
    """An action with its example."""
    line = f"example: lora-cook captions datasets/kafka {name} {example}".rstrip()
    parser = actions.add_parser(
        name, help=what, description=what, epilog=line,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS,
        help="print one JSON document on stdout",
    )  # fmt: skip
    return parser


def captions_from_names(options: argparse.Namespace, job: ConsoleJob) -> dict[str, Any]:
    """What the pictures are called."""
    images, failed = scanned(options, job)
    texts = {image.path: caption_of_name(image.path.stem) for image in images}
    return brought_in(options, job, images, failed, {path: it for path, it in texts.items() if it})


def captions_from_json(options: argparse.Namespace, job: ConsoleJob) -> dict[str, Any]:
    """What the file says of the pictures."""
    images, failed = scanned(options, job)
    return brought_in(options, job, images, failed, read_metadata(options.file, images))


def captions_to_json(options: argparse.Namespace, job: ConsoleJob) -> dict[str, Any]:
    """The captions into the file; the dataset stays as it is."""
    images, failed = scanned(options, job)
    count = write_metadata(options.file, images, options.field, not options.stems)
    return {"images": count, "file": str(options.file), "failed": named(failed, job)}


def scanned(options: argparse.Namespace, job: ConsoleJob) -> tuple[list[ImageFile], list[Failure]]:
    """The dataset's captions, and those that cannot be read."""
    recover(options.folder, job)
    failed: list[Failure] = []
    return scan_asked(options, failed), failed


def brought_in(
    options: argparse.Namespace, job: ConsoleJob, images: list[ImageFile],
    failed: list[Failure], texts: dict[Path, str],
) -> dict[str, Any]:  # fmt: skip
    """These texts where the options want them."""
    found = {path: split_tags(text) for path, text in texts.items()}
    changes = plan_tags(images, found, options.when, options.caption_extension)
    options.name = f"captions {options.action}"
    return make(options.folder, changes, failed, options, job)
