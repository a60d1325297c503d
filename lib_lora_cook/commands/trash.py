"""`trash`: pictures out of a dataset, and what is kept of them."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from ..dataset import changes as plans
from ..errors import UserError
from ..jobs import ConsoleJob
from .base import Verbs
from .changing import add_changing, make, recover, tell_changes
from .pictures import dataset_of


def add_verbs(verbs: Verbs) -> None:
    """`trash`."""
    parser = add_changing(
        verbs, "trash", trash, "Pictures out of the dataset, their captions with them.",
        "lora-cook trash datasets/kafka/blurred.png",
    )  # fmt: skip
    parser.add_argument("files", type=Path, nargs="*", metavar="FILE", help="the pictures")
    parser.add_argument("--list", type=Path, metavar="DIR", help="what is kept, and its bytes")
    parser.add_argument(
        "--empty", type=Path, metavar="DIR",
        help="delete what is kept; with --yes, and it can never be undone",
    )  # fmt: skip
    parser.add_argument("--yes", action="store_true", help="yes, for good")
    parser.set_defaults(tell=tell_trash)


def trash(options: argparse.Namespace, job: ConsoleJob) -> dict[str, Any]:
    """Throw pictures away, or look at what is kept and delete that."""
    asked = [bool(options.files), options.list is not None, options.empty is not None]
    if sum(asked) != 1:
        raise UserError("One thing at a time", "trash", "Give files, --list DIR or --empty DIR.")
    if options.files:
        return throw_away(options, job)
    return show_kept(options.list) if options.list else empty(options)


def show_kept(folder: Path) -> dict[str, Any]:
    """What is kept of each operation."""
    from ..dataset.trash import kept_originals

    kept = kept_originals(folder)
    return {"kept": [vars(it) for it in kept], "bytes": sum(it.bytes for it in kept)}


def empty(options: argparse.Namespace) -> dict[str, Any]:
    """Delete all that is kept, if the person says so having seen how much it is."""
    from ..dataset.trash import empty_trash

    shown = show_kept(options.empty)
    if options.dry_run:
        return {**shown, "deleted": 0}
    if not options.yes:
        raise UserError(
            f"This would delete {shown['bytes']:,} bytes for good", options.empty, "Add --yes."
        )
    gone = empty_trash(options.empty)
    return {"kept": [], "bytes": 0, "deleted": sum(it.bytes for it in gone)}


def tell_trash(result: dict[str, Any]) -> str:
    """What was thrown away, or what is kept, for a person."""
    if "kept" not in result:
        return tell_changes(result)
    lines = [
        f"{it['id']} {it['what']} ({it['time']}): {it['files']} files, {it['bytes']:,} bytes"
        for it in result["kept"]
    ]
    deleted = f", {result['deleted']:,} deleted" if "deleted" in result else ""
    return "\n".join([*lines, f"{result['bytes']:,} bytes are kept{deleted}."])


def throw_away(options: argparse.Namespace, job: ConsoleJob) -> dict[str, Any]:
    """Throw pictures away, one operation a dataset."""
    files = {os.path.abspath(file): file for file in options.files}
    folders: dict[Path, list[Path]] = {}
    for file in files.values():
        folders.setdefault(dataset_of(file), []).append(file)
    for folder in folders:
        recover(folder, job)
    for file in files.values():
        if not os.path.lexists(file) or (file.is_dir() and not file.is_symlink()):
            raise UserError("There is no such file", file, "Check the name; nothing was changed.")
    results = [
        make(folder, plans.plan_trash(inside), [], options, job)
        for folder, inside in folders.items()
    ]
    joined = {
        key: [it for result in results for it in result[key]] for key in ("changes", "failed")
    }
    return {**results[0], **joined}
