"""The verbs that write captions: the tagger's, and the editor's batch work."""

from __future__ import annotations

import argparse
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from .commands import Verbs, add_verb, make_host
from .commands_dataset import (
    add_changing,
    add_dry_run,
    add_folder,
    listed,
    make,
    named,
    recover,
    tell_changes,
)
from .dataset import changes as plans
from .dataset.captions import join_tags, split_tags
from .dataset.changes import Change
from .dataset.images import Failure, ImageFile, open_image, scan_captions
from .dataset.tags import count_tags
from .errors import UserError
from .jobs import ConsoleJob, null_job

Plan = Callable[[list[ImageFile]], list[Change]]
_BATCH = 8
_DECODERS = 2


def add_verbs(verbs: Verbs) -> None:
    """Both of them."""
    add_tag(verbs)
    add_captions(verbs)


def add_tag(verbs: Verbs) -> None:
    """`tag`."""
    parser = add_changing(
        verbs, "tag", tag, "Captions from a tagger.",
        "lora-cook tag datasets/kafka --tagger wd-swinv2-tagger-v3 --when append",
    )  # fmt: skip
    add_folder(parser)
    parser.add_argument(
        "--tagger", required=True, metavar="NAME|FOLDER", help="with model.onnx and its tags"
    )
    parser.add_argument("--threshold", type=float, default=0.35, help="of general tags (0.35)")
    parser.add_argument(
        "--when", choices=("empty", "overwrite", "append", "prepend"), default="empty",
        help="where there is no caption, or over, behind or before the one there is",
    )  # fmt: skip
    parser.set_defaults(tell=tell_tagged)


def tag(options: argparse.Namespace, job: ConsoleJob) -> dict[str, Any]:
    """Tag the pictures; when cancelled, what is tagged already is kept."""
    if not 0 <= options.threshold <= 1:
        raise UserError("A threshold goes from 0 to 1", f"--threshold {options.threshold:g}")
    failed: list[Failure] = []
    recover(options.folder, job)
    images = scan_captions(options.folder, failed)
    tagger = load_tagger(options.tagger, job)
    todo = [image for image in images if options.when != "empty" or not image.caption]
    found: dict[Path, list[str]] = {}
    for batch in opened_ahead(todo, failed):
        if job.cancelled:
            break
        seen = tagger.predict([picture for _, picture in batch])
        for (image, _), tags in zip(batch, seen, strict=True):
            found[image.path] = tags.names(options.threshold)
        job.report(len(found), len(todo), "tagging")
    changes = plans.plan_tags(todo, found, options.when)
    made = make(options.folder, changes, failed, options, null_job if job.cancelled else job)
    job.check()
    return {"tagged": tagged(found, changes, made), "skipped": len(images) - len(todo), **made}


def tagged(found: dict[Path, list[str]], changes: Sequence[Change], made: dict[str, Any]) -> int:
    """How many pictures have their tags now."""
    failures = {failure["path"] for failure in made["failed"]}
    return len(found) - sum(str(change.path) in failures for change in changes)


def tell_tagged(result: dict[str, Any]) -> str:
    """The tagger's work for a person."""
    return (
        f"{tell_changes(result)}\n{result['tagged']} pictures tagged, {result['skipped']} left "
        "alone because they have captions."
    )


def load_tagger(name: str, job: ConsoleJob) -> Any:
    """The tagger in a folder, or of this name among the host's."""
    from .captioning import onnx_tagger

    if Path(name).is_dir() or Path(name).name != name:
        return onnx_tagger.load(Path(name))
    host = make_host(job)
    return onnx_tagger.load(host.taggers().get(name, host.tagger_dir / name))


def opened_ahead(
    images: Sequence[ImageFile], failed: list[Failure]
) -> Iterator[list[tuple[ImageFile, Any]]]:
    """The pictures in batches, the next ones decoded meanwhile; broken ones are named."""
    waiting: deque[tuple[ImageFile, Future[Any]]] = deque()
    rest = iter(images)
    with ThreadPoolExecutor(_DECODERS) as pool:
        while True:
            for image in rest:
                waiting.append((image, pool.submit(open_image, image.path)))
                if len(waiting) >= 2 * _BATCH:
                    break
            if not waiting:
                return
            batch = []
            for _ in range(min(_BATCH, len(waiting))):
                image, picture = waiting.popleft()
                try:
                    batch.append((image, picture.result()))
                except UserError as error:
                    failed.append((image.path, error.what))
            yield batch


def add_captions(verbs: Verbs) -> None:
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
