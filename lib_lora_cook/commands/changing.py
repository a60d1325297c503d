"""What the verbs that change a dataset share: a dry run, the journal, the list of changes."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..dataset import journal
from ..dataset.changes import Change
from ..dataset.images import Failure, ImageFile, scan_captions
from ..jobs import Job
from .base import Verbs, add_verb

_SHOWN = 20
"""Lines of a list that a person is shown at once; --json has all."""


def add_changing(verbs: Verbs, name: str, verb: Any, what: str, example: str) -> Any:
    """A verb that changes a dataset, told as a list of changes."""
    parser = add_verb(verbs, name, verb, what, example)
    add_dry_run(parser)
    parser.set_defaults(tell=tell_changes)
    return parser


def add_dry_run(parser: Any, **more: Any) -> None:
    """`--dry-run`."""
    what = "print the changes, make none"
    parser.add_argument("--dry-run", action="store_true", help=what, **more)


def add_folder(parser: Any) -> None:
    """The dataset as the first argument."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="the folder of the pictures")


def add_captions(parser: Any) -> None:
    """`--caption-extension` and `--recursive`."""
    parser.add_argument("--recursive", action="store_true", help="subfolders too")
    parser.add_argument(
        "--caption-extension", type=extension, default=".txt", metavar="EXT",
        help="of the caption files: .txt (default) or .caption",
    )  # fmt: skip


def extension(text: str) -> str:
    """An extension with its dot."""
    found = "." + text.strip().lstrip(".")
    if len(found) < 2 or set(found) & set('/\\:*?"<>|'):
        raise argparse.ArgumentTypeError(f"{text!r} is no extension")
    return found


def scan_asked(options: argparse.Namespace, failed: list[Failure]) -> list[ImageFile]:
    """The captions that the options mean."""
    return scan_captions(options.folder, failed, options.caption_extension, options.recursive)


def recover(folder: Path, job: Job) -> None:
    """Put right what a killed program has left half done, before anything is looked at."""
    for line in journal.recover(folder):
        job.log(line)


def make(
    folder: Path, changes: list[Change], failed: list[Failure], options: argparse.Namespace,
    job: Job,
) -> dict[str, Any]:  # fmt: skip
    """Make the changes as one operation, or only list them; `failed` are those named already."""
    if not options.dry_run:
        applied = journal.apply_changes(folder, changes, job, options.name)
        changes, failed = applied.applied, failed + applied.failed
    result = {"changes": [shown(change) for change in changes], "failed": named(failed, job)}
    return {**result, "dry_run": True} if options.dry_run else result


def shown(change: Change) -> dict[str, str | None]:
    """A change as JSON, with the new text of a caption."""
    text = {"before": str(change.before or ""), "after": change.after}
    return {**change.as_json(), **(text if change.kind == "caption" else {})}


def named(failed: Iterable[Failure], job: Job) -> list[dict[str, str]]:
    """What could not be handled, told on the console too."""
    failures = [{"path": str(path), "why": why} for path, why in failed]
    for failure in failures:
        job.log(f"{failure['path']}: {failure['why']}")
    return failures


def tell_changes(result: dict[str, Any]) -> str:
    """The changes for a person."""
    changes = result["changes"]
    done = "would change" if result.get("dry_run") else "changed"
    count = f"{len(changes)} {'file' if len(changes) == 1 else 'files'} {done}"
    failed = f", {len(result['failed'])} could not be" if result["failed"] else ""
    return listed([line_of(change) for change in changes], f"{count}{failed}.")


def line_of(change: dict[str, Any]) -> str:
    """One change in a line."""
    if "after" in change:
        return f"{change['path']}: {change['before']!r} -> {change['after']!r}"
    to = "trash" if change["to"] is None else change["to"]
    return f"{change['path']} -> {to}: {change['why']}"


def listed(lines: list[str], end: str) -> str:
    """The first lines and the last one, in what every console can be given."""
    rest = [f"... and {len(lines) - _SHOWN} more; --json has them all"]
    text = "\n".join([*lines[:_SHOWN], *(rest if len(lines) > _SHOWN else []), end])
    return text.encode("utf-8", "replace").decode("utf-8")
