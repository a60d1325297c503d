"""The captions of a folder in memory: edited at once, undone at will, written only by `save`."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ..jobs import Job, null_job
from .caption_edits import CaptionEdit, rewrite
from .captions import caption_path, join_tags, read_caption, split_tags
from .changes import Change
from .editor_history import History, Past, State, States
from .filters import Filter
from .images import Failure, ImageFile, scan_captions
from .journal import Applied, apply_changes


class Difference(NamedTuple):
    """What an edit would do to one row."""

    row: int
    before: str
    after: str


class Editor:
    """Rows of captions, one for each caption file: of `a.png` and `a.webp` the first stands there.

    Rows are numbers from 0; everything that takes rows takes None for all.
    """

    def __init__(self, folder: Path, images: Iterable[ImageFile], extension: str = ".txt") -> None:
        self.folder = Path(os.path.abspath(folder))
        self._own: dict[str, str] = {}  # each tag once in memory, however often it is used
        self.pictures: list[str] = []
        self._captions: list[str] = []
        self._rows: list[State] = []
        taken: set[str] = set()
        for image in images:
            caption = os.path.abspath(image.caption_path or caption_path(image.path, extension))
            if caption not in taken:
                taken.add(caption)
                self.pictures.append(os.path.abspath(image.path))
                self._captions.append(caption)
                self._rows.append(self._state(image.caption))
        self._saved = list(self._rows)
        self._counts: Counter[str] | None = None
        self.history = History()

    def __len__(self) -> int:
        return len(self._rows)

    def text(self, row: int) -> str:
        """A row's caption as it stands in memory."""
        return _text(self._rows[row])

    def tags(self, row: int) -> tuple[str, ...]:
        """A row's tags."""
        return self._rows[row].tags

    def counts(self, rows: Iterable[int] | None = None) -> Counter[str]:
        """In how many captions each tag stands; of these rows, or of all."""
        if rows is not None:
            return _counted(self._rows[row].tags for row in rows)
        if self._counts is None:
            self._counts = _counted(state.tags for state in self._rows)
        return self._counts

    def found(
        self, filters: Sequence[Filter] = (), selection: Iterable[int] | None = None
    ) -> list[int]:
        """The rows that pass every filter, of those selected or of all."""
        tests = [it.among(self.counts()) for it in filters]
        rows = range(len(self)) if selection is None else sorted(set(selection))
        return [
            row
            for row in rows
            if all(test(self._rows[row].tags, _text(self._rows[row])) for test in tests)
        ]

    def difference(
        self, edit: CaptionEdit, rows: Iterable[int] | None = None
    ) -> Iterator[Difference]:
        """What `apply` would do, row by row as it is asked for; nothing is changed."""
        for row in range(len(self)) if rows is None else rows:
            new = self._edited(edit, self._rows[row])
            if new is not self._rows[row]:
                yield Difference(row, self.text(row), _text(new))

    def apply(self, edit: CaptionEdit, rows: Iterable[int] | None = None) -> int:
        """Edit these rows; how many came to differ. One undo takes it back."""
        new: States = {}
        for row in range(len(self)) if rows is None else rows:
            state = self._edited(edit, self._rows[row])
            if state is not self._rows[row]:
                new[row] = state
        if new:
            self.history.push(edit.what, self._put(new))
        return len(new)

    def write(self, row: int, text: str) -> None:
        """A new caption for one row."""
        self.apply(rewrite(text), [row])

    def undo(self) -> str:
        """Take the last edit back; its name, "" if there is none."""
        return self._swap(self.history.done, self.history.undone)

    def redo(self) -> str:
        """Make the edit again that was taken back last; its name, "" if there is none."""
        return self._swap(self.history.undone, self.history.done)

    def unsaved(self) -> list[int]:
        """The rows that differ from what was read or saved."""
        pairs = zip(self._rows, self._saved, strict=True)
        return [row for row, (now, saved) in enumerate(pairs) if now is not saved and now != saved]

    def plan(self, what: str = "edited") -> list[Change]:
        """What `save` will write."""
        return [self._change(row, what) for row in self.unsaved()]

    def _change(self, row: int, what: str) -> Change:
        path, before = Path(self._captions[row]), _text(self._saved[row])
        return Change("caption", path, what, path, before=before, after=self.text(row))

    def save(self, job: Job = null_job, what: str = "captions edited") -> Applied:
        """Write what differs as one operation of the journal.

        A caption that another program has changed meanwhile is left alone, named in `failed`, and
        stays unsaved until `take_theirs` or `keep_ours`. Raises what apply_changes raises.
        """
        places = {self._captions[row]: row for row in self.unsaved()}
        try:
            applied = apply_changes(self.folder, self.plan(), job, what)
        except BaseException:  # stopped half-way: what is written already is seen on the disk
            for row in places.values():
                if read_caption(self._captions[row]) == self.text(row):
                    self._saved[row] = self._rows[row]
            raise
        for change in applied.applied:
            row = places[str(change.path)]
            self._saved[row] = self._rows[row]
        return applied

    def changed_on_disk(self, rows: Iterable[int] | None = None) -> dict[int, str]:
        """Row -> the text on disk, where another program has changed it; by default of all."""
        found: dict[int, str] = {}
        for row in range(len(self)) if rows is None else rows:
            text = read_caption(self._captions[row])
            if text != _text(self._saved[row]):
                found[row] = text
        return found

    def take_theirs(self, rows: Iterable[int] | None = None) -> int:
        """Read again what another program has changed, over our own edits; undo has them still."""
        theirs = {row: self._state(text) for row, text in self.changed_on_disk(rows).items()}
        for row, state in theirs.items():
            self._saved[row] = state
        if theirs:
            self.history.push("read again", self._put(theirs))
        return len(theirs)

    def keep_ours(self, rows: Iterable[int] | None = None) -> int:
        """Let the next save write over what another program has changed."""
        theirs = self.changed_on_disk(rows)
        for row, text in theirs.items():
            self._saved[row] = self._state(text)
        return len(theirs)

    def _state(self, text: str) -> State:
        tags = tuple(map(self._intern, split_tags(text)))
        return State(tags, None if join_tags(tags) == text else text)

    def _intern(self, tag: str) -> str:
        return self._own.setdefault(tag, tag)

    def _edited(self, edit: CaptionEdit, state: State) -> State:
        """The same state where the edit has nothing to do."""
        if edit.of_tags is None:
            text = edit.text(_text(state))
            return state if text == _text(state) else self._state(text)
        new = tuple(edit.of_tags(list(state.tags)))
        return state if new == state.tags else State(new)

    def _put(self, new: States) -> States:
        """Set rows; what stood there before."""
        old = {row: self._rows[row] for row in new}
        for row, state in new.items():
            self._rows[row] = state
        self._counts = None
        return old

    def _swap(self, source: list[Past], target: list[Past]) -> str:
        if not source:
            return ""
        past = source.pop()
        self.history.add(target, past.what, self._put(past.unpacked(self._intern)))
        return past.what


def open_editor(
    folder: Path, failed: list[Failure] | None = None, extension: str = ".txt",
    recursive: bool = False,
) -> Editor:  # fmt: skip
    """The captions of a folder's pictures; as scan_captions where something cannot be read."""
    return Editor(folder, scan_captions(folder, failed, extension, recursive), extension)


def _text(state: State) -> str:
    return join_tags(state.tags) if state.text is None else state.text


def _counted(rows: Iterable[tuple[str, ...]]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for tags in rows:
        counts.update(set(tags))
    return counts
