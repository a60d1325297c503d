"""What a long piece of work tells its watcher, and how the watcher stops it."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO


class Cancelled(Exception):
    """Raised by `Job.check` once the watcher has asked for a stop."""


class Job:
    """A watcher that shows nothing and never cancels; others override what they need."""

    @property
    def cancelled(self) -> bool:
        """Whether the watcher has asked for a stop."""
        return False

    @property
    def paused(self) -> bool:
        """Whether the watcher has asked to wait where that is safe."""
        return False

    @property
    def discarding(self) -> bool:
        """Whether what the work has made is to be thrown away once it stops."""
        return False

    def report(self, done: int, total: int, text: str = "") -> None:
        """Tell that `done` of `total` units of the present stage are finished."""

    def log(self, message: str) -> None:
        """Tell one line that should stay readable after the work."""

    def show(self, samples: tuple[Path, ...], label: str = "") -> None:
        """Show the pictures that were drawn last, and say when."""

    def lay_out(self, sheet: Any) -> None:
        """Show a sheet as far as it is drawn."""

    def plot(self, step: int, value: float, name: str = "loss") -> None:
        """Add a point to one of the work's curves."""

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Name the stage ("2/6 clean") that the reports inside belong to."""
        yield

    def rest(self) -> None:
        """Wait for as long as the watcher asks to; call it where waiting is safe."""

    def check(self) -> None:
        """Rest, then raise Cancelled if a stop was asked for; call it where both are safe."""
        self.rest()
        if self.cancelled:
            raise Cancelled


null_job = Job()

_PLAIN_SECONDS = 2.0
_BAR_SECONDS = 0.1
_BAR_WIDTH = 24


class ConsoleJob(Job):
    """A progress bar on a terminal, a plain line every two seconds elsewhere."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._tty = self._stream.isatty()
        self._lock = threading.RLock()
        self._stop = threading.Event()
        self._open_line = 0
        self._name = ""
        self._start = self._next_line = 0.0
        self._first = self._done = self._total = 0
        self._begin("")

    @property
    def cancelled(self) -> bool:
        return self._stop.is_set()

    def cancel(self) -> None:
        """Ask the work to stop at its next check."""
        self._stop.set()

    def report(self, done: int, total: int, text: str = "") -> None:
        with self._lock:
            now = time.monotonic()
            if done < self._done or self._total not in (0, total):
                self._start, self._first = now, done
            self._done, self._total = done, total
            finished = total > 0 and done >= total
            if now < self._next_line and not finished:
                return
            self._next_line = now + (_BAR_SECONDS if self._tty else _PLAIN_SECONDS)
            self._show(self._line(done, total, text, now), stay=finished or not self._tty)

    def log(self, message: str) -> None:
        with self._lock:
            self._show(message, stay=True)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        before = self._name
        self._begin(name)
        try:
            yield
        finally:
            self.close()
            self._begin(before)

    def close(self) -> None:
        """End a line that a bar has left open."""
        with self._lock:
            if self._open_line:
                self._write("\n")
                self._open_line = 0

    def _begin(self, name: str) -> None:
        self._name = name
        self._start = time.monotonic()
        self._first = self._done = self._total = 0
        self._next_line = self._start if self._tty else self._start + _PLAIN_SECONDS

    def _line(self, done: int, total: int, text: str, now: float) -> str:
        share = min(done / total, 1.0) if total > 0 else 0.0
        full = round(share * _BAR_WIDTH)
        bar = f"[{'#' * full}{'.' * (_BAR_WIDTH - full)}] {done}/{total}"
        parts = [self._name, bar, speed(done - self._first, total - done, now - self._start), text]
        return " ".join(part for part in parts if part)

    def _show(self, line: str, stay: bool) -> None:
        if not self._tty:
            self._write(line + "\n")
            return
        self._write("\r" + line.ljust(self._open_line) + ("\n" if stay else ""))
        self._open_line = 0 if stay else len(line)

    def _write(self, text: str) -> None:
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        self._stream.write(text.encode(encoding, "replace").decode(encoding))
        self._stream.flush()


def speed(done: int, left: int, seconds: float) -> str:
    """ "3.2/s, 0:41 left" from the units done and left and the seconds that it took."""
    if done <= 0 or seconds <= 0:
        return ""
    rate = done / seconds
    pace = f"{rate:.1f}/s" if rate >= 1 else f"{1 / rate:.1f} s each"
    if left <= 0:
        return f"{pace}, {clock(seconds)} in all"
    return f"{pace}, {clock(left / rate)} left"


def clock(seconds: float) -> str:
    """Seconds as "0:41" or "1:02:03"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
