"""The step Tag without its widgets: captions from a tagger, pruned into the trigger.

The tagger is imported when it is first needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from ...captioning.base import CATEGORIES, Choice, Tagger
from ...captioning.known import KNOWN
from ...captioning.labels import read_labels
from ...captioning.spec import spec_of
from ...dataset import journal
from ...dataset.caption_edits import CaptionEdit
from ...dataset.captions import OTHER_ENDING, caption_path, split_tags
from ...dataset.changes import When, plan_edit
from ...dataset.images import scan_captions
from ...dataset.proposals import STYLE_NEEDS_NONE, Proposal, Subject, check_trigger, propose
from ...dataset.tags import (  # fmt: skip
    add_trigger,
    evident_trigger,
    remove_tags,
    spaces_for_underscores,
    tag_key,
)
from ...errors import UserError
from ...hosts.base import Host
from ...jobs import Job
from .. import show, texts
from ..bench import Bench, Counted, named, several
from ..runner import Outcome, Work

LOOKED_FOR = 100
"""Pictures beside which other caption files are looked for."""


@dataclass(frozen=True)
class Wish:
    """What the step's form says."""

    taggers: tuple[str, ...]
    threshold: str
    when: When
    kind: Subject
    trigger: str


def wish_of(form: Sequence[Any]) -> Wish:
    """The form of Tag."""
    values: list[Any] = [str(it or "").strip() for it in form[1:]]
    return Wish(names_of(form[0]), *values)


def names_of(taggers: Any) -> tuple[str, ...]:
    """The taggers that are chosen: one by its name, or several."""
    return tuple([taggers] if isinstance(taggers, str) else taggers or ())


def taggers_of(host: Host) -> list[str]:
    """Those at hand, then those that can be fetched."""
    return list(dict.fromkeys([*host.taggers(), *KNOWN]))


def to_fetch(names: Sequence[str], host: Host) -> list[str]:
    """Those of the names that are not at hand and can be fetched."""
    there = host.taggers()
    return [name for name in names if name not in there and name in KNOWN]


def known_tags(names: Sequence[str], host: Host) -> list[str]:
    """The tag list of the first tagger that is at hand; nothing without one."""
    there = host.taggers()
    for name in names:
        folder = there.get(name)
        if isinstance(folder, Path):
            with suppress(UserError, OSError):
                return _tag_list(folder)
    return []


@lru_cache(maxsize=4)
def _tag_list(folder: Path) -> list[str]:
    """As captions spell them; what runs a tagger need not be installed."""
    labels = read_labels(folder / spec_of(folder).label_file)
    return [spaces_for_underscores(name) for category, name in labels if category]


def trigger_for(dataset: str, there: Counted, bench: Bench) -> str:
    """The trigger that was given, or that captions and folder suggest."""
    told = bench.recall("trigger").get(dataset)
    if isinstance(told, str) and told:
        return told
    starter = bench.starter
    if starter and Path(dataset).expanduser() == starter.folder:
        return starter.trigger
    name = Path(dataset).name
    return evident_trigger([tags for tags in there.tagged if tags], name) or ""


def proposals(there: Counted, kind: Subject, trigger: str) -> list[Proposal]:
    """Tags that nearly all captions have."""
    captions = sum(bool(tags) for tags in there.tagged)
    return propose(there.counts, captions, kind, trigger) if captions else []


def without_caption(there: Counted) -> list[Path]:
    """Pictures that a trainer would learn the trigger alone of."""
    return [image.path for image in there.images if not image.caption]


def without_trigger(there: Counted, trigger: str) -> int:
    """How many captions do not begin with the trigger."""
    front = [tag_key(part) for part in split_tags(trigger)]
    return sum([tag_key(tag) for tag in tags[: len(front)]] != front for tags in there.tagged)


def listed(there: Counted, wish: Wish, known: Sequence[str] = ()) -> str:
    """What the captions say, and beside each frequent tag what pruning it means, as HTML.

    known: the tagger's list, by which a trigger is checked.
    """
    bare = without_caption(there)
    parts = []
    if bare:
        count = several(len(bare), "picture", "pictures")
        parts.append(show.note(texts.BARE.format(count=count, names=named(bare))))
        if any(caption_path(path, OTHER_ENDING).is_file() for path in bare[:LOOKED_FOR]):
            parts.append(show.note(texts.OTHER_THERE))
    else:
        left = without_trigger(there, wish.trigger) if wish.trigger else len(there.images)
        parts.append(show.note(texts.ALL_TAGGED.format(
            count=len(there.images), first=len(there.images) - left,
            trigger=wish.trigger or texts.NO_TRIGGER_YET,
        )))  # fmt: skip
    if wish.trigger:
        parts += [show.note(it) for it in doubts(there, wish, known)]
    found = proposals(there, wish.kind, wish.trigger)
    rows = [
        [it.tag, f"{it.share:.0%}", texts.PRUNE_IT if it.prune else texts.KEEP_IT, it.why]
        for it in found
    ]
    if rows and not bare:
        parts.append(show.table(texts.PROPOSAL_HEADS, rows))
    return "".join(parts)


def doubts(there: Counted, wish: Wish, known: Sequence[str]) -> list[str]:
    """What speaks against a trigger, but that captions begin with it already."""
    doubts = check_trigger(wish.trigger, there.counts, known)
    found = [it for it in doubts if it.name != "dataset"]
    if wish.kind == "style":
        found.append(STYLE_NEEDS_NONE)
    if not found:
        return [texts.TRIGGER_GOOD.format(trigger=wish.trigger)]
    return [f"{wish.trigger}: {it.why}" for it in found]


@dataclass(frozen=True)
class Finer:
    """More about tagging, by its widgets in their order."""

    character: str = ""
    further: str = ""
    rating: Literal["none", "first", "last"] = "none"
    leave_out: str = ""
    mcut: bool = False
    characters_first: bool = False
    expand: bool = False
    underscores: bool = False


def thresholds(wish: Wish, finer: Finer) -> dict[str, float | None]:
    """Category -> threshold where one is asked for, None leaves it out; UserError for nonsense."""
    found: dict[str, float | None] = {}
    if wish.threshold:
        found["general"] = level(wish.threshold)
    if finer.character:
        found["character"] = None if finer.character == "none" else level(finer.character)
    for part in filter(None, (it.strip() for it in finer.further.split(","))):
        category, _, value = part.partition("=")
        if category.strip() not in CATEGORIES:
            raise UserError(texts.NO_CATEGORY, category.strip(), f"{', '.join(CATEGORIES)}.")
        found[category.strip()] = level(value)
    return found


def level(text: str) -> float:
    """A threshold; UserError for what makes no sense."""
    try:
        value = float(text.strip().replace(",", "."))
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise UserError(texts.NO_THRESHOLD, text, texts.NO_THRESHOLD_TO_DO)
    return value


def choice_of(tagger: Tagger, asked: Mapping[str, float | None], finer: Finer) -> Choice:
    """What the form says, and for the rest what the tagger's maker does."""
    from ...captioning.find import default_choice

    choice = default_choice(tagger)
    levels = {**choice.thresholds, **asked}
    kept = {name: value for name, value in levels.items() if value is not None}
    return replace(
        choice, thresholds=kept, mcut=finer.mcut, rating=finer.rating,
        characters_first=finer.characters_first and "character" in kept,
        expand=finer.expand, spaces=not finer.underscores,
        leave_out=frozenset(split_tags(finer.leave_out)),
    )  # fmt: skip


def tag_work(folder: Path, wish: Wish, finer: Finer, bench: Bench) -> Work:
    """Ask the taggers about every picture; UserError for a form that makes no sense."""
    if not wish.taggers:
        raise UserError(texts.NO_TAGGER_CHOSEN, "", texts.NO_TAGGER_CHOSEN_TO_DO)
    asked, host = thresholds(wish, finer), bench.host

    def work(job: Job) -> Outcome:
        from ...captioning.find import find_tagger
        from ...captioning.tagging import Tagging, tag_dataset

        tagger = find_tagger(wish.taggers, host.taggers(), host.tagger_dir, job, many=True)
        choice = choice_of(tagger, asked, finer)
        with job.stage(texts.TAGGING):
            result = tag_dataset(folder, tagger, Tagging(choice, wish.when), job)
        for path, why in result.failed:
            job.log(f"{path.name}: {why}")
        bench.forget_look(folder)
        return Outcome(texts.TAGGED.format(tagged=result.tagged, skipped=result.skipped))

    return work


def fetch_work(names: Sequence[str], host: Host) -> Work:
    """Fetch taggers into the host's folder, with a bar."""

    def work(job: Job) -> Outcome:
        from ...captioning.fetch import fetch_tagger

        for name in names:
            with job.stage(name):
                fetch_tagger(KNOWN[name], host.tagger_dir / name, job)
        return Outcome(texts.FETCHED.format(names=", ".join(names)))

    return work


def prune_work(folder: Path, trigger: str, unwanted: Sequence[str], bench: Bench) -> Work:
    """Take tags out of every caption and put the trigger first, as one operation."""
    front = split_tags(trigger)
    edit = CaptionEdit(
        texts.PRUNED_WHAT, lambda old: add_trigger(remove_tags(old, list(unwanted)), front)
    )

    def work(job: Job) -> Outcome:
        failed: list[tuple[Path, str]] = []
        changes = plan_edit(scan_captions(folder, failed), edit)
        applied = journal.apply_changes(folder, changes, job, texts.PRUNED_WHAT)
        for path, why in [*failed, *applied.failed]:
            job.log(f"{path.name}: {why}")
        bench.forget_look(folder)
        return Outcome(texts.PRUNED.format(count=len(applied.applied), trigger=trigger))

    return work
