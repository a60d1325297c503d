"""The same functions from a shell: `lora-cook VERB ...`.

Messages go to stderr and results to stdout. Exit 0 done, 2 a person's mistake (one line, nothing
changed), 1 a failure of the program, 130 cancelled.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from .commands import (
    captions,
    demo,
    doctor,
    formats,
    gather,
    pictures,
    plan,
    recipe,
    runs,
    sweep,
    tag,
    train,
    trash,
    ui,
    undo,
)  # fmt: skip
from .errors import UserError
from .jobs import Cancelled, ConsoleJob

CANCELLED = 130
VERBS = (
    demo,
    ui,
    train,
    sweep,
    plan,
    recipe,
    runs,
    gather,
    doctor,
    pictures,
    trash,
    tag,
    captions,
    undo,
    formats,
)
"""In the order of `--help`."""
Verb = Callable[[argparse.Namespace, ConsoleJob], dict[str, Any]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code."""
    options = make_parser().parse_args(arguments)
    job = ConsoleJob()
    try:
        with interruptible(job), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = options.verb(options, job)
    except UserError as error:
        print(f"lora-cook: {error}", file=sys.stderr)
        return 2
    except (Cancelled, KeyboardInterrupt):
        print("lora-cook: cancelled", file=sys.stderr)
        return CANCELLED
    finally:
        job.close()
    print(json.dumps(result) if options.json else options.tell(result))
    return CANCELLED if result.get("stopped") == "cancelled" else 0


@contextmanager
def interruptible(job: ConsoleJob) -> Iterator[None]:
    """The first Ctrl-C asks the work to stop at a safe place, the second one breaks it off.

    SIGTERM, by which torchrun and batch systems end a process, is taken for a Ctrl-C.
    """

    def on_interrupt(number: int, frame: object) -> None:
        if job.cancelled:
            raise KeyboardInterrupt
        job.log("stopping after this step; press Ctrl-C again to break off")
        job.cancel()

    try:
        before = {it: signal.signal(it, on_interrupt) for it in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not the main thread: nobody can press Ctrl-C here
        yield
        return
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Parser(argparse.ArgumentParser):
    """argparse, with mistakes in one line."""

    def error(self, message: str) -> Any:
        """Exit 2 and say what is wrong and where help is."""
        self.exit(2, f"lora-cook: {message}. See {self.prog} --help\n")


def make_parser() -> Parser:
    """Every verb with its options, help and example."""
    parser = Parser(prog="lora-cook", description="From pictures to a LoRA, and to its best epoch.")
    verbs = parser.add_subparsers(dest="name", required=True, metavar="VERB")
    for group in VERBS:
        group.add_verbs(verbs)
    return parser


if __name__ == "__main__":
    sys.exit(main())
