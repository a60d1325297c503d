"""All checks in their order, and the mends of several together."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from ...errors import UserError
from ..changes import Change
from ..look import Finding, Look
from . import captions, folders, pictures, triggers

_STRENGTH = {"picture": 0, "move": 1, "trash": 2}
Check = Callable[[Look], list[Finding]]
CHECKS: dict[str, Check] = {
    "unreadable": folders.unreadable,
    "wrong_extension": folders.wrong_extension,
    "ignored_caption": captions.ignored_caption,
    "orphaned_caption": captions.orphaned_caption,
    "caption_encoding": captions.caption_encoding,
    "missing_caption": captions.missing_caption,
    "empty_caption": captions.empty_caption,
    "wrong_caption": captions.wrong_caption,
    "ignored_lines": captions.ignored_lines,
    "double_tags": captions.double_tags,
    "pruned_tag": captions.pruned_tag,
    "several_people": captions.solo,
    "trigger_missing": triggers.trigger_missing,
    "trigger_not_first": triggers.trigger_not_first,
    "trigger_has_meaning": triggers.trigger_has_meaning,
    "long_caption": captions.long_caption,
    "transparency": pictures.transparency,
    "too_small": pictures.too_small,
    "extreme_aspect": pictures.extreme_aspect,
    "blurred": pictures.blurred,
    "compressed": pictures.compressed,
    "exact_copies": folders.exact_copies,
    "near_copies": folders.near_copies,
    "imbalance": folders.imbalance,
}
"""By the name of the finding; captions are mended in this order."""
_BY_TAGGER = ("missing_caption", "empty_caption", "wrong_caption")
FIXABLE = tuple(name for name in CHECKS if name not in (*_BY_TAGGER, "trigger_has_meaning"))
"""What can be mended without a tagger."""


def findings(look: Look) -> list[Finding]:
    """Everything that is wrong, in the order of CHECKS."""
    return [finding for check in CHECKS.values() for finding in check(look)]


def check_fixes(names: Iterable[str], tagger: bool = False) -> None:
    """UserError for a name that is unknown, or of something that only a person can mend."""
    fixable = [name for name in CHECKS if name in FIXABLE or (tagger and name in _BY_TAGGER)]
    for name in names:
        if name not in fixable:
            what = "Only a person can mend this" if name in CHECKS else "There is no such finding"
            raise UserError(what, name, f"Choose from {', '.join(fixable)}.")


def plan_fixes(look: Look, names: Iterable[str]) -> list[Change]:
    """The mends of the findings of these names together: one change a file, the strongest."""
    wanted = list(names)
    check_fixes(wanted, look.asked.see is not None)
    texts: dict[Path, Change] = {}
    others: dict[Path, Change] = {}
    for name in (name for name in CHECKS if name in wanted):
        made = [change for finding in CHECKS[name](look) for change in finding.changes]
        for change in made:
            if change.kind == "caption":
                first = texts.get(change.path)
                texts[change.path] = change if first is None else _both(first, change)
            elif _STRENGTH[change.kind] >= _STRENGTH[others.get(change.path, change).kind]:
                others[change.path] = change
        look = look.with_captions(made)
    return [*texts.values(), *others.values()]


def _both(first: Change, second: Change) -> Change:
    return replace(second, before=first.before, why=f"{first.why}; {second.why}")
