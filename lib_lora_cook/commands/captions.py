"""`captions`: the editor's batch work."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..dataset import caption_edits as edits
from ..dataset.caption_edits import CaptionEdit
from ..dataset.captions import join_tags, split_tags
from ..dataset.changes import plan_edit
from ..dataset.images import Failure, scan_captions
from ..dataset.tags import count_tags
from ..errors import UserError
from ..jobs import ConsoleJob
from .base import Verbs, add_verb
from .changing import (
    add_dry_run,
    add_extension,
    add_folder,
    listed,
    make,
    named,
    recover,
    tell_changes,
)

MakeEdit = Callable[[argparse.Namespace], CaptionEdit]
"""What an action's options ask for; UserError where it makes no sense."""


def add_verbs(verbs: Verbs) -> None:
    """`captions`, with its actions."""
    parser = add_verb(
        verbs, "captions", edit_captions, "Count the tags of a dataset, or change its captions.",
        "lora-cook captions datasets/kafka prepend kafka",
    )  # fmt: skip
    add_folder(parser)
    add_extension(parser)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    stats = add_action(actions, "stats", "How often each tag is there.", "", None)
    stats.set_defaults(verb=count_captions, tell=tell_counts)
    for name, make_edit, what in (
        ("prepend", lambda o: edits.prepend(join_tags(given(o.tags))), "Tags first in captions."),
        ("append", lambda o: edits.append(given(o.tags)), "Tags in every caption, at the end."),
        ("remove", lambda o: edits.remove(given(o.tags)), "Tags in no caption."),
    ):
        action = add_action(actions, name, what, "kafka", make_edit)
        action.add_argument("tags", nargs="+", metavar="TAG", help="tags, in any spelling")
    add_replace(actions)
    order = add_action(
        actions, "sort", "Tags in alphabetical order.", "--keep-tokens 1",
        lambda o: edits.sort(o.keep_tokens),
    )  # fmt: skip
    order.add_argument(
        "--keep-tokens", type=int, default=0, metavar="N", help="the first N stay in front"
    )
    add_action(actions, "dedupe", "Each tag once.", "", lambda o: edits.dedupe())
    add_truncate(actions)


def add_action(
    actions: Any, name: str, what: str, example: str,
    make_edit: MakeEdit | None,
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
    if make_edit is not None:
        add_dry_run(parser)
        parser.set_defaults(make_edit=make_edit, tell=tell_changes)
    return parser


def add_replace(actions: Any) -> None:
    """`replace`."""
    parser = add_action(
        actions, "replace", "One text for another, in every tag; faces like ^_^ stay.", '_ " "',
        lambda o: edits.replace(o.old, o.new, o.scope, o.regex),
    )  # fmt: skip
    parser.add_argument("old", metavar="OLD", help="a part of a tag, a tag, or an expression")
    parser.add_argument("new", metavar="NEW", help="what comes in its place; may be empty")
    parser.add_argument(
        "--scope", choices=("tag", "caption"), default="tag",
        help="caption: in the caption as plain text, with its commas",
    )  # fmt: skip
    parser.add_argument("--regex", action="store_true", help="OLD is a regular expression")


def add_truncate(actions: Any) -> None:
    """`truncate`."""
    parser = add_action(
        actions, "truncate", "As many tags from the front as fit into so many tokens.",
        "--max-tokens 75 --checkpoint models/sd15",
        lambda o: edits.truncate(o.max_tokens, tokenizer_of(o.checkpoint)),
    )  # fmt: skip
    parser.add_argument("--max-tokens", type=int, default=75, metavar="N", help="75, 150, 225")
    add_checkpoint(parser, required=True)


def add_checkpoint(parser: Any, required: bool = False) -> None:
    """`--checkpoint`, whose tokenizer counts."""
    parser.add_argument(
        "--checkpoint", type=Path, required=required, metavar="FOLDER",
        help="a diffusers folder, whose tokenizer counts",
    )  # fmt: skip


def tokenizer_of(checkpoint: Path) -> edits.Tokenize:
    """The tokenizer of a diffusers folder."""
    from ..models.diffusers import tokenizer_of

    return tokenizer_of(checkpoint)


def edit_captions(options: argparse.Namespace, job: ConsoleJob) -> dict[str, Any]:
    """Plan the action over all captions, and make its changes."""
    if getattr(options, "keep_tokens", 0) < 0:
        raise UserError("No fewer than no tags can stay", f"--keep-tokens {options.keep_tokens}")
    edit: CaptionEdit = options.make_edit(options)
    recover(options.folder, job)
    failed: list[Failure] = []
    images = scan_captions(options.folder, failed, options.caption_extension)
    options.name = f"captions {options.action}"
    changes = plan_edit(images, edit, options.caption_extension)
    return make(options.folder, changes, failed, options, job)


def given(tags: list[str]) -> list[str]:
    """The tags of the command line; UserError if there is none."""
    found = split_tags(",".join(tags))
    if not found:
        raise UserError("There is no tag in this", " ".join(tags), "Give one or more.")
    return found


def count_captions(options: argparse.Namespace, job: ConsoleJob) -> dict[str, Any]:
    """How often each tag is there, the most frequent first."""
    failed: list[Failure] = []
    images = scan_captions(options.folder, failed, options.caption_extension)
    counts = count_tags(split_tags(image.caption) for image in images)
    tags = dict(sorted(counts.items(), key=lambda it: (-it[1], it[0])))
    return {"images": len(images) + len(failed), "tags": tags, "failed": named(failed, job)}


def tell_counts(result: dict[str, Any]) -> str:
    """The counts for a person."""
    lines = [f"{count:6} {name}" for name, count in result["tags"].items()]
    return listed(lines, f"{result['images']} pictures, {len(lines)} different tags.")
