"""The journal's file: one JSON document a line, only ever appended to, on disk before we go on.

{"entry": 3, "begin": "convert", "time": "..."}      an operation starts, or goes on
{"entry": 3, "do": 0, "path": ..., "why": ..., "steps": [...]}   about to change files
{"entry": 3, "did": [0, 1]}     of the changes told above, these are made; the rest never were
{"entry": 3, "end": true}       the operation is over
{"entry": 3, "undo": true} ... {"entry": 3, "undone": true}
{"entry": 3, "emptied": true}   its originals are deleted for good
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from .steps import Step

_KEYS = tuple(field.name for field in fields(Step))


@dataclass
class Record:
    """What the journal's lines say of one operation."""

    number: int
    what: str = ""
    time: str = ""
    done: list[list[Step]] = field(default_factory=list)
    pending: dict[int, list[Step]] = field(default_factory=dict)
    ended: bool = False
    undoing: bool = False
    undone: bool = False
    emptied: bool = False

    def add(self, line: dict[str, Any]) -> None:
        """Take in one more line."""
        if "begin" in line:
            self.what, self.time, self.ended = line["begin"], line["time"], False
        elif "do" in line:
            self.pending[line["do"]] = [_step(step) for step in line["steps"]]
        elif "did" in line:
            self.done += [self.pending[number] for number in line["did"]]
            self.pending = {}
        self.ended |= "end" in line
        self.undoing |= "undo" in line
        self.undone |= "undone" in line
        self.emptied |= "emptied" in line


def _step(values: dict[str, Any]) -> Step:
    stamps = {key: tuple(values[key]) for key in ("before", "after") if values.get(key)}
    return Step(**{**values, **stamps})


def do_line(entry: int, number: int, path: str, why: str, steps: list[Step]) -> dict[str, Any]:
    """The line that tells a change before it is made."""
    plain = [{key: value for key in _KEYS if (value := getattr(step, key))} for step in steps]
    return {"entry": entry, "do": number, "path": path, "why": why, "steps": plain}


def read_records(file: Path) -> list[Record]:
    """The operations in a journal, oldest first; a line cut short by a crash is passed over."""
    records: dict[int, Record] = {}
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        return []
    for text in data.split(b"\n"):
        try:
            line = json.loads(text)
            number = int(line["entry"])
        except (ValueError, TypeError, KeyError):
            continue
        records.setdefault(number, Record(number)).add(line)
    return [records[number] for number in sorted(records)]


def append_lines(file: Path, *lines: dict[str, Any]) -> None:
    """Add lines to the journal; returns once they are on the disk."""
    text = "".join(json.dumps(line) + "\n" for line in lines).encode("ascii")
    with open(file, "ab+") as journal:
        if journal.tell() and not _ends_whole(journal.fileno(), file):
            text = b"\n" + text
        journal.write(text)
        journal.flush()
        os.fsync(journal.fileno())


def _ends_whole(handle: int, file: Path) -> bool:
    with open(file, "rb") as journal:
        journal.seek(-1, os.SEEK_END)
        return journal.read(1) == b"\n"
