"""The step Gather without its widgets: what is there, and the work that brings more."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..config import GatherConfig, ImportConfig
from ..errors import UserError
from ..gather import local_files
from ..gather.gather import Gathered, gather, preview
from ..gather.search import home_in, open_search
from ..hosts.base import default_home
from ..jobs import Job, null_job
from . import show, texts
from .bench import Bench, Counted, Starter, named, several
from .runner import Outcome, Work


def found(there: Counted) -> str:
    """What lies in the dataset, as HTML."""
    if there.problem:
        return show.problems([there.problem])
    if not there.images:
        return show.note(texts.GATHER_EMPTY)
    pictures = several(len(there.images), "picture", "pictures")
    text = texts.GATHER_FOUND.format(pictures=pictures, captions=there.captioned)
    if there.failed:
        names = named([path for path, _ in there.failed])
        text += " " + texts.UNREAD.format(count=len(there.failed), names=names)
    return show.note(text)


def search_of(query: str, site: str, limit: str, blacklist: str, ratings: Sequence[str]) -> Any:
    """The form as a search; UserError for what makes no sense."""
    if not (query or "").strip():
        raise UserError(texts.NO_QUERY, "", texts.NO_QUERY_TO_DO)
    try:
        most = int(limit or 0)
    except ValueError:
        what = texts.IS_NOT.format(name="limit", value=limit, wanted=texts.WANTED["whole"])
        raise UserError(what) from None
    unwanted = tuple(line.strip() for line in (blacklist or "").splitlines() if line.strip())
    return GatherConfig(
        query=query.strip(), site=(site or "").strip(), limit=most, blacklist=unwanted,
        ratings=tuple(ratings or ()),
    )  # fmt: skip


def preview_of(config: GatherConfig, job: Job = null_job) -> str:
    """What a search finds, as HTML: the total and the first posts. No picture is fetched."""
    board, _ = open_search(config, home_in(default_home()), job)
    told = preview(config, board)
    total = texts.UNKNOWN_TOTAL if told["total"] is None else f"{told['total']:,}"
    rows = [
        [str(it["post"]), f"{it['width']}×{it['height']}", str(it.get("page", ""))]
        for it in told["posts"]
    ]
    head = show.note(texts.PREVIEW.format(total=total, count=len(rows)))
    return head + show.table(texts.PREVIEW_HEADS, rows)


def search_work(config: GatherConfig, folder: Path, bench: Bench) -> Work:
    """Fetch what a search finds into the dataset."""

    def work(job: Job) -> Outcome:
        board, web = open_search(config, home_in(default_home()), job)
        folder.mkdir(parents=True, exist_ok=True)
        result = gather(config, folder, board, web)
        bench.forget_look(folder)
        return told(result, job)

    return work


def bring_work(sources: list[Path], config: ImportConfig, folder: Path, bench: Bench) -> Work:
    """Bring folders, archives or generations into the dataset."""

    def work(job: Job) -> Outcome:
        result = local_files.bring(config, sources, folder, job)
        bench.forget_look(folder)
        return told(result, job)

    return work


def draw_work(starter: Starter, folder: Path, bench: Bench) -> Work:
    """Draw the toy world's pictures into an empty folder."""

    def work(job: Job) -> Outcome:
        with job.stage(texts.DRAWING):
            starter.draw(folder)
        bench.forget_look(folder)
        return Outcome(texts.DRAWN)

    return work


def told(result: Gathered, job: Job) -> Outcome:
    """What has come, and in the log why the rest has not."""
    for why, count in result.skipped.items():
        job.log(texts.LEFT_OUT.format(count=count, why=why))
    for post, why in result.failed:
        job.log(f"{post}: {why}")
    text = texts.GATHERED.format(
        found=result.found, saved=result.saved, skipped=sum(result.skipped.values()),
        failed=len(result.failed),
    )  # fmt: skip
    return Outcome(f"{text} {result.stopped}".strip(), stopped=bool(result.stopped))
