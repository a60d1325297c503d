"""`tag`: captions from a tagger."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..dataset.captions import split_tags
from ..dataset.images import scan_captions
from ..errors import UserError
from ..jobs import ConsoleJob
from .base import Verbs, make_host
from .changing import (
    add_captions,
    add_changing,
    add_folder,
    named,
    recover,
    shown,
    tell_changes,
)

if TYPE_CHECKING:
    from ..captioning.base import Choice, Tagger


def add_verbs(verbs: Verbs) -> None:
    """`tag`."""
    parser = add_changing(
        verbs, "tag", tag, "Captions from a tagger.",
        "lora-cook tag datasets/kafka --tagger wd-swinv2-tagger-v3 --when append",
    )  # fmt: skip
    add_folder(parser)
    add_captions(parser)
    parser.add_argument(
        "--tagger", required=True, action="append", metavar="NAME|FOLDER",
        help="one at hand, one that can be fetched, or a folder; several are averaged",
    )  # fmt: skip
    parser.add_argument(
        "--when", choices=("empty", "overwrite", "append", "prepend"), default="empty",
        help="where there is no caption, or over, behind or before the one there is",
    )  # fmt: skip
    add_choice(parser)
    parser.set_defaults(tell=tell_tagged)


def add_choice(parser: Any) -> None:
    """Which of the tags are taken."""
    parser.add_argument(
        "--threshold", type=float, metavar="P", help="of general tags (the tagger's own, 0.35)"
    )
    parser.add_argument(
        "--character-threshold", type=float, metavar="P", help="of characters (its own, 0.85)"
    )
    parser.add_argument(
        "--threshold-of", action="append", default=[], metavar="CATEGORY=P",
        help="take tags of a further category too, as copyright=0.5 or artist=0.5",
    )  # fmt: skip
    parser.add_argument("--mcut", action="store_true", help="thresholds from the largest gaps")
    parser.add_argument(
        "--rating", choices=("none", "first", "last"), default="none", help="where its tag goes"
    )
    parser.add_argument("--no-characters", action="store_true", help="no characters' names")
    parser.add_argument("--characters-first", action="store_true", help="before the other tags")
    parser.add_argument("--expand", action="store_true", help="name_(series) as name, series")
    parser.add_argument(
        "--leave-out", action="append", default=[], metavar="TAGS", help="tags not to take"
    )
    parser.add_argument("--underscores", action="store_true", help="long_hair, not long hair")


def tag(options: argparse.Namespace, job: ConsoleJob) -> dict[str, Any]:
    """Tag the pictures; when cancelled, what is tagged already is kept."""
    from ..captioning.tagging import Tagging, tag_dataset

    asked = thresholds(options)
    recover(options.folder, job)
    # A folder without pictures is told before a tagger is looked for, which may be fetched.
    scan_captions(options.folder, [], options.caption_extension, options.recursive)
    tagger = find(options.tagger, job)
    wanted = Tagging(
        choice_of(options, tagger, asked), options.when, options.caption_extension,
        options.dry_run, options.recursive,
    )  # fmt: skip
    result = tag_dataset(options.folder, tagger, wanted, job)
    made = {
        "tagged": result.tagged, "skipped": result.skipped,
        "changes": [shown(change) for change in result.changes],
        "failed": named(result.failed, job),
    }  # fmt: skip
    return {**made, "dry_run": True} if options.dry_run else made


def thresholds(options: argparse.Namespace) -> dict[str, float]:
    """Those that were asked for, by category; UserError where one makes no sense."""
    from ..captioning.base import CATEGORIES

    asked = {"general": options.threshold, "character": options.character_threshold}
    found = {category: value for category, value in asked.items() if value is not None}
    for text in options.threshold_of:
        category, _, value = text.partition("=")
        try:
            found[category] = float(value)
        except ValueError:
            raise UserError("This is no threshold", text, "Write copyright=0.5.") from None
    for category, value in found.items():
        if category not in CATEGORIES:
            known = f"There are: {', '.join(CATEGORIES)}."
            raise UserError("No such category of tags", category, known)
        if not 0 <= value <= 1:
            raise UserError("A threshold goes from 0 to 1", f"{category} {value:g}")
    return found


def choice_of(options: argparse.Namespace, tagger: Tagger, asked: dict[str, float]) -> Choice:
    """What the options say, and for the rest what the tagger's maker does."""
    from ..captioning.find import default_choice

    choice = default_choice(tagger)
    levels = {**choice.thresholds, **asked}
    if options.no_characters:
        levels.pop("character", None)
    return replace(
        choice, thresholds=levels, mcut=options.mcut, rating=options.rating,
        characters_first=options.characters_first and "character" in levels,
        expand=options.expand, spaces=not options.underscores,
        leave_out=frozenset(split_tags(",".join(options.leave_out))),
    )  # fmt: skip


def find(names: Iterable[str], job: ConsoleJob) -> Tagger:
    """The taggers of the command line."""
    from ..captioning.find import find_tagger

    host = make_host(job)
    return find_tagger(list(names), host.taggers(), host.tagger_dir, job, many=True)


def tell_tagged(result: dict[str, Any]) -> str:
    """The tagger's work for a person."""
    return (
        f"{tell_changes(result)}\n{result['tagged']} pictures tagged, {result['skipped']} left "
        "alone because they have captions."
    )
