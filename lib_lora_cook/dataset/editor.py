"""The captions of a folder in memory: edited at once, undone at will, written only by `save`."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from ..jobs import Job, null_job
from .caption_edits import CaptionEdit, rewrite
from .captions import caption_path, join_tags, read_caption, split_tags
from .changes import Change
from .editor_history import History, Past, State, States
from .filters import Filter
from .images import Failure, ImageFile, scan_captions, stamp_of
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
        self._unsaved: set[int] = set()
        self._stamps = [stamp_of(path) for path in self._captions]
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
        for test in tests:
            states = self._rows
            rows = [row for row in rows if test(states[row].tags, partial(_text, states[row]))]
        return list(rows)

    def edited(self, edit: CaptionEdit, rows: Iterable[int] | None = None) -> States:
        """The rows that `apply` would change, and to what; nothing is changed."""
        new: States = {}
        change = self._change_by(edit)
        for row in range(len(self)) if rows is None else rows:
            state = self._rows[row]
            if (changed := change(state)) is not state:
                new[row] = changed
        return new

    def difference(self, new: States) -> Iterator[Difference]:
        """Rows as they stand beside what they would become, as they are asked for."""
        for row, state in new.items():
            yield Difference(row, self.text(row), _text(state))

    def apply(self, edit: CaptionEdit, rows: Iterable[int] | None = None) -> int:
        """Edit these rows; how many came to differ. One undo takes it back."""
        new = self.edited(edit, rows)
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
        return sorted(self._unsaved)

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
                    self._set_saved(row, self._rows[row])
            raise
        for change in applied.applied:
            row = places[str(change.path)]
            self._set_saved(row, self._rows[row])
        return applied

    def stale(self) -> list[int]:
        """The rows whose file has another size or time than at the last look."""
        found = []
        for row, path in enumerate(self._captions):
            if (stamp := stamp_of(path)) != self._stamps[row]:
                self._stamps[row] = stamp
                found.append(row)
        return found

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
            self._set_saved(row, self._state(text))
        return len(theirs)

    def _set_saved(self, row: int, state: State) -> None:
        self._saved[row] = state
        self._mark(row)

    def _state(self, text: str) -> State:
        found = split_tags(text)
        tags = tuple(map(self._own.setdefault, found, found))
        return State(tags, None if join_tags(tags) == text else text)

    def _intern(self, tag: str) -> str:
        return self._own.setdefault(tag, tag)

    def _change_by(self, edit: CaptionEdit) -> Callable[[State], State]:
        """The edit of one state; it stays the same where there is nothing to do."""
        if edit.of_tags is None:
            return lambda state: self._retold(edit, state)
        of_tags = edit.among(self.counts())

        def change(state: State) -> State:
            new = of_tags(state.tags)
            return state if new is state.tags or new == state.tags else State(new)

        return change

    def _retold(self, edit: CaptionEdit, state: State) -> State:
        before = _text(state)
        text = edit.text(before)
        return state if text == before else self._state(text)

    def _put(self, new: States) -> States:
        """Set rows; what stood there before."""
        old = {row: self._rows[row] for row in new}
        if 2 * len(new) > len(self):
            self._counts = None  # sooner counted anew
        for row, state in new.items():
            self._rows[row] = state
            self._mark(row)
            if self._counts is not None:
                _recount(self._counts, set(old[row].tags), set(state.tags))
        return old

    def _mark(self, row: int) -> None:
        """Note whether a row is saved."""
        if self._rows[row] == self._saved[row]:
            self._unsaved.discard(row)
        else:
            self._unsaved.add(row)

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


def _recount(counts: Counter[str], old: set[str], new: set[str]) -> None:
    """The counts once a caption of the old tags has the new ones."""
    counts.update(new - old)
    for tag in old - new:
        counts[tag] -= 1
        if not counts[tag]:
            del counts[tag]


def _counted(rows: Iterable[tuple[str, ...]]) -> Counter[str]:
    return Counter(chain.from_iterable(map(set, rows)))
