"""`captions`: the editor's batch work."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from ..dataset import changes as plans
from ..dataset.captions import join_tags, split_tags
from ..dataset.changes import Change
from ..dataset.images import Failure, ImageFile, scan_captions
from ..dataset.tags import count_tags
from ..errors import UserError
from ..jobs import ConsoleJob
from .base import Verbs, add_verb
from .changing import (
    add_dry_run,
    add_folder,
    listed,
    make,
    named,
    recover,
    tell_changes,
)

Plan = Callable[[list[ImageFile]], list[Change]]


def add_verbs(verbs: Verbs) -> None:
    """`captions`, with its actions."""
    parser = add_verb(
        verbs, "captions", edit_captions, "Count the tags of a dataset, or change its captions.",
        "lora-cook captions datasets/kafka prepend kafka",
    )  # fmt: skip
    add_folder(parser)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    stats = add_action(actions, "stats", "How often each tag is there.", "", None)
    stats.set_defaults(verb=count_captions, tell=tell_counts)
    for name, plan, what in (
        ("prepend", lambda o: prepended(o.tags), "These tags first in every caption."),
        ("append", lambda o: appended(o.tags), "These tags in every caption, at the end."),
        ("remove", lambda o: removed(o.tags), "These tags in no caption."),
    ):
        action = add_action(actions, name, what, "kafka", plan)
        action.add_argument("tags", nargs="+", metavar="TAG", help="tags, in any spelling")
    add_replace(actions)
    order = add_action(
        actions, "sort", "Tags in alphabetical order.", "--keep-tokens 1",
        lambda o: lambda images: plans.plan_sort(images, o.keep_tokens),
    )  # fmt: skip
    order.add_argument(
        "--keep-tokens", type=int, default=0, metavar="N", help="the first N stay in front"
    )
    add_action(actions, "dedupe", "Each tag once.", "", lambda o: plans.plan_dedupe)


def add_action(
    actions: Any, name: str, what: str, example: str,
    plan: Callable[[argparse.Namespace], Plan] | None,
) -> Any:  # fmt: skip
    """One thing to do with captions; its options may stand before or behind it."""
    line = f"example: lora-cook captions datasets/kafka {name} {example}".rstrip()
    parser = actions.add_parser(
        name, help=what, description=what, epilog=line,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    hidden = argparse.SUPPRESS  # else it would undo the same option given before the action
    parser.add_argument(
        "--json", action="store_true", default=hidden, help="print one JSON document on stdout"
    )
    if plan is not None:
        add_dry_run(parser)
        parser.set_defaults(plan=plan, tell=tell_changes)
    return parser


def add_replace(actions: Any) -> None:
    """`replace`."""
    parser = add_action(
        actions, "replace", "One text for another, in every tag; faces like ^_^ stay.", '_ " "',
        lambda o: lambda images: plans.plan_replace(images, o.old, o.new, o.scope, o.regex),
    )  # fmt: skip
    parser.add_argument("old", metavar="OLD", help="a part of a tag, a tag, or an expression")
    parser.add_argument("new", metavar="NEW", help="what comes in its place; may be empty")
    parser.add_argument(
        "--scope", choices=("tag", "caption"), default="tag",
        help="caption: in the caption as plain text, with its commas",
    )  # fmt: skip
    parser.add_argument("--regex", action="store_true", help="OLD is a regular expression")


def edit_captions(options: argparse.Namespace, job: ConsoleJob) -> dict[str, Any]:
    """Plan the action over all captions, and make its changes."""
    plan: Plan = options.plan(options)
    if getattr(options, "keep_tokens", 0) < 0:
        raise UserError("No fewer than no tags can stay", f"--keep-tokens {options.keep_tokens}")
    if options.action == "replace":
        plan([])  # says what is wrong with an expression before anything is touched
    recover(options.folder, job)
    failed: list[Failure] = []
    images = scan_captions(options.folder, failed)
    options.name = f"captions {options.action}"
    return make(options.folder, plan(images), failed, options, job)


def prepended(tags: list[str]) -> Plan:
    """These tags first."""
    trigger = join_tags(given(tags))
    return lambda images: plans.plan_trigger(images, trigger)


def appended(tags: list[str]) -> Plan:
    """These tags last, where they are not there."""
    new = given(tags)
    return lambda images: plans.plan_append(images, new)


def removed(tags: list[str]) -> Plan:
    """These tags nowhere."""
    unwanted = given(tags)
    return lambda images: plans.plan_prune(images, unwanted)


def given(tags: list[str]) -> list[str]:
    """The tags of the command line; UserError if there is none."""
    found = split_tags(",".join(tags))
    if not found:
        raise UserError("There is no tag in this", " ".join(tags), "Give one or more.")
    return found


def count_captions(options: argparse.Namespace, job: ConsoleJob) -> dict[str, Any]:
    """How often each tag is there, the most frequent first."""
    failed: list[Failure] = []
    images = scan_captions(options.folder, failed)
    counts = count_tags(split_tags(image.caption) for image in images)
    tags = dict(sorted(counts.items(), key=lambda it: (-it[1], it[0])))
    return {"images": len(images) + len(failed), "tags": tags, "failed": named(failed, job)}


def tell_counts(result: dict[str, Any]) -> str:
    """The counts for a person."""
    lines = [f"{count:6} {name}" for name, count in result["tags"].items()]
    return listed(lines, f"{result['images']} pictures, {len(lines)} different tags.")
