"""The step Gather without its widgets: what is there, and the work that brings more."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...config import CATEGORIES, GatherConfig, ImportConfig
from ...dataset import journal
from ...errors import UserError
from ...gather import local_files
from ...gather.archives import ENDINGS
from ...gather.gallery_dl import Missing, install_program
from ...gather.gather import Gathered, gather
from ...gather.refetch import Wish, plan_refetch
from ...gather.search import Home, open_search
from ...gather.sites import Board
from ...gather.web import Web
from ...jobs import Job
from .. import show, texts
from ..bench import Bench, Counted, Starter, named, several
from ..runner import Outcome, Work


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


def search_of(form: Sequence[Any], posts: Sequence[str] = ()) -> GatherConfig:
    """The form as a search, for these posts alone if any; UserError for what makes no sense.

    Query, site, limit, least side, blacklist, ratings, categories, whether the rating is a tag.
    """
    query, site, limit, least, blacklist, ratings, categories, rating_tag = form
    if not (query or "").strip():
        raise UserError(texts.NO_QUERY, "", texts.NO_QUERY_TO_DO)
    unwanted = tuple(line.strip() for line in (blacklist or "").splitlines() if line.strip())
    return GatherConfig(
        query=query.strip(), site=(site or "").strip(),
        limit=0 if posts else whole(limit, texts.LIMIT), min_size=whole(least, texts.MIN_SIZE),
        blacklist=unwanted, ratings=tuple(ratings or ()), posts=tuple(posts),
        categories=tuple(it for it in CATEGORIES if it in (categories or ())),
        rating_tag=bool(rating_tag),
    )  # fmt: skip


def whole(text: str, name: str) -> int:
    """A whole number, 0 where nothing stands; UserError for anything else."""
    if not (text or "").strip():
        return 0
    if not text.strip().isdigit():
        wanted = texts.WANTED["whole"]
        raise UserError(texts.IS_NOT.format(name=name, value=text, wanted=wanted))
    return int(text)


def opened(config: GatherConfig, home: Home, job: Job) -> tuple[Board, Web]:
    """The site that is meant; UserError that says how to get gallery-dl where that may know it."""
    try:
        return open_search(config, home, job)
    except Missing as error:
        raise UserError(error.what, error.where, texts.GET_GALLERY_DL) from None


def search_work(config: GatherConfig, folder: Path, bench: Bench, home: Home) -> Work:
    """Fetch what a search finds into the dataset."""

    def work(job: Job) -> Outcome:
        board, web = opened(config, home, job)
        folder.mkdir(parents=True, exist_ok=True)
        result = gather(config, folder, board, web)
        bench.forget_look(folder)
        return told(result, job)

    return work


def refetch_work(config: GatherConfig, folder: Path, bench: Bench, home: Home) -> Work:
    """Ask the sites for the tags of pictures at hand, and add what is new to the captions."""

    def work(job: Job) -> Outcome:
        failed: list[tuple[Path, str]] = []
        changes = plan_refetch(folder, config, home, Wish(job=job, failed=failed))
        applied = journal.apply_changes(folder, changes, job, "refetch")
        for path, why in [*failed, *applied.failed]:
            job.log(f"{path.name}: {why}")
        bench.forget_look(folder)
        count = several(len(applied.applied), "file", "files")
        return Outcome(texts.REFETCHED.format(count=count, failed=len(failed)))

    return work


def install_work(home: Home) -> Work:
    """Get gallery-dl into the person's own folder of programs."""

    def work(job: Job) -> Outcome:
        with job.stage(texts.INSTALLING):
            install_program(home.programs)
        return Outcome(texts.INSTALLED)

    return work


def dropped_work(files: Sequence[tuple[str, Path]], folder: Path, bench: Bench) -> Work:
    """Bring (name, file) that were dropped on the page, captions beside their pictures again."""

    def work(job: Job) -> Outcome:
        with tempfile.TemporaryDirectory() as place:
            pictures, sources = Path(place, "pictures"), []
            pictures.mkdir()
            for number, (name, file) in enumerate(files):
                to = pictures / Path(name).name
                if to.suffix.lower() in ENDINGS:
                    to = Path(place) / f"{number}{to.suffix.lower()}"
                    sources.append(to)
                shutil.copyfile(file, to)
            return bring_work([*sources, pictures], ImportConfig(), folder, bench)(job)

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
