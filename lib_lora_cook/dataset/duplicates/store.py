"""What is kept on disk of a folder's pictures, so that a second look is instant.

One SQLite file in the dataset's own folder: fingerprints by the hash of the file, found at once
where a name still has its size and time; which pairs are worth a check; how far those that were
checked differ; and which are others made larger. It may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..images import OWN_FOLDER, Stamp
from .check import Difference
from .laid import Laid
from .prints import VIEW_SIDE, Print

_VERSION = 9  # of what is measured and how; another one starts anew
_FILE = "fingerprints.sqlite"
_TABLES = """
create table if not exists files (name blob primary key, size, mtime_ns, file text);
create table if not exists prints
    (file text primary key, width, height, content text, boxes blob, views blob);
create table if not exists pictures (file text, number, jpeg blob, primary key (file, number));
create table if not exists checks
    (one text, other text, worst, noise, likeness, least, written, edges,
     primary key (one, other));
create table if not exists enlarged (large text, small text, so, primary key (large, small));
create table if not exists searches (prints text primary key, found blob);
"""


class Store:
    """The fingerprints of one folder; without a folder, or where none can be written, in memory.

    printed: the hashes of the files that have one.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._lock = threading.Lock()
        self._base = _opened(folder)
        rows = self._base.execute("select name, size, mtime_ns, file from files")
        self._files = {name: (Stamp(size, time), file) for name, size, time, file in rows}
        self.printed = {file for (file,) in self._base.execute("select file from prints")}

    def close(self) -> None:
        """Write what is new."""
        with self._lock, suppress(sqlite3.Error):  # a full disk costs the next look its speed
            self._base.commit()
        self._base.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def file_hash(self, path: Path, stamp: Stamp | None) -> str | None:
        """The hash of a file that was seen with this size and time before, None if it was not."""
        known = self._files.get(_name(path))
        return known[1] if known and known[0] == stamp and known[1] in self.printed else None

    def add_file(self, path: Path, stamp: Stamp | None, file: str) -> None:
        """Remember the hash of a file under its name, size and time."""
        if stamp is not None:
            name = _name(path)
            self._files[name] = stamp, file
            self._write("insert or replace into files values (?, ?, ?, ?)", [(name, *stamp, file)])

    def add_print(self, file: str, made: Print) -> None:
        """Remember a fingerprint."""
        self.printed.add(file)
        boxes, views = np.array(made.boxes, np.float64).tobytes(), made.views.tobytes()
        row = file, made.width, made.height, made.content, boxes, views
        self._write("insert or replace into prints values (?, ?, ?, ?, ?, ?)", [row])
        pictures = [(file, number, jpeg) for number, jpeg in enumerate(made.checks)]
        self._write("insert or replace into pictures values (?, ?, ?)", pictures)

    def prints(self) -> dict[str, Print]:
        """All fingerprints by the hash of the file, their pictures left on the disk."""
        found = {}
        for file, wide, high, content, boxes, views in self._base.execute("select * from prints"):
            shape = (-1, VIEW_SIDE, VIEW_SIDE)
            pixels = np.frombuffer(views, np.uint8).reshape(shape)
            rows = np.frombuffer(boxes).reshape(-1, 4).tolist()
            places = tuple((left, top, width, height) for left, top, width, height in rows)
            found[file] = Print(wide, high, content, pixels, places, ())
        return found

    def pictures(self, files: Iterable[str]) -> dict[str, tuple[bytes, ...]]:
        """`Print.checks` of some files."""
        asked = sorted(set(files))
        query = "select file, jpeg from pictures where file in (%s) order by file, number"
        found: dict[str, tuple[bytes, ...]] = dict.fromkeys(asked, ())
        with self._lock:
            for file, jpeg in self._base.execute(query % ", ".join("?" * len(asked)), asked):
                found[file] += (jpeg,)
        return found

    def checks(self) -> dict[tuple[str, str], Difference]:
        """The differences that are known, by the hashes of the two files."""
        rows = self._base.execute("select * from checks")
        return {(one, other): Difference(*numbers) for one, other, *numbers in rows}

    def add_checks(self, found: Mapping[tuple[str, str], Difference]) -> None:
        """Remember differences."""
        rows = [(*pair, *vars(difference).values()) for pair, difference in found.items()]
        self._write("insert or replace into checks values (?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def enlarged(self, large: str, small: str) -> bool | None:
        """Whether the first file is known to be the second one made larger, None if it is not."""
        query = "select so from enlarged where large = ? and small = ?"
        row = self._base.execute(query, (large, small)).fetchone()
        return None if row is None else bool(row[0])

    def add_enlarged(self, large: str, small: str, so: bool) -> None:
        """Remember that."""
        self._write("insert or replace into enlarged values (?, ?, ?)", [(large, small, so)])

    def search(self, files: Sequence[str]) -> Laid | None:
        """What a search over just these files found, numbered as they are; None if none was."""
        query = "select found from searches where prints = ?"
        row = self._base.execute(query, (_all_of(files),)).fetchone()
        if row is None:
            return None
        found = Laid.of(np.frombuffer(row[0]))
        order = np.array(sorted(range(len(files)), key=files.__getitem__), np.int32)
        return replace(found, one=order[found.one], other=order[found.other]).ordered()

    def add_search(self, files: Sequence[str], found: Laid) -> None:
        """Remember the last search; older ones are forgotten."""
        place = np.empty(len(files), np.int32)
        place[sorted(range(len(files)), key=files.__getitem__)] = np.arange(len(files))
        kept = replace(found, one=place[found.one], other=place[found.other])
        self._write("delete from searches", [()])
        self._write(
            "insert into searches values (?, ?)", [(_all_of(files), kept.numbers.tobytes())]
        )

    def _write(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        with self._lock, suppress(sqlite3.Error):  # as in close()
            self._base.executemany(statement, rows)


def _name(path: Path) -> bytes:
    """A file's name and its folder's, as subsets have files of one name; not all are UTF-8."""
    return os.fsencode(os.path.join(path.parent.name, path.name))


def _all_of(files: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(sorted(files)).encode()).hexdigest()


def _opened(folder: Path | None) -> sqlite3.Connection:
    """The folder's file; made anew if it is of another version or broken."""
    if folder is not None:
        path = folder / OWN_FOLDER / _FILE
        for _ in range(2):
            try:
                path.parent.mkdir(exist_ok=True)
                return _with_tables(sqlite3.connect(path, check_same_thread=False))
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):  # locked, or not to be written
                    break
                with suppress(OSError):
                    path.unlink()
            except OSError:
                break
    return _with_tables(sqlite3.connect(":memory:", check_same_thread=False))


def _with_tables(base: sqlite3.Connection) -> sqlite3.Connection:
    try:
        if base.execute("pragma user_version").fetchone()[0] != _VERSION:
            tables = "select name from sqlite_master where type = 'table'"
            for (name,) in base.execute(tables).fetchall():  # none is dropped while it is read
                base.execute(f"drop table {name}")
            base.execute(f"pragma user_version = {_VERSION}")
        base.executescript(_TABLES)
    except sqlite3.Error:
        base.close()
        raise
    return base
