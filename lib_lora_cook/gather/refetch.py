"""Tags again for pictures at hand: their posts found by md5, where they came from or on one site.

A picture's md5 is that of the file it came as, which its sidecar knows even after an edit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..config import GatherConfig
from ..dataset.captions import read_caption, split_tags
from ..dataset.changes import Change, When, plan_tags
from ..dataset.images import Failure, ImageFile, scan_captions
from ..errors import UserError
from ..jobs import Job, null_job
from .download import md5_of
from .intake import read_origin
from .posts import Post, caption_of, check_search, sidecar_of, valid_md5
from .search import Home, open_search
from .sites import Board
from .web import SiteError


@dataclass(frozen=True)
class Wish:
    """Where the tags go in captions that are there, who watches, and what could not be found."""

    when: When = "append"
    job: Job = null_job
    failed: list[Failure] = field(default_factory=list)


def plan_refetch(folder: Path, config: GatherConfig, home: Home, wish: Wish) -> list[Change]:
    """The changes that bring captions and sidecars up to what the sites say now.

    `config.site` is where to look for all; "" looks for each picture where it came from.
    """
    check_search(config)
    images = scan_captions(folder, wish.failed)
    found: dict[Path, list[str]] = {}
    sidecars: list[Change] = []
    for image, post, root in _posts(images, config, home, wish):
        found[image.path] = split_tags(caption_of(post, config))
        path = image.path.with_suffix(".json")
        old, new = read_caption(path), sidecar_of(post, root)
        if old != new:
            sidecars.append(Change("caption", path, f"post {post.id}", path, before=old, after=new))
    return [*plan_tags(images, found, wish.when), *sidecars]


def _posts(
    images: list[ImageFile], config: GatherConfig, home: Home, wish: Wish
) -> Iterator[tuple[ImageFile, Post, str]]:
    """Each picture with its post and the site's address; those without are named."""
    boards: dict[str, Board] = {}
    for done, image in enumerate(images):
        wish.job.check()
        wish.job.report(done + 1, len(images), image.path.name)
        origin = read_origin(image.path.with_suffix(".json"))
        site = config.site or str(origin.get("site") or "")
        try:
            if not site:
                raise UserError("Nothing says where it is from", "", "Give --site.")
            if site not in boards:
                boards[site] = _open(site, config, home, wish.job)
            board = boards[site]
            post = board.by_md5(valid_md5(origin.get("md5")) or md5_of(image.path))
            if post is None:
                raise UserError("The site has no post of this file", site)
            yield image, board.with_categories(post), board.root
        except UserError as error:
            if isinstance(error, SiteError) and (error.is_down or error.status == 401):
                raise
            wish.failed.append((image.path, str(error)))


def _open(site: str, config: GatherConfig, home: Home, job: Job) -> Board:
    """A board; an address from a sidecar is not one that the person has named.

    It may have come with an archive from anywhere, so it must not lead to this computer.
    """
    return open_search(replace(config, site=site), home, job, named=bool(config.site))[0]
