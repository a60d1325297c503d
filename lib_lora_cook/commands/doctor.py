"""The verbs that look a dataset over: copies, and everything that is wrong with it."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..dataset.images import Failure, ImageFile, scan_subset
from ..errors import UserError
from ..jobs import ConsoleJob
from .base import Verbs
from .captions import tags_of, tokenizer_of
from .changing import (
    add_changing,
    add_folder,
    listed,
    make,
    named,
    recover,
    tell_changes,
)
from .tag import find

if TYPE_CHECKING:
    from ..dataset.look import Asked


def add_verbs(verbs: Verbs) -> None:
    """Both of them."""
    add_doctor(verbs)
    add_duplicates(verbs)


def add_duplicates(verbs: Verbs) -> None:
    """`duplicates`."""
    parser = add_changing(
        verbs, "duplicates", duplicates, "Groups of copies, the one to keep first.",
        "lora-cook duplicates datasets/kafka --apply",
    )  # fmt: skip
    add_folder(parser)
    parser.add_argument(
        "--hardness", type=int, default=50, metavar="1..100", help="100 finds only what is equal"
    )
    parser.add_argument(
        "--apply", action="store_true", help="keep the first of each exact and near group"
    )
    parser.add_argument(
        "--not", nargs=2, dest="distinct", metavar=("A", "B"),
        help="these two pictures of the folder are no duplicates; remembered",
    )  # fmt: skip
    parser.set_defaults(tell=tell_duplicates)


def duplicates(options: argparse.Namespace, job: ConsoleJob) -> dict[str, Any]:
    """Find copies, and throw them away if asked to."""
    from ..dataset.duplicates import declare_distinct, find_duplicates, plan_duplicates

    if not 1 <= options.hardness <= 100:
        raise UserError("Hardness goes from 1 to 100", f"--hardness {options.hardness}")
    if options.apply:
        recover(options.folder, job)
    failed: list[Failure] = []
    images = scan_subset(options.folder, failed)
    if options.distinct:
        one, other = (_of_folder(options.folder, name) for name in options.distinct)
        declare_distinct(options.folder, one, other)
    groups = find_duplicates(images, options.hardness, job, failed, options.folder)
    result = {
        "groups": [
            {"kind": group.kind, "files": [str(image.path) for image in group.files]}
            for group in groups
        ]
    }
    if not options.apply:
        return {**result, "failed": named(failed, job)}
    made = make(options.folder, plan_duplicates(groups), failed, options, job)
    return {**result, **made}


def _of_folder(folder: Path, name: str) -> Path:
    """A picture by its name in the folder, or by its path."""
    return folder / name if (folder / name).is_file() else Path(name)


def tell_duplicates(result: dict[str, Any]) -> str:
    """The groups for a person."""
    lines = [f"{group['kind']}: {', '.join(group['files'])}" for group in result["groups"]]
    groups = listed(lines, f"{len(lines)} groups of copies.")
    return f"{groups}\n{tell_changes(result)}" if "changes" in result else groups


def add_doctor(verbs: Verbs) -> None:
    """`doctor`."""
    parser = add_changing(
        verbs, "doctor", doctor, "What is wrong with this dataset.",
        "lora-cook doctor datasets/kafka --fix near_copies double_tags",
    )  # fmt: skip
    add_folder(parser)
    parser.add_argument("--fix", nargs="+", metavar="NAME", default=[], help="findings to mend")
    parser.add_argument(
        "--below", type=int, default=768, metavar="N", help="the least side in pixels (768)"
    )
    parser.add_argument("--trigger", default="", metavar="WORD", help="if it is not evident")
    parser.add_argument(
        "--tagger",
        action="append",
        default=[],
        metavar="NAME|FOLDER",
        help="look at the pictures too: wrong captions, several people; writes missing captions",
    )
    parser.add_argument(
        "--max-tokens", type=int, default=225, metavar="N", help="that training reads (225)"
    )
    parser.add_argument(
        "--checkpoint",
        type=Path,
        metavar="DIR",
        help="a diffusers folder, whose tokenizer counts; without it tokens are estimated",
    )
    parser.set_defaults(tell=tell_findings)


def doctor(options: argparse.Namespace, job: ConsoleJob) -> dict[str, Any]:
    """Look the folder over, and mend what is named."""
    from ..dataset.look import look_at
    from ..dataset.report import check_fixes, findings, plan_fixes

    check_fixes(options.fix, bool(options.tagger))
    if options.fix:
        recover(options.folder, job)
    failed: list[Failure] = []
    look = look_at(options.folder, options.below, job, asked_of(options, job, failed))
    result = {"findings": [finding.as_json() for finding in findings(look)]}
    if not options.fix:
        return result
    return {**result, **make(options.folder, plan_fixes(look, options.fix), failed, options, job)}


def asked_of(options: argparse.Namespace, job: ConsoleJob, failed: list[Failure]) -> Asked:
    """What the options tell the doctor."""
    from ..dataset.look import Asked

    if options.max_tokens < 1:
        raise UserError("A caption needs room for a token", f"--max-tokens {options.max_tokens}")
    asked = Asked(options.trigger, options.max_tokens)
    if options.checkpoint:
        asked = replace(asked, tokenize=tokenizer_of(options.checkpoint))
    if not options.tagger:
        return asked
    from ..captioning.base import chosen
    from ..captioning.find import default_choice
    from ..captioning.tagging import tag_pictures

    tagger = find(options.tagger, job)
    choice = default_choice(tagger)

    def see(images: list[ImageFile]) -> dict[Path, list[str]]:
        seen = tag_pictures(images, tagger, failed, job)
        return {image.path: chosen(tags, choice) for image, tags in seen}

    known = tuple(tags_of(options.tagger[0], job))
    return replace(asked, see=see, known=known)


def tell_findings(result: dict[str, Any]) -> str:
    """The findings for a person."""
    lines = [finding_line(finding) for finding in result["findings"]]
    findings = listed(lines, f"{len(lines)} findings." if lines else "Nothing is wrong here.")
    return f"{findings}\n{tell_changes(result)}" if "changes" in result else findings


def finding_line(finding: dict[str, Any]) -> str:
    """One finding in a line."""
    files = ", ".join(Path(name).name for name in finding["files"][:3])
    more = f" and {len(finding['files']) - 3} more" if len(finding["files"]) > 3 else ""
    fix = f" [--fix {finding['name']}: {finding['fix']}]" if finding["fix"] else ""
    return f"{finding['name']}: {files}{more}: {finding['why']}{fix}"
