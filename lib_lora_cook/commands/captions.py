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
from ..dataset.images import Failure
from ..dataset.proposals import STYLE_NEEDS_NONE, SUBJECTS, check_trigger, propose
from ..dataset.tags import count_tags
from ..errors import UserError
from ..jobs import ConsoleJob
from .base import Verbs, add_verb, make_host
from .caption_files import add_files, add_one
from .changing import (
    add_captions,
    add_dry_run,
    add_folder,
    listed,
    make,
    named,
    recover,
    scan_asked,
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
    add_captions(parser)
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
    add_propose(actions)
    add_files(actions)


def add_action(
    actions: Any, name: str, what: str, example: str,
    make_edit: MakeEdit | None,
) -> Any:  # fmt: skip
    """One thing to do with captions; its options may stand before or behind it."""
    parser = add_one(actions, name, what, example)
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


def add_propose(actions: Any) -> None:
    """`propose`."""
    parser = add_action(
        actions, "propose", "Tags to prune into the trigger, what each costs, and a look at it.",
        "--kind character --trigger kafka", None,
    )  # fmt: skip
    parser.add_argument("--kind", choices=SUBJECTS, required=True, help="what is to be learnt")
    parser.add_argument("--trigger", default="", metavar="WORD", help="to be checked")
    parser.add_argument(
        "--tagger", metavar="NAME|FOLDER", help="whose list tells which words are tags already"
    )
    add_checkpoint(parser)
    parser.set_defaults(verb=propose_pruning, tell=tell_proposals)


def propose_pruning(options: argparse.Namespace, job: ConsoleJob) -> dict[str, Any]:
    """What nearly all captions have, and what speaks against the trigger; changes nothing."""
    failed: list[Failure] = []
    images = scan_asked(options, failed)
    captions = [split_tags(image.caption) for image in images if image.caption]
    counts = count_tags(captions)
    result: dict[str, Any] = {"kind": options.kind, "captions": len(captions), "trigger": None}
    if options.trigger:
        tokenize = tokenizer_of(options.checkpoint) if options.checkpoint else None
        doubts = check_trigger(options.trigger, counts, tags_of(options.tagger, job), tokenize)
        doubts += [STYLE_NEEDS_NONE] if options.kind == "style" else []
        found = [doubt.as_json() for doubt in doubts]
        result["trigger"] = {"trigger": options.trigger, "doubts": found}
    proposals = propose(counts, len(captions), options.kind, options.trigger)
    result["proposals"] = [proposal.as_json() for proposal in proposals]
    return {**result, "failed": named(failed, job)}


def tags_of(tagger: str | None, job: ConsoleJob) -> list[str]:
    """The list of a tagger at hand, or nothing."""
    if not tagger:
        return []
    from ..captioning.find import folder_of, tag_list

    host = make_host(job)
    return tag_list(folder_of(tagger, host.taggers(), host.tagger_dir))


def tell_proposals(result: dict[str, Any]) -> str:
    """The proposals for a person."""
    lines = [
        f"{'prune' if it['prune'] else 'keep ':5} {it['share']:4.0%} {it['tag']}: {it['why']}"
        for it in result["proposals"]
    ]
    trigger = result["trigger"] or {"doubts": []}
    doubts = [f"{trigger['trigger']}: {doubt['why']}" for doubt in trigger["doubts"]]
    return listed([*doubts, *lines], f"{result['captions']} captions looked at.")


def edit_captions(options: argparse.Namespace, job: ConsoleJob) -> dict[str, Any]:
    """Plan the action over all captions, and make its changes."""
    if getattr(options, "keep_tokens", 0) < 0:
        raise UserError("No fewer than no tags can stay", f"--keep-tokens {options.keep_tokens}")
    edit: CaptionEdit = options.make_edit(options)
    recover(options.folder, job)
    failed: list[Failure] = []
    images = scan_asked(options, failed)
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
    images = scan_asked(options, failed)
    counts = count_tags(split_tags(image.caption) for image in images)
    tags = dict(sorted(counts.items(), key=lambda it: (-it[1], it[0])))
    return {"images": len(images) + len(failed), "tags": tags, "failed": named(failed, job)}


def tell_counts(result: dict[str, Any]) -> str:
    """The counts for a person."""
    lines = [f"{count:6} {name}" for name, count in result["tags"].items()]
    return listed(lines, f"{result['images']} pictures, {len(lines)} different tags.")
