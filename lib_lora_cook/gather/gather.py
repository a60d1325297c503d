"""A search on a site into a dataset: what fits is fetched once, captioned, and can be undone."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

from ..config import GatherConfig, out_of_bounds
from ..dataset.changes import Change
from ..dataset.images import IMAGE_EXTENSIONS, read_image_file
from ..errors import UserError
from .download import Fetcher, md5_of
from .intake import Intake, open_intake, origin_key
from .posts import NOT_CHOSEN, Post, caption_of, check_search, sidecar_of, why_not
from .sites import Board, short_name
from .web import SiteError, Web

PREVIEWED = 24
SEEN = "seen before"
_PATIENCE = 3  # posts in a row that a site does not answer for
_EXTENSIONS = {
    "PNG": ".png", "JPEG": ".jpg", "MPO": ".jpg", "WEBP": ".webp", "GIF": ".gif", "BMP": ".bmp",
    "AVIF": ".avif", "TIFF": ".tif",
}  # fmt: skip


@dataclass
class Gathered:
    """What became of a search; `skipped` by the reason, `stopped` is why it ended early."""

    found: int = 0
    saved: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    failed: list[tuple[int | str, str]] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    stopped: str = ""

    def as_json(self) -> dict[str, Any]:
        """The result as other programs are shown it."""
        result = {
            "found": self.found, "saved": self.saved, "skipped": sum(self.skipped.values()),
            "failed": [{"post": post, "why": why} for post, why in self.failed],
        }  # fmt: skip
        return {**result, "stopped": self.stopped} if self.stopped else result


def check(config: GatherConfig) -> None:
    """UserError for a search that makes no sense."""
    check_search(config)
    wrong = out_of_bounds(config)
    if wrong:
        raise UserError(wrong[0], "gather")


def preview(config: GatherConfig, board: Board, count: int = PREVIEWED) -> dict[str, Any]:
    """The first posts that fit, and how many the search has in all; nothing is fetched."""
    check(config)
    total = board.total(config.query)
    posts: list[Post] = []
    for page in board.pages(config.query):
        posts += [post for post in page if not why_not(post, config)]
        if len(posts) >= count or not page:
            break
    return {"total": total, "posts": [post.as_json() for post in posts[:count]]}


def gather(
    config: GatherConfig, out: Path, board: Board, web: Web, dry_run: bool = False
) -> Gathered:
    """Fetch what fits and is not there yet.

    Raises UserError where the search itself fails, and then nothing has changed; later troubles
    are told in `failed` and `stopped`. Raises Cancelled once asked to stop; what was saved stays.
    """
    check(config)
    total = board.total(config.query)
    pages = board.pages(config.query)
    first = next(pages, [])
    if not first:
        return Gathered()
    with open_intake(out, "gather", web.job, dry_run) as intake:
        worker = _Worker(config, board, web, intake, total)
        worker.work(chain([first], pages))
        intake.keep_incoming = bool(worker.result.stopped)
    return worker.finished()


class _Worker:
    def __init__(
        self, config: GatherConfig, board: Board, web: Web, intake: Intake, total: int | None
    ) -> None:
        self.config, self.board, self.web, self.intake = config, board, web, intake
        self.total = total
        self.result = Gathered()
        self.fetcher = Fetcher(web, intake.incoming, round(config.max_megabytes * 2**20))
        self.start = time.monotonic()
        self.listed = self.fitting = self.down = 0
        self.ids: dict[Path, int | str] = {}
        self.seen_posts: set[int | str] = set()

    def work(self, pages: Iterable[list[Post]]) -> None:
        """Go through the posts until they end, enough are there, or the site is gone."""
        for post in self._posts(pages):
            self.listed += 1
            why = why_not(post, self.config)
            if why:
                self.result.skipped[why] += why != NOT_CHOSEN
                continue
            if self.config.limit and self.fitting >= self.config.limit:
                self.listed -= 1
                return
            self.fitting += 1
            self._take(post)
            self._report()
            if self.down >= _PATIENCE:
                self.result.stopped = "the site does not answer any more"
                return
            if self.config.posts and self.fitting >= len(self.config.posts):
                return

    def finished(self) -> Gathered:
        """The result once everything is on the disk."""
        result = self.result
        result.changes = self.intake.changes
        result.saved = 0 if self.intake.dry_run else len(result.changes)
        result.failed += [(self.ids[path], why) for path, why in self.intake.failed]
        cut = bool(result.stopped or self.config.limit or self.config.posts)
        result.found = max(self.listed, self.total or 0) if cut else self.listed
        return result

    def _posts(self, pages: Iterable[list[Post]]) -> Iterator[Post]:
        """Each post once, though pages overlap where posts come in meanwhile."""
        try:
            for page in pages:
                new = [post for post in page if post.id not in self.seen_posts]
                self.seen_posts |= {post.id for post in new}
                if not new:
                    return  # a site that gives the same page for ever
                yield from new
        except SiteError as error:
            self.result.stopped = str(error)

    def _take(self, post: Post) -> None:
        self.web.job.check()
        if (post.md5 or origin_key(self.board.root, post.id)) in self.intake.seen:
            self.result.skipped[SEEN] += 1
            return
        try:
            change, md5 = self._fetched(post)
            self.down = 0
        except SiteError as error:
            self.down = self.down + 1 if error.is_down else 0
            self._failed(post, str(error))
        except UserError as error:
            self._failed(post, str(error))
        else:
            if change is not None:
                self.intake.take(change, md5, origin_key(self.board.root, post.id))

    def _failed(self, post: Post, why: str) -> None:
        self.result.failed.append((post.id, why))
        self.web.job.log(f"post {post.id}: {why}")

    def _fetched(self, post: Post) -> tuple[Change | None, str]:
        """The picture to take in, None if there turns out to be no need, and its md5."""
        if not post.file_url:
            raise UserError("The site shows no file", post.page, "It may be for members only.")
        if self.intake.dry_run:
            return self._arrival(post, None), post.md5
        file = self.fetcher.fetch(post)
        md5 = post.md5 or md5_of(file)
        post, why = self._measured(replace(post, md5=md5), file)
        if md5 in self.intake.seen:
            why = SEEN
        if why:
            file.unlink(missing_ok=True)
            self.result.skipped[why] += 1
            return None, md5
        return self._arrival(self.board.with_categories(post), file), md5

    def _measured(self, post: Post, file: Path) -> tuple[Post, str]:
        """The post with what only the file itself tells, and why it does not fit after all."""
        if post.width and post.height and post.extension:
            return post, ""
        image = read_image_file(file)
        extension = post.extension or _EXTENSIONS.get(image.format, "")
        post = replace(post, width=image.width, height=image.height, extension=extension)
        return post, why_not(post, self.config) if extension else f"no picture ({image.format})"

    def _arrival(self, post: Post, file: Path | None) -> Change:
        stem = f"{short_name(self.board.root)}_{re.sub(r'[^A-Za-z0-9]+', '-', str(post.id))}"
        extension = post.extension if post.extension in IMAGE_EXTENSIONS else ".png"
        path = self.intake.free(stem, extension)
        self.ids[path] = post.id
        return Change(
            "add", path, f"post {post.id} of {self.board.root}", path, source=file,
            after=caption_of(post, self.config), sidecar=sidecar_of(post, self.board.root),
        )  # fmt: skip

    def _report(self) -> None:
        ends = [it for it in (self.config.limit, len(self.config.posts), self.total) if it]
        seconds = max(time.monotonic() - self.start, 1e-3)
        pace = self.fetcher.received / seconds / 2**20
        done = self.fitting if self.config.limit or self.config.posts else self.listed
        self.web.job.report(done, max(done, min(ends, default=0)), f"{pace:.1f} MB/s")
