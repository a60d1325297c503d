"""Work on all cores, in processes of their own where there is much of it.

Short array operations hold Python's lock most of the time, so threads gain little there. What
multiprocessing starts begins with the program's main file, which may be a WebUI; these processes
import no more than what they are asked to call.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

from ...jobs import Job, null_job
from ..rendering import THREADS

_AHEAD = 2  # items for each process that wait
_BOOT = f"""
import pickle, sys
sys.path[:] = pickle.load(sys.stdin.buffer)
from {__name__} import serve
serve()
"""
_ALONE = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""Threads of BLAS that wait for one another on cores in use make everything slower many times."""

_HOME = str(Path(__file__).parents[3])  # where the WebUI found this package

Item = TypeVar("Item")
Made = TypeVar("Made")


class Workers:
    """A process a core, started when there is first much to do and ended on the way out.

    Where there is little, and where none can be started or one is gone, threads do its work.
    """

    def __init__(self, job: Job = null_job) -> None:
        self._job = job
        self._count = THREADS  # each process takes 60 MB and more
        self._processes: list[_Process] = []
        self._idle: SimpleQueue[_Process] = SimpleQueue()
        self._lock = threading.Lock()

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.end()

    def map(
        self, make: Callable[[Item], Made], items: Iterable[Item], many: bool
    ) -> Iterator[Made]:
        """`make` of each item, in order; a stop that the job asks for ends it.

        many: whether it is worth processes. Then `make` is a function of a module, or a partial of
        one, of which the arguments are sent once to each process.
        """
        if many and self._count > 1:
            self._start()
            if self._processes:
                make = self._asked(make)
        with ThreadPoolExecutor(self._count) as threads:
            waiting: deque[Future[Made]] = deque()
            for item in items:
                self._job.check()
                waiting.append(threads.submit(make, item))
                if len(waiting) > _AHEAD * self._count:
                    yield waiting.popleft().result()
            while waiting:
                self._job.check()
                yield waiting.popleft().result()

    def _start(self) -> None:
        with self._lock, suppress(OSError):
            while len(self._processes) < self._count:
                self._processes.append(_Process())
                self._idle.put(self._processes[-1])

    def _asked(self, make: Callable[[Item], Made]) -> Callable[[Item], Made]:
        def ask(item: Item) -> Made:
            process = self._idle.get()
            try:
                good, told = process.ask(make, item)
            except _GONE:
                process.end()
                return make(item)
            finally:
                self._idle.put(process)
            if not good:
                raise told
            return told

        return ask


_GONE = (OSError, EOFError, ValueError, pickle.PickleError)  # ValueError: its pipe is closed


class _Process:
    """One that calls what it is asked to."""

    def __init__(self) -> None:
        self._make: object = None
        self._process = subprocess.Popen(
            [sys.executable, "-c", _BOOT], env={**os.environ, **_ALONE},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )  # fmt: skip
        self._send([*sys.path, _HOME])

    def ask(self, make: object, item: object) -> tuple[bool, Any]:
        """Whether it went well, and the result or the error; _GONE if no answer comes."""
        self._send((None if make is self._make else make, item))
        self._make = make
        assert self._process.stdout
        answer: tuple[bool, Any] = pickle.load(self._process.stdout)
        return answer

    def end(self) -> None:
        """Let it go."""
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                assert pipe
                pipe.close()
        self._process.kill()
        self._process.wait()

    def _send(self, what: object) -> None:
        assert self._process.stdin
        pickle.dump(what, self._process.stdin, pickle.HIGHEST_PROTOCOL)
        self._process.stdin.flush()


def serve() -> None:
    """What such a process does until nothing more comes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the program's own end closes the pipe
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    make = None
    while True:
        try:
            new, item = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        make = new or make
        assert make
        try:
            told = True, make(item)
        except Exception as error:
            told = False, error
        pickle.dump(told, answers, pickle.HIGHEST_PROTOCOL)
        answers.flush()
