"""What every verb is made with: its parser, its host, its numbers."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, TypeVar

from ..errors import UserError
from ..jobs import ConsoleJob

Verb = Callable[[argparse.Namespace, ConsoleJob], dict[str, Any]]
Number = TypeVar("Number", int, float)
Verbs = Any
"""What argparse's add_subparsers returns."""


def add_verb(verbs: Verbs, name: str, verb: Verb, what: str, example: str) -> Any:
    """A verb with its help and an example; its default `tell` says the result to a person."""
    parser = verbs.add_parser(
        name, help=what, description=what, epilog=f"example: {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON document on stdout")
    parser.set_defaults(verb=verb)
    return parser


def make_host(job: ConsoleJob) -> Any:
    """The standalone host in the person's own folder."""
    from ..hosts.standalone import StandaloneHost, default_home

    return StandaloneHost(default_home(), cancelled=lambda: job.cancelled)


def numbers(text: str, option: str, kind: type[Number]) -> list[Number]:
    """`0.5,1` as numbers of a kind; UserError where one is not."""
    try:
        return [kind(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise UserError("These are not numbers", f"{option} {text}", "Write 0.5,0.8,1.") from None
