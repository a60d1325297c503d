"""Runs that wait their turn, in a file: a restart loses none, and any of them can be moved."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ..errors import UserError

WAITING, COOKING, DONE, FAILED = "waiting", "cooking", "done", "failed"


@dataclass(frozen=True)
class Entry:
    """One run in the queue."""

    id: int
    """Never given twice in one queue."""
    run: str
    """The run file, absolute."""
    state: str = WAITING
    why: str = ""
    """What a failed run said."""


def read_queue(path: Path) -> list[Entry]:
    """The queue in its order; empty where there is no file, UserError where it is broken.

    A run that was cooking when the program ended waits again: it resumes.
    """
    try:
        entries = [Entry(**it) for it in json.loads(path.read_text(encoding="utf-8"))]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError) as error:
        raise UserError(
            f"The queue cannot be read ({error})", path, "Mend or remove that file."
        ) from None
    return entries


def write_queue(path: Path, entries: list[Entry]) -> None:
    """The queue whole or as it was: a temporary name, fsync, rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with open(part, "w", encoding="utf-8") as file:
        json.dump([asdict(entry) for entry in entries], file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def add(entries: list[Entry], run: Path) -> list[Entry]:
    """A run at the end."""
    number = max((entry.id for entry in entries), default=0) + 1
    return [*entries, Entry(number, str(run.resolve()))]


def remove(entries: list[Entry], number: int) -> list[Entry]:
    """Without one; UserError where it is not there or is being cooked."""
    if place_of(entries, number).state == COOKING:
        raise UserError("This run is being cooked", f"number {number}", "Stop it first.")
    return [entry for entry in entries if entry.id != number]


def move(entries: list[Entry], number: int, place: int) -> list[Entry]:
    """One at another place, counted from 1."""
    entry = place_of(entries, number)
    rest = [it for it in entries if it.id != number]
    at = max(0, place - 1)
    return [*rest[:at], entry, *rest[at:]]


def place_of(entries: list[Entry], number: int) -> Entry:
    """The entry of a number; UserError where there is none."""
    for entry in entries:
        if entry.id == number:
            return entry
    raise UserError("No such run is in the queue", f"number {number}", "See the list.")


def cook_queue(path: Path, cook: Callable[[Path], str]) -> list[Entry]:
    """Cook what waits, in order, one that fails not stopping the next; returns the queue.

    `cook` gets a run file and returns "" or why the run was stopped; a UserError is kept with its
    run. The file is read anew before each run: what was moved or added meanwhile counts.
    """
    settle(path, {entry.id: WAITING for entry in read_queue(path) if entry.state == COOKING})
    while (entry := next_waiting(read_queue(path))) is not None:
        settle(path, {entry.id: COOKING})
        try:
            stopped = cook(Path(entry.run))
        except UserError as error:
            settle(path, {entry.id: FAILED}, str(error))
            continue
        except BaseException:
            settle(path, {entry.id: WAITING})
            raise
        settle(path, {entry.id: WAITING if stopped else DONE}, stopped)
        if stopped:
            break
    return read_queue(path)


def next_waiting(entries: list[Entry]) -> Entry | None:
    """The first that waits."""
    return next((entry for entry in entries if entry.state == WAITING), None)


def settle(path: Path, states: dict[int, str], why: str = "") -> None:
    """Write the new states of some entries."""
    entries = [
        replace(entry, state=states[entry.id], why=why) if entry.id in states else entry
        for entry in read_queue(path)
    ]
    if states:
        write_queue(path, entries)
