"""The step Tag without its widgets: captions from a tagger, pruned into the trigger.

The tagger is imported when it is first needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..captioning.known import KNOWN
from ..dataset import journal
from ..dataset.caption_edits import CaptionEdit
from ..dataset.captions import split_tags
from ..dataset.changes import When, plan_edit
from ..dataset.images import scan_captions
from ..dataset.proposals import Proposal, Subject, check_trigger, propose
from ..dataset.tags import add_trigger, count_tags, evident_trigger, remove_tags, tag_key
from ..errors import UserError
from ..hosts.base import Host
from ..jobs import Job
from . import show, texts
from .bench import Bench, Counted, named
from .runner import Outcome, Work


@dataclass(frozen=True)
class Wish:
    """What the step's form says."""

    tagger: str
    threshold: str
    when: When
    kind: Subject
    trigger: str


def wish_of(form: Sequence[Any]) -> Wish:
    """The form of Tag."""
    values: list[Any] = [str(it or "").strip() for it in form]
    return Wish(*values)


def taggers_of(host: Host) -> list[str]:
    """Those at hand, then those that can be fetched."""
    return list(dict.fromkeys([*host.taggers(), *KNOWN]))


def trigger_for(dataset: str, there: Counted, bench: Bench) -> str:
    """The trigger that was given, or that captions and folder suggest."""
    told = bench.recall("trigger").get(dataset)
    if isinstance(told, str) and told:
        return told
    starter = bench.starter
    if starter and Path(dataset).expanduser() == starter.folder:
        return starter.trigger
    name = Path(dataset).name
    captions = [split_tags(image.caption) for image in there.images if image.caption]
    return evident_trigger(captions, name) or ""


def proposals(there: Counted, kind: Subject, trigger: str) -> list[Proposal]:
    """Tags that nearly all captions have."""
    captions = [split_tags(image.caption) for image in there.images if image.caption]
    if not captions:
        return []
    return propose(count_tags(captions), len(captions), kind, trigger)


def without_caption(there: Counted) -> list[Path]:
    """Pictures that a trainer would learn the trigger alone of."""
    bare = [image.path for image in there.images if not image.caption]
    return bare


def without_trigger(there: Counted, trigger: str) -> int:
    """How many captions do not begin with the trigger."""
    front = [tag_key(part) for part in split_tags(trigger)]
    tagged = (split_tags(image.caption) for image in there.images)
    return sum([tag_key(tag) for tag in tags[: len(front)]] != front for tags in tagged)


def listed(there: Counted, wish: Wish) -> str:
    """What the captions say, and beside each frequent tag what pruning it means, as HTML."""
    bare = without_caption(there)
    parts = []
    if bare:
        parts.append(show.note(texts.BARE.format(count=len(bare), names=named(bare))))
    else:
        left = without_trigger(there, wish.trigger) if wish.trigger else len(there.images)
        parts.append(show.note(texts.ALL_TAGGED.format(
            count=len(there.images), first=len(there.images) - left,
            trigger=wish.trigger or texts.NO_TRIGGER_YET,
        )))  # fmt: skip
    if wish.trigger:
        parts += [show.note(it) for it in doubts(there, wish.trigger)]
    found = proposals(there, wish.kind, wish.trigger)
    rows = [
        [it.tag, f"{it.share:.0%}", texts.PRUNE_IT if it.prune else texts.KEEP_IT, it.why]
        for it in found
    ]
    if rows and not bare:
        parts.append(show.table(texts.PROPOSAL_HEADS, rows))
    return "".join(parts)


def doubts(there: Counted, trigger: str) -> list[str]:
    """What speaks against a trigger, but that captions begin with it already."""
    counts = count_tags(split_tags(image.caption) for image in there.images)
    return [f"{trigger}: {it.why}" for it in check_trigger(trigger, counts) if it.name != "dataset"]


def check_wish(wish: Wish) -> float | None:
    """The threshold, None for the tagger's own; UserError for what makes no sense."""
    if not (wish.threshold or "").strip():
        return None
    try:
        level = float(wish.threshold.replace(",", "."))
    except ValueError:
        level = -1.0
    if not 0 <= level <= 1:
        raise UserError(texts.NO_THRESHOLD, wish.threshold, texts.NO_THRESHOLD_TO_DO)
    return level


def tag_work(folder: Path, wish: Wish, bench: Bench) -> Work:
    """Ask the tagger about every picture."""
    level = check_wish(wish)

    def work(job: Job) -> Outcome:
        from ..captioning.find import default_choice, find_tagger
        from ..captioning.tagging import Tagging, tag_dataset

        host = bench.host
        tagger = find_tagger([wish.tagger], host.taggers(), host.tagger_dir, job)
        choice = default_choice(tagger)
        if level is not None:
            choice = replace(choice, thresholds={**choice.thresholds, "general": level})
        with job.stage(texts.TAGGING):
            result = tag_dataset(folder, tagger, Tagging(choice, wish.when), job)
        for path, why in result.failed:
            job.log(f"{path.name}: {why}")
        bench.forget_look(folder)
        return Outcome(texts.TAGGED.format(tagged=result.tagged, skipped=result.skipped))

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
