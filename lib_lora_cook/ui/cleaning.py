"""The step Clean without its widgets: what is wrong, what mends it, and the work that does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ..dataset import changes as plans
from ..dataset import journal
from ..dataset.changes import Change
from ..dataset.images import ImageFile, read_image_file, scan_subset
from ..dataset.look import Finding, Look, look_at
from ..dataset.report import FIXABLE, findings, plan_fixes
from ..errors import UserError
from ..jobs import Job
from . import show, texts
from .bench import Bench, named, several
from .runner import Outcome, Work

LATER = ("trigger_missing", "trigger_not_first")
"""Findings that the step Tag sees to."""
MEASURED = ("blurred", "compressed", "imbalance")
"""Findings that a person should look at first: a soft or compressed picture may be meant so."""


def look_work(folder: Path, below: int, bench: Bench) -> Work:
    """Look a dataset over, every picture decoded."""

    def work(job: Job) -> Outcome:
        found = look(folder, below, bench, job)
        return Outcome(texts.LOOKED.format(count=len(found)))

    return work


def look(folder: Path, below: int, bench: Bench, job: Job) -> list[Finding]:
    """What is wrong; the page shows it from now on."""
    with job.stage(texts.LOOKING):
        seen = look_at(folder, below, job)
    found = findings(seen)
    bench.looks[folder] = (seen, found)
    return found


def listed(found: Sequence[Finding]) -> str:
    """The findings as HTML: what, where, and what mending would change."""
    if not found:
        return show.note(texts.CLEAN_NOTHING)
    rows = [[spoken(it.name), named(it.files), it.why, it.fix or texts.BY_HAND] for it in found]
    head = show.note(texts.CLEAN_FOUND.format(count=several(len(found), "finding", "findings")))
    return head + show.table(texts.FINDING_HEADS, rows)


def spoken(name: str) -> str:
    """`near_copies` as a person says it."""
    return name.replace("_", " ")


def mendable(found: Sequence[Finding]) -> list[str]:
    """Names of what can be mended without asking, spoken, in the order of mending."""
    names = {it.name for it in found if it.changes}
    return [spoken(name) for name in FIXABLE if name in names and name not in LATER + MEASURED]


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


def tool_plans(below: int, background: str, folder: Path) -> dict[str, Plan]:
    """The step's tools by the texts on their buttons."""
    taken = [*folder.iterdir()] if folder.is_dir() else []
    small = [*(folder / "small").iterdir()] if (folder / "small").is_dir() else []
    return {
        texts.TO_PNG: lambda images: plans.plan_convert(images, taken=taken),
        texts.FLATTEN: lambda images: plans.plan_flatten(images, background, taken=taken),
        texts.SET_ASIDE: lambda images: plans.plan_small(images, below, taken=small),
    }


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


def crop_one(folder: Path, name: str, box: str, copy: bool) -> str:
    """Cut one picture of the dataset; a sentence. UserError for no such picture, no such box."""
    path = inside(folder, name)
    try:
        left, top, right, bottom = (int(part) for part in box.replace(" ", "").split(","))
    except ValueError:
        raise UserError(texts.NO_BOX, box, texts.NO_BOX_TO_DO) from None
    changes = plans.plan_crop(
        read_image_file(path), (left, top, right, bottom), copy, list(folder.iterdir())
    )
    applied = journal.apply_changes(folder, changes, what="crop")
    if applied.failed:
        raise UserError(applied.failed[0][1], path.name)
    return texts.CHANGED.format(what="crop", count=path.name)


def inside(folder: Path, name: str) -> Path:
    """A picture of the dataset by its name; UserError for anything else."""
    path = folder / (name or "")
    if not name or Path(name).name != name or not path.is_file():
        raise UserError(texts.NO_PICTURE, name, texts.NO_PICTURE_TO_DO)
    return path


def undo(folder: Path) -> str:
    """Take the last operation back; a sentence."""
    lines = journal.undo(folder)
    return "; ".join(line.strip() for line in lines) or texts.NOTHING_TO_UNDO


def past(folder: Path) -> str:
    """The operations on a dataset as HTML, the newest first."""
    try:
        entries = journal.history(folder)
    except (OSError, UserError):
        return ""
    rows = [
        [it.id, it.what, it.time.replace("T", " ")[:16], str(it.changes),
         texts.UNDONE if it.undone else ""]
        for it in reversed(entries[-50:])
    ]  # fmt: skip
    return show.table(texts.HISTORY_HEADS, rows) if rows else show.note(texts.NO_HISTORY)
