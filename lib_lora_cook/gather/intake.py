"""Where new pictures enter a dataset: each once, under a free name, as one operation to undo."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ..dataset import journal
from ..dataset.changes import Change
from ..dataset.images import OWN_FOLDER, Failure, is_picture_name
from ..dataset.lock import Locked, locked
from ..errors import UserError
from ..jobs import Job, null_job
from .download import md5_of
from .posts import valid_md5

INCOMING = "incoming"
"""Where files lie until they are whole, inside the dataset's own folder."""
_GROUP, _SECONDS = 8, 1.0  # pictures and seconds between two visits to the journal
_LOCK_TRIES = 60
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # on Windows


@dataclass
class Intake:
    """An open dataset; `seen` is what is in it or in its trash, by md5 and by origin."""

    folder: Path
    what: str
    dry_run: bool = False
    seen: set[str] = field(default_factory=set)
    changes: list[Change] = field(default_factory=list)
    """What has been made, or would be."""
    failed: list[Failure] = field(default_factory=list)
    keep_incoming: bool = False
    """Whether what has not come whole is left for a later run."""
    _ready: list[Change] = field(default_factory=list)
    _taken: set[str] = field(default_factory=set)
    _entry: str = ""
    _scratch: Path | None = None
    _last: float = 0.0

    @property
    def incoming(self) -> Path:
        """Where files may lie until they are taken in."""
        return self._scratch or self.folder / OWN_FOLDER / INCOMING

    def take(self, change: Change, *known_as: str) -> None:
        """Take in one new picture (an `add`), now or with the next few."""
        self.seen.update(known_as)
        self._ready.append(change)
        if len(self._ready) >= _GROUP or time.monotonic() - self._last > _SECONDS:
            self.flush()

    def free(self, stem: str, extension: str) -> Path:
        """A name that no file has, also without its extension; it is in use from now on."""
        stem = safe_stem(stem)
        wanted, count = stem, 1
        while wanted.casefold() in self._taken:
            count += 1
            wanted = f"{stem}_{count}"
        self._taken.add(wanted.casefold())
        return self.folder / (wanted + extension)

    def flush(self) -> None:
        """Take in what is ready."""
        ready, self._ready = self._ready, []
        self._last = time.monotonic()
        if self.dry_run or not ready:
            self.changes += ready
            return
        applied = self._applied(ready)
        self._entry = applied.entry or self._entry
        self.changes += applied.applied
        self.failed += applied.failed
        for change in applied.applied:
            if change.source is not None and change.source.parent == self.incoming:
                change.source.unlink(missing_ok=True)

    def _applied(self, changes: list[Change]) -> journal.Applied:
        """The changes made; where someone else is at the dataset for a moment, after that."""
        for _ in range(_LOCK_TRIES):
            try:
                return journal.apply_changes(
                    self.folder, changes, null_job, self.what, into=self._entry
                )
            except Locked:
                time.sleep(0.5)
        return journal.apply_changes(self.folder, changes, null_job, self.what, into=self._entry)


@contextmanager
def open_intake(
    folder: Path, what: str, job: Job = null_job, dry_run: bool = False
) -> Iterator[Intake]:
    """A dataset's folder, made if need be, opened for new pictures by one program at a time."""
    folder = Path(os.path.abspath(folder))
    intake = Intake(folder, what, dry_run)
    if dry_run:
        if folder.is_dir():
            _look(intake, job)
        with tempfile.TemporaryDirectory() as scratch:
            intake._scratch = Path(scratch)
            yield intake
            intake.flush()
        return
    try:
        (folder / OWN_FOLDER).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"Cannot make this folder ({error.strerror})", folder, "Choose another."
        ) from error
    with locked(folder / OWN_FOLDER / "gather.lock", folder):
        for line in journal.recover(folder):
            job.log(line)
        _look(intake, job)
        try:
            yield intake
        finally:
            intake.flush()
        if not intake.keep_incoming:
            shutil.rmtree(intake.incoming, ignore_errors=True)


def _look(intake: Intake, job: Job) -> None:
    intake.seen = read_seen(intake.folder, job)
    intake._taken = {
        os.path.splitext(entry.name)[0].casefold() for entry in os.scandir(intake.folder)
    }


def read_seen(folder: Path, job: Job = null_job) -> set[str]:
    """The md5s and the origins of a dataset's pictures and of those in its trash.

    A picture that was edited counts as the file that it came as: its sidecar knows that one's md5.
    """
    seen: set[str] = set()
    for place, folders, names in os.walk(folder):
        if Path(place) == folder / OWN_FOLDER:
            folders[:] = ["trash"] if "trash" in folders else []
        beside = {os.path.splitext(name)[0] for name in names if name.lower().endswith(".json")}
        for name in names:
            job.check()
            plain = re.sub(r"~\d+$", "", name)  # a second one of a name in the trash
            stem = os.path.splitext(plain)[0]
            if not is_picture_name(plain):
                continue
            known = read_origin(Path(place) / f"{stem}.json") if stem in beside else {}
            seen.add(valid_md5(known.get("md5")) or md5_of(Path(place) / name))
            if "site" in known:
                seen.add(origin_key(str(known["site"]), str(known.get("post"))))
    return seen - {""}


def origin_key(site: str, post: int | str) -> str:
    """What stands for one post of one site among what has been seen."""
    return f"{site}#{post}"


def read_origin(sidecar: Path) -> dict[str, object]:
    """What the JSON beside a picture tells of where it is from; {} if there is none of ours."""
    try:
        found = json.loads(sidecar.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def safe_stem(stem: str) -> str:
    """A name for files on every system: nothing that leaves the folder, nothing reserved."""
    kept = "".join(char if char.isprintable() else "_" for char in stem)
    kept = re.sub(r'[<>:"/\\|?*]+', "_", kept).strip(" .")
    while len(kept.encode("utf-8", "replace")) > 120:
        kept = kept[:-1]
    return f"_{kept}" if not kept or _RESERVED.fullmatch(kept) else kept
