"""The only writer of a dataset: changes applied with a journal, and taken back byte for byte.

Everything lies in `.lora_cook` inside the dataset: `journal.jsonl`, `lock`, and `trash/N` with
the originals of operation N under their own names. Each group of changes is staged, told to the
journal, made, and told as made; a process killed anywhere in between leaves a group that the next
start takes back, so every file is as before or as after.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ..errors import IF_UNWRITTEN, UserError
from ..jobs import Job, null_job
from .changes import Change
from .images import OWN_FOLDER, Failure
from .journal_log import Record, append_lines, do_line, read_records
from .lock import locked
from .rendering import rendered_ahead
from .staging import Staged, Stager
from .steps import STAGED, Place, Step, each, sync_folder


@dataclass(frozen=True)
class Applied:
    """What became of a list of changes; `entry` is the operation to undo, "" if there is none."""

    entry: str
    applied: list[Change] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)


@dataclass(frozen=True)
class Entry:
    """One operation in the journal; `changes` counts those made, `time` is ISO 8601 in UTC."""

    id: str
    what: str
    time: str
    changes: int
    undone: bool


def apply_changes(
    folder: Path, changes: Iterable[Change], job: Job = null_job, what: str = "", into: str = ""
) -> Applied:
    """Make the changes as one operation; those that cannot be made are named, the rest is done.

    `into`: the operation that these changes go on with, if nothing has come after it.

    Raises UserError if the dataset is locked or cannot be written, and Cancelled once asked to
    stop; what was made until then stays, and can be undone.
    """
    todo = list(changes)
    if not todo:
        return Applied("")
    with opened(Path(folder)) as journal:
        journal.recover()
        return journal.apply(todo, job, what or todo[0].kind, into)


def undo(folder: Path, to: str | None = None, job: Job = null_job) -> list[str]:
    """Take back the last operation, or all after operation `to` ("0": all); a line for each.

    A file that someone else has changed since is not lost: a line says where it is kept. Raises
    UserError for an unknown `to`, a locked dataset, or files that cannot be put back now.
    """
    if not _file(Path(folder)).exists():
        if to in (None, "0"):
            return []
        raise UserError("This dataset has no journal", folder, "Give the folder that was changed.")
    with opened(Path(folder)) as journal:
        lines = journal.recover()
        if journal.finished_undo and to is None:
            return lines  # that undo is the one asked for again
        records = journal.to_undo(to)
        _check_kept(records)
        for record in records:
            job.check()
            lines += journal.undo(record, job)
        return lines


def _check_kept(records: list[Record]) -> None:
    """UserError for operations whose originals a person has deleted."""
    gone = [f"{record.number} {record.what}" for record in records if record.emptied]
    if gone:
        raise UserError(
            "The trash of this has been emptied, so it cannot be taken back", ", ".join(gone)
        )


def recover(folder: Path) -> list[str]:
    """Put right what a killed program has left half done; a line for each thing, mostly none."""
    if not _file(Path(folder)).exists():
        return []
    with opened(Path(folder)) as journal:
        return journal.recover()


def history(folder: Path) -> list[Entry]:
    """The operations on this dataset, oldest first; undone ones are marked."""
    return [
        Entry(str(record.number), record.what, record.time, len(record.done), record.undone)
        for record in read_records(_file(Path(folder)))
        if record.done
    ]


def _file(folder: Path) -> Path:
    return folder / OWN_FOLDER / "journal.jsonl"


@contextmanager
def opened(folder: Path) -> Iterator[_Journal]:
    """The journal of a dataset, locked; UserError where that cannot be."""
    folder = Path(os.path.abspath(folder))
    if not folder.is_dir():
        raise UserError("There is no such folder", folder, "Check its name.")
    try:
        (folder / OWN_FOLDER / "trash").mkdir(parents=True, exist_ok=True)
        with locked(folder / OWN_FOLDER / "lock", folder):
            yield _Journal(folder)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(
            f"Cannot write to this dataset ({reason})",
            error.filename or folder,
            IF_UNWRITTEN,
        ) from error


class _Journal:
    """The journal of one folder while its lock is held."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = _file(folder)
        self.records = read_records(self.file)
        self.finished_undo = False

    def _tell(self, *lines: dict[str, Any]) -> None:
        append_lines(self.file, *lines)

    def _place(self, number: int) -> Place:
        return Place(self.folder, self.folder / OWN_FOLDER / "trash" / str(number))

    def _free_number(self) -> int:
        trash = self.folder / OWN_FOLDER / "trash"
        used = [int(path.name) for path in trash.iterdir() if path.name.isdecimal()]
        return max([0, *used, *(record.number for record in self.records)]) + 1

    def _number(self, into: str) -> int:
        last = self.records[-1] if self.records else None
        if last is not None and str(last.number) == into and not last.undoing:
            return last.number
        return self._free_number()

    def apply(self, changes: list[Change], job: Job, what: str, into: str) -> Applied:
        """One operation, in groups; see apply_changes."""
        number = self._number(into)
        time = datetime.now(timezone.utc).isoformat(timespec="seconds")
        self._tell({"entry": number, "begin": what, "time": time})
        result = Applied(str(number))
        stager = Stager(self._place(number))
        try:
            with closing(rendered_ahead(changes)) as each_change:
                for done, (change, ahead) in enumerate(each_change):
                    job.check()
                    if stager.full or stager.touches(change):
                        self._make(stager, result)
                    stager.add(change, result.failed, ahead)
                    job.report(done + 1, len(changes), change.path.name)
        finally:
            self._make(stager, result)
            _clean(self._place(number))
            self._tell({"entry": number, "end": True})
        return result if result.applied else Applied("", [], result.failed)

    def _make(self, stager: Stager, result: Applied) -> None:
        """Make one staged group, with the journal told before and after."""
        group = stager.take_group(result.failed)
        if not group:
            return
        entry = int(result.entry)
        self._tell(
            *(do_line(entry, one.number, one.name, one.change.why, one.steps) for one in group)
        )
        made = [one for one in group if self._make_one(stager.place, one, result)]
        sync_folder(self.folder)
        self._tell({"entry": entry, "did": [one.number for one in made]})

    def _make_one(self, place: Place, one: Staged, result: Applied) -> bool:
        try:
            one.check()
            for step in one.steps:
                place.do(step)
        except (OSError, UserError) as error:
            result.failed.append((one.change.path, _why(error)))
            try:
                _undo_steps(place, one.steps)
            except OSError:
                return True  # half made: undo can still put it back
            return False
        result.applied.append(one.change)
        return True

    def recover(self) -> list[str]:
        """Take back a group that was cut short, finish an undo that was."""
        lines: list[str] = []
        for record in self.records:
            place = self._place(record.number)
            if record.pending:
                for steps in reversed(list(record.pending.values())):
                    lines += _undo_steps(place, steps)
                self._tell({"entry": record.number, "did": []})
                lines.append(f"{record.number} {record.what}: cut short, its last part taken back")
            if not record.ended:
                _clean(place)
                self._tell({"entry": record.number, "end": True})
            if record.undoing and not record.undone:
                lines += self.undo(record, null_job)
                self.finished_undo = True
        self.records = read_records(self.file)
        return lines

    def to_undo(self, to: str | None) -> list[Record]:
        """The operations to take back, newest first."""
        live = [record for record in self.records if record.done and not record.undone]
        if to is None:
            return live[-1:]
        known = [str(record.number) for record in self.records if record.done]
        if to != "0" and to not in known:
            raise UserError(
                "No such operation in this dataset", to, f"Known: 0, {', '.join(known)}."
            )
        return [record for record in reversed(live) if record.number > int(to)]

    def tell_emptied(self, numbers: list[int]) -> None:
        """What these operations kept is about to be deleted for good."""
        self._tell(*({"entry": number, "emptied": True} for number in numbers))

    def undo(self, record: Record, job: Job) -> list[str]:
        """Take back one operation; safe to begin again wherever it was cut short."""
        place = self._place(record.number)
        self._tell({"entry": record.number, "undo": True})
        lines: list[str] = []
        failed: list[str] = []

        def back(steps: list[Step]) -> list[str]:
            try:
                return _undo_steps(place, steps)
            except OSError as error:
                failed.append(f"{steps[0].name} ({_why(error)})")
                return []

        at_once = each if _independent(record.done) else map
        for done, told in enumerate(at_once(back, reversed(record.done))):
            lines += told
            job.report(done + 1, len(record.done))
        if failed:
            raise UserError(
                "Cannot put back", ", ".join(failed), "Close what uses them; undo again."
            )
        sync_folder(self.folder)
        _clean(place)
        self._tell({"entry": record.number, "undone": True})
        return [f"{record.number} {record.what}: {len(record.done)} taken back", *lines]


def _undo_steps(place: Place, steps: list[Step]) -> list[str]:
    return [line for step in reversed(steps) if (line := place.undo(step))]


def _independent(changes: list[list[Step]]) -> bool:
    """Whether these can be taken back in any order, as captions can."""
    names = {steps[0].name for steps in changes if len(steps) == 1 and steps[0].op == "put"}
    return len(names) == len(changes)


def _why(error: OSError | UserError) -> str:
    if isinstance(error, UserError):
        return error.what
    return error.strerror or str(error) or type(error).__name__


def _clean(place: Place) -> None:
    """Remove what was only staged, and folders of the trash that are empty."""
    shutil.rmtree(place.trash / STAGED, ignore_errors=True)
    for folder, _, _ in os.walk(place.trash, topdown=False):
        with suppress(OSError):  # holds originals
            os.rmdir(folder)
