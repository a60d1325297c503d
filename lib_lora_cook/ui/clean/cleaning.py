"""The step Clean without its widgets: what is wrong, what mends it, and the work that does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...dataset import changes as plans
from ...dataset import journal
from ...dataset.changes import Change
from ...dataset.edits import Upscale, checked_colour
from ...dataset.images import ImageFile, scan_subset
from ...dataset.look import Asked, Finding, Look, look_at
from ...dataset.report import FIXABLE, plan_fixes
from ...dataset.trash import empty_trash, kept_originals
from ...errors import UserError
from ...hosts.base import Host, upscale_with
from ...jobs import Job
from .. import show, texts
from ..bench import Bench, named, several
from ..runner import Outcome, Work
from ..said import press
from ..show import plain

LATER = ("trigger_missing", "trigger_not_first")
BY_TAG = (*LATER, "missing_caption", "empty_caption", "trigger_has_meaning")
"""Findings that the step Tag sees to."""
MEASURED = ("extreme_aspect", "blurred", "compressed", "imbalance")
"""Findings that a person should look at first: a soft or compressed picture may be meant so."""


def look_work(folder: Path, below: int, bench: Bench) -> Work:
    """Look a dataset over, every picture decoded."""

    def work(job: Job) -> Outcome:
        found = look(folder, below, bench, job)
        return Outcome(texts.LOOKED.format(count=len(found)))

    return work


def look(folder: Path, below: int, bench: Bench, job: Job) -> list[Finding]:
    """What is wrong; the page shows it from now on."""
    told = bench.recall("trigger").get(str(folder))
    with job.stage(texts.LOOKING):
        seen = look_at(folder, below, job, Asked(trigger=told if isinstance(told, str) else ""))
    return bench.looked(folder, seen)


def listed(found: Sequence[Finding]) -> str:
    """The findings as HTML: what, where, and what mending would change."""
    if not found:
        return show.note(texts.CLEAN_NOTHING)
    rows = [[spoken(it.name), named(it.files), it.why, mending(it)] for it in found]
    head = show.note(texts.CLEAN_FOUND.format(count=several(len(found), "finding", "findings")))
    return head + show.table(texts.FINDING_HEADS, rows)


def mending(finding: Finding) -> str:
    """What mends a finding, or who."""
    if finding.name in BY_TAG:
        return texts.BY_TAG
    return finding.fix or texts.BY_HAND


def spoken(name: str) -> str:
    """`near_copies` as a person says it."""
    return name.replace("_", " ")


def mendable(found: Sequence[Finding]) -> list[str]:
    """Names of what can be mended, spoken, in the order of mending."""
    names = {it.name for it in found if it.changes}
    return [spoken(name) for name in FIXABLE if name in names and name not in LATER]


def proposed(found: Sequence[Finding]) -> list[str]:
    """Those of `mendable` that need no look first."""
    return [name for name in mendable(found) if name not in map(spoken, MEASURED)]


def mend_work(folder: Path, names: Sequence[str], below: int, bench: Bench) -> Work:
    """Mend what is ticked, one operation of the journal a kind of finding; then look again."""

    def work(job: Job) -> Outcome:
        if folder not in bench.looks:
            look(folder, below, bench, job)
        seen, found = bench.looks[folder]
        made = 0
        for what, changes in by_finding(seen, found, names):
            applied = journal.apply_changes(folder, changes, job, what)
            made += len(applied.applied)
            for path, why in applied.failed:
                job.log(f"{path.name}: {why}")
            job.log(f"{what}: {several(len(applied.applied), 'file', 'files')}")
        bench.forget_look(folder)
        left = look(folder, below, bench, job)
        return Outcome(texts.MENDED.format(count=made, left=len(left)))

    return work


def by_finding(
    look: Look, found: Sequence[Finding], spoken_names: Sequence[str]
) -> list[tuple[str, list[Change]]]:
    """(name, changes) for each kind of finding; what mends two of them goes with the first."""
    names = [it for it in FIXABLE if spoken(it) in spoken_names]
    left = plan_fixes(look, names)
    groups: list[tuple[str, list[Change]]] = []
    for name in names:
        own = {(c.kind, c.path) for it in found if it.name == name for c in it.changes}
        mine = [it for it in left if (it.kind, it.path) in own]
        left = [it for it in left if (it.kind, it.path) not in own]
        groups += [(name, mine)] if mine else []
    return [*groups, *([("mend", left)] if left else [])]


Plan = Callable[[list[ImageFile]], list[Change]]


@dataclass(frozen=True)
class Tools:
    """The form of the step's tools."""

    below: int
    background: str
    to: str
    upscaler: str


def tool_plan(what: str, tools: Tools, folder: Path, host: Host) -> Plan:
    """A tool by the text on its button; UserError for a colour or an upscaler that is none."""
    taken = [*folder.iterdir()] if folder.is_dir() else []
    if what == texts.CONVERT:
        return lambda images: plans.plan_convert(images, tools.to, taken=taken)
    if what == texts.FLATTEN:
        checked_colour(tools.background)
        return lambda images: plans.plan_flatten(images, tools.background, taken=taken)
    if what == texts.SET_ASIDE:
        small = [*(folder / "small").iterdir()] if (folder / "small").is_dir() else []
        return lambda images: plans.plan_small(images, tools.below, taken=small)
    edit = Upscale(upscale_with(host, tools.upscaler), tools.below)

    def enlarge(images: list[ImageFile]) -> list[Change]:
        edit.try_out()
        return plans.plan_upscale(images, edit, tools.upscaler, taken)

    return enlarge


def tool_work(folder: Path, what: str, plan: Plan, bench: Bench) -> Work:
    """Use one tool on the whole dataset."""

    def work(job: Job) -> Outcome:
        journal.recover(folder)
        failed: list[tuple[Path, str]] = []
        changes = plan(scan_subset(folder, failed))
        applied = journal.apply_changes(folder, changes, job, what)
        for path, why in [*failed, *applied.failed]:
            job.log(f"{path.name}: {why}")
        bench.forget_look(folder)
        count = several(len(applied.applied), "file", "files")
        return Outcome(texts.CHANGED.format(what=what, count=count))

    return work


def inside(folder: Path, name: str) -> Path:
    """A picture of the dataset by its name; UserError for anything else."""
    path = folder / (name or "")
    if not name or Path(name).name != name or not path.is_file():
        raise UserError(texts.NO_PICTURE, name, texts.NO_PICTURE_TO_DO)
    return path


def undo(folder: Path, to: str | None = None) -> str:
    """Take the last operation back, or all after one; a sentence."""
    lines = journal.undo(folder, to)
    return "; ".join(line.strip() for line in lines) or texts.NOTHING_TO_UNDO


def past(folder: Path) -> str:
    """The operations on a dataset as HTML, the newest first, each to be gone back to."""
    try:
        entries = journal.history(folder)
    except (OSError, UserError):
        return ""
    standing = [it.id for it in entries if not it.undone]
    files = plain(texts.HISTORY_HEADS[2])
    rows = "".join(
        f"<tr><td>{plain(it.what)}</td><td>{plain(it.time.replace('T', ' ')[:16])}</td>"
        f'<td data-head="{files}">{it.changes}</td><td>{way_back(it, standing)}</td></tr>'
        for it in reversed(entries[-50:])
    )
    if not rows:
        return show.note(texts.NO_HISTORY)
    start = press("past", "back", texts.BACK_TO_START, to="0") if standing else ""
    heads = "".join(f'<th scope="col">{plain(it)}</th>' for it in texts.HISTORY_HEADS)
    return (
        f'<table class="lora_cook_table"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody>'
        f"</table>{start}"
    )


def way_back(entry: journal.Entry, standing: Sequence[str]) -> str:
    """What stands at the end of an operation's line."""
    if entry.undone:
        return plain(texts.UNDONE)
    if standing[-1:] == [entry.id]:
        return plain(texts.NEWEST)
    return press("past", "back", texts.BACK_TO, to=entry.id)


def kept(folder: Path) -> str:
    """What lies in the trash, in a sentence."""
    try:
        found = kept_originals(folder)
    except (OSError, UserError):
        return ""
    files, size = sum(it.files for it in found), sum(it.bytes for it in found)
    if not files:
        return show.note(texts.TRASH_EMPTY)
    told = texts.TRASH.format(files=several(files, "file", "files"), size=spoken_size(size))
    return show.note(told)


def empty(folder: Path) -> str:
    """Empty the trash for good; a sentence."""
    size = sum(it.bytes for it in empty_trash(folder))
    return texts.TRASH_EMPTIED.format(size=spoken_size(size))


def spoken_size(size: int) -> str:
    """Bytes as a person says them."""
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"
