"""Which pictures a person has said are no duplicates, kept in the dataset's own folder.

By what the pictures show and not by name, so that it outlives renaming.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from ...errors import IF_UNWRITTEN, UserError
from ..images import OWN_FOLDER

_FILE = "not_duplicates.json"

Distinct = frozenset[frozenset[str]]
"""Pairs of `Print.content`."""


def read_distinct(folder: Path) -> Distinct:
    """The pairs; UserError if the file is there and cannot be read."""
    path = folder / OWN_FOLDER / _FILE
    try:
        pairs = json.loads(path.read_text(encoding="utf-8"))
        return frozenset(frozenset((str(one), str(other))) for one, other in pairs)
    except FileNotFoundError:
        return frozenset()
    except (OSError, ValueError, TypeError) as error:
        why = f"Cannot read which pictures are no duplicates ({error})"
        raise UserError(why, path, "Mend or delete this file.") from error


def save_distinct(folder: Path, one: str, other: str) -> None:
    """Add a pair; UserError if it cannot be written."""
    pairs = read_distinct(folder) | {frozenset((one, other))}
    path = folder / OWN_FOLDER / _FILE
    text = json.dumps(sorted(sorted(pair) for pair in pairs), indent=0) + "\n"
    try:
        path.parent.mkdir(exist_ok=True)
        new = path.with_name(_FILE + ".new")
        new.write_text(text, encoding="utf-8")
        os.replace(new, path)
    except OSError as error:
        raise UserError(f"Cannot write this file ({error.strerror})", path, IF_UNWRITTEN) from error
