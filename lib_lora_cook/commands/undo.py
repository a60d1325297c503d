"""`undo`: a dataset as it was."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..jobs import ConsoleJob
from .base import Verbs, add_verb


def add_verbs(verbs: Verbs) -> None:
    """`undo`."""
    parser = add_verb(
        verbs, "undo", undo, "Take back the last change of a dataset, or all after one.",
        "lora-cook undo datasets/kafka --list",
    )  # fmt: skip
    parser.add_argument("folder", type=Path, metavar="DIR", help="the dataset")
    parser.add_argument("--list", action="store_true", help="show the changes, take none back")
    parser.add_argument("--to", metavar="ID", help="take back all changes after this one")
    parser.set_defaults(tell=tell_undone)


def undo(options: argparse.Namespace, job: ConsoleJob) -> dict[str, Any]:
    """Undo through the journal."""
    from ..dataset import journal

    if not options.folder.is_dir():
        raise UserError("There is no such folder", options.folder, "Check the name.")
    if options.list:
        return {"history": [vars(entry) for entry in journal.history(options.folder)]}
    return {"undone": journal.undo(options.folder, options.to, job)}


def tell_undone(result: dict[str, Any]) -> str:
    """What was taken back; or a line a change, the oldest first."""
    if "undone" in result:
        return "\n".join(result["undone"]) or "There is nothing to take back."
    lines = [
        f"{it['id']}  {it['time']}  {it['what']}, {it['changes']} files"
        + (", taken back" if it["undone"] else "")
        for it in result["history"]
    ]
    return "\n".join(lines) or "Nothing was changed here."
