"""A known tagger brought from Hugging Face: with a bar, resumable, checked; never unasked."""

from __future__ import annotations

import hashlib
import importlib
import os
import threading
from pathlib import Path
from typing import Any

from ..errors import IF_UNWRITTEN, UserError
from ..jobs import Job, null_job
from .known import Known, Remote

_LOOK = 0.5
"""Seconds between two looks at how far a file is."""
_GATED = ("GatedRepoError",)
_GONE = ("RepositoryNotFoundError", "RevisionNotFoundError", "RemoteEntryNotFoundError",
         "EntryNotFoundError")  # fmt: skip


def fetch_tagger(known: Known, folder: Path, job: Job = null_job) -> Path:
    """The folder with the tagger's files in it, those fetched that are not there whole.

    What was broken off is taken up again. Raises UserError where there is no network, no room, no
    huggingface_hub, or where a file is not what it must be; Cancelled when asked to stop.
    """
    total = sum(file.size for file in known.files)
    done = 0
    for file in known.files:
        if not _whole(folder / file.name, file):
            _fetch(known, file, folder, _Progress(job, done, total))
            _check(folder / file.name, file, job)
        done += file.size
    return folder


def _whole(path: Path, file: Remote) -> bool:
    return path.is_file() and (not file.size or path.stat().st_size == file.size)


class _Progress:
    """Tells a job how many bytes have come, of all files together."""

    def __init__(self, job: Job, before: int, total: int) -> None:
        self.job, self.before, self.total = job, before, total

    def tell(self, name: str, got: int, size: int) -> None:
        done = self.before + (min(got, size) if size else got)
        self.job.report(done >> 20, max(self.total, done) >> 20, f"MB of {name}")


def _fetch(known: Known, file: Remote, folder: Path, progress: _Progress) -> None:
    """One file through huggingface_hub in a thread of its own, watched from here."""
    hub = _hub(known, folder)
    errors: list[Exception] = []
    folder.mkdir(parents=True, exist_ok=True)

    def work() -> None:
        try:
            hub.hf_hub_download(known.repo_id, file.path, revision=known.revision, local_dir=folder)
        except Exception as error:  # it raises its own, requests', httpx' and the system's
            errors.append(error)

    before = _size_of(folder)
    thread = threading.Thread(target=work, daemon=True)  # when cancelled it ends with the program
    thread.start()
    going_on = True
    while going_on:  # told once at least, however quick it was
        thread.join(_LOOK)
        going_on = thread.is_alive()
        progress.tell(file.name, _size_of(folder) - before, file.size)
        progress.job.check()
    if errors:
        raise _told(errors[0], known, file, folder) from errors[0]
    if file.path != file.name:
        os.replace(folder / file.path, folder / file.name)


def _hub(known: Known, folder: Path) -> Any:
    try:
        hub = importlib.import_module("huggingface_hub")
        importlib.import_module("huggingface_hub.utils").disable_progress_bars()
    except ImportError as error:
        raise UserError("huggingface_hub is not installed", "", _by_hand(known, folder)) from error
    return hub


def _by_hand(known: Known, folder: Path) -> str:
    names = ", ".join(file.path for file in known.files)
    return f"Put {names} of huggingface.co/{known.repo_id} into {folder}."


def _size_of(folder: Path) -> int:
    """Bytes below a folder, with what is still under way."""
    size = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                size += os.stat(os.path.join(place, name)).st_size
            except OSError:  # renamed in this moment
                continue
    return size


def _told(error: Exception, known: Known, file: Remote, folder: Path) -> UserError:
    where = f"huggingface.co/{known.repo_id}/{file.path}"
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if kinds.intersection(_GATED):
        return UserError("Its author wants to be asked first", where, "Accept the terms there.")
    if kinds.intersection(_GONE) and "LocalEntryNotFoundError" not in kinds:
        return UserError("This is not there any more", where, _by_hand(known, folder))
    if isinstance(error, OSError) and error.errno and error.strerror and error.filename:
        return UserError(f"Cannot write this ({error.strerror})", error.filename, IF_UNWRITTEN)
    return UserError("Cannot be fetched: there is no network", where, _by_hand(known, folder))


def _check(path: Path, file: Remote, job: Job) -> None:
    """Raise UserError, and take the file away, if it is not the one that was published."""
    if not _whole(path, file):
        wrong = f"has {path.stat().st_size} bytes instead of {file.size}"
    elif file.sha256 and _sha256(path, job) != file.sha256:
        wrong = "has another checksum than the one published"
    else:
        return
    path.unlink()
    raise UserError(f"What came is broken: it {wrong}", path, "Fetch it again.")


def _sha256(path: Path, job: Job) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 22):
            job.check()
            digest.update(block)
    return digest.hexdigest()
