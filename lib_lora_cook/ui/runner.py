"""One piece of work at a time, on its own thread, watched by as many pages as are open.

It lives as long as the server: a page that is reloaded, and a second window, find it here.
"""

from __future__ import annotations

import errno
import os
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..errors import UserError
from ..jobs import Cancelled, Job
from . import texts
from .curve import Curve, Point

if TYPE_CHECKING:
    from .tray import Tray

State = Literal["idle", "running", "stopping", "done", "stopped", "failed"]
LOG_LINES = 100
STRIP = 60  # times that samples are kept of
LOSS = "loss"
"""The curve of what is made smaller."""


@dataclass(frozen=True)
class Outcome:
    """What a piece of work leaves behind."""

    text: str
    loras: tuple[Path, ...] = ()
    sheet: Path | None = None
    pick: str = ""
    """What to write into a prompt and why, in a sentence."""
    stopped: bool = False


@dataclass(frozen=True)
class Snapshot:
    """How a piece of work stands at one moment; `number` tells one from the next."""

    title: str = ""
    state: State = "idle"
    number: int = 0
    stage: str = ""
    done: int = 0
    total: int = 0
    text: str = ""
    rate: float = 0.0
    """Units a second, 0 where not known yet."""
    seconds: float = 0.0
    seconds_left: float | None = None
    log: tuple[str, ...] = ()
    logged: int = 0
    """Lines logged in all, those that are no longer in `log` too."""
    paused: bool = False
    """Whether it waits, once its step is done."""
    strip: tuple[tuple[str, tuple[Path, ...]], ...] = field(default=(), repr=False)
    """The pictures drawn while it went on, each time's with its label."""
    curves: tuple[tuple[str, tuple[Point, ...]], ...] = field(default=(), repr=False)
    """Name -> (step, value), the earliest first."""
    tray: Tray | None = field(default=None, repr=False)
    """The sheet as far as it is drawn."""
    error: str = ""
    details: str = field(default="", repr=False)
    outcome: Outcome | None = None

    @property
    def busy(self) -> bool:
        """Whether it is still going on."""
        return self.state in ("running", "stopping")


Work = Callable[[Job], Outcome]


class RunningJob(Job):
    """A job that any thread may look at and stop."""

    def __init__(
        self, title: str, number: int = 1, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._now = Snapshot(title=title, state="running", number=number)
        self._clock, self._lock, self._stop = clock, threading.RLock(), threading.Event()
        self._discard = False
        self._curves: dict[str, Curve] = {}
        self._log: deque[str] = deque(maxlen=LOG_LINES)
        self._begun = clock()
        self._ended: float | None = None
        self._first: tuple[float, int] | None = None

    @property
    def cancelled(self) -> bool:
        return self._stop.is_set()

    @property
    def paused(self) -> bool:
        return self._now.paused

    @property
    def discarding(self) -> bool:
        return self._discard

    def cancel(self, *, discard: bool = False) -> None:
        """Ask the work to stop at its next check, and to throw away what it has made."""
        with self._lock:
            self._discard = self._discard or discard
            if self._now.state == "running":
                self._now = replace(self._now, state="stopping")
        self._stop.set()

    def pause(self, wanted: bool) -> None:
        """Ask the work to wait at its next check, or to go on."""
        with self._lock:
            self._first = None  # time spent waiting says nothing of the speed
            self._now = replace(self._now, paused=wanted)

    def rest(self) -> None:
        while self.paused and not self.cancelled:
            self._stop.wait(0.2)

    def show(self, samples: tuple[Path, ...], label: str = "") -> None:
        """Take the pictures drawn last."""
        with self._lock:
            self._now = replace(self._now, strip=(*self._now.strip, (label, samples))[-STRIP:])

    def lay_out(self, sheet: Tray) -> None:
        """Take a sheet as far as it is drawn."""
        with self._lock:
            self._now = replace(self._now, tray=sheet)

    def plot(self, step: int, value: float, name: str = LOSS) -> None:
        """Take a point of a curve."""
        with self._lock:
            self._curves.setdefault(name, Curve()).add(step, value)

    def report(self, done: int, total: int, text: str = "") -> None:
        with self._lock:
            now = self._clock()
            if self._first is None or done < self._now.done or total != self._now.total:
                self._first = (now, done)
            since, first = self._first
            rate = (done - first) / (now - since) if now > since else 0.0
            left = (total - done) / rate if rate > 0 and total >= done else None
            self._now = replace(
                self._now, done=done, total=total, text=text, rate=rate, seconds_left=left
            )

    def log(self, message: str) -> None:
        with self._lock:
            for line in short_home(message).splitlines():
                self._log.append(line)
                self._now = replace(self._now, logged=self._now.logged + 1)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        before = self._now.stage
        self._enter(name)
        try:
            yield
        finally:
            self._enter(before)

    def _enter(self, name: str) -> None:
        with self._lock:
            self._first = None
            self._now = replace(
                self._now, stage=name, done=0, total=0, text="", rate=0.0, seconds_left=None
            )

    def snapshot(self) -> Snapshot:
        """How it stands now."""
        with self._lock:
            seconds = (self._ended or self._clock()) - self._begun
            curves = tuple((name, tuple(it.points)) for name, it in self._curves.items())
            return replace(self._now, seconds=seconds, log=tuple(self._log), curves=curves)

    def end(self, state: State, outcome: Outcome | None = None) -> None:
        """Note that the work is over."""
        with self._lock:
            self._ended = self._clock()
            self._now = replace(self._now, state=state, outcome=outcome, seconds_left=None)

    def fail(self, error: BaseException) -> None:
        """Note that the work is over by an error; a person's mistake has no traceback."""
        sentence, details = sentence_of(error), ""
        if not isinstance(error, UserError):
            details = short_home("".join(traceback.format_exception(error)))
        self.log(details or sentence)
        with self._lock:
            self._now = replace(self._now, error=sentence, details=details)
        self.end("failed")


class Runner:
    """At most one piece of work at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._job: RunningJob | None = None
        self._thread: threading.Thread | None = None
        self._number = 0
        self._sheet: Snapshot | None = None

    def start(self, title: str, work: Work) -> Snapshot:
        """Begin on a thread of its own; UserError if something is going on already."""
        with self._lock:
            if self._job and self._job.snapshot().busy:
                raise UserError(texts.BUSY, self._job.snapshot().title, texts.BUSY_TO_DO)
            self._number += 1
            job = self._job = RunningJob(title, self._number)
            self._thread = threading.Thread(
                target=self._run, args=(job, work), name=title, daemon=True
            )
            self._thread.start()
        return job.snapshot()

    def stop(self, *, discard: bool = False) -> bool:
        """Ask what is going on to stop; False if nothing is."""
        if job := self._busy_job():
            job.cancel(discard=discard)
        return job is not None

    def pause(self, wanted: bool) -> bool:
        """Ask what is going on to wait, or to go on; False if nothing is."""
        if job := self._busy_job():
            job.pause(wanted)
        return job is not None

    def _busy_job(self) -> RunningJob | None:
        with self._lock:
            return self._job if self._job and self._job.snapshot().busy else None

    def snapshot(self) -> Snapshot:
        """How the present or the last piece of work stands."""
        job = self._job
        return job.snapshot() if job else Snapshot()

    def last_sheet(self) -> Snapshot | None:
        """The last piece of work that drew a sheet."""
        return self._sheet

    def tray(self) -> Tray | None:
        """The sheet that is being drawn, or the last one."""
        last = self._sheet
        return self.snapshot().tray or (last.tray if last else None)

    def wait(self, seconds: float | None = None) -> Snapshot:
        """Wait until nothing is going on."""
        if self._thread:
            self._thread.join(seconds)
        return self.snapshot()

    def _run(self, job: RunningJob, work: Work) -> None:
        try:
            outcome = work(job)
        except Cancelled:
            job.end("stopped")
        except BaseException as error:  # a thread that died silently would look busy for ever
            job.fail(error)
        else:
            job.log(outcome.text)
            job.end("stopped" if outcome.stopped else "done", outcome)
            if outcome.sheet:
                self._sheet = job.snapshot()


def sentence_of(error: BaseException) -> str:
    """An error as one sentence for a person."""
    if isinstance(error, UserError):
        return short_home(str(error))
    kind = type(error).__name__
    if kind == "OutOfMemoryError" or isinstance(error, MemoryError):
        return texts.OUT_OF_MEMORY
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return texts.DISK_FULL
    lines = str(error).strip().splitlines()
    return short_home(texts.UNEXPECTED.format(kind=kind, first=lines[0] if lines else ""))


def short_home(text: str) -> str:
    """The text with the home folder written as ~."""
    for home in {str(Path.home()), os.path.realpath(Path.home())}:
        if len(home) > 1:
            for spelling in {home, home.replace("\\", "/"), home.replace("\\", "\\\\")}:
                text = text.replace(spelling, "~")
    return text


RUNNER = Runner()
"""The server's own: a host that builds its page anew meets the work that was going on."""
