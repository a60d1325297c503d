"""Sites by name, and what software runs at an address, found by asking it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import urlunsplit

from ..errors import UserError
from .addresses import split_url
from .danbooru import Danbooru
from .gelbooru import Gelbooru
from .keys import Keys, read_keys
from .moebooru import Moebooru
from .posts import Post
from .web import SiteError, Web


class Board(Protocol):
    """A site that can be searched."""

    @property
    def root(self) -> str:
        """Its address."""

    def total(self, query: str) -> int | None:
        """How many posts the search has; None if the site does not say."""

    def is_spoken(self) -> bool:
        """Whether the site is of this kind; SiteError where it does not let us know."""

    def pages(self, query: str) -> Iterator[list[Post]]:
        """The posts of a search, a page at a time."""

    def by_md5(self, md5: str) -> Post | None:
        """The post of a file."""

    def with_categories(self, post: Post) -> Post:
        """The post with its tags by category, as far as the site tells."""


@dataclass(frozen=True)
class Site:
    """A site that is known by name."""

    software: str
    root: str
    api: str = ""
    more: Mapping[str, str] = field(default_factory=dict)


SITES = {
    "danbooru": Site("danbooru", "https://danbooru.donmai.us"),
    "gelbooru": Site("gelbooru", "https://gelbooru.com", more={"json": "1"}),
    "safebooru": Site("gelbooru", "https://safebooru.org"),
    "rule34": Site(
        "gelbooru", "https://rule34.xxx", "https://api.rule34.xxx",
        {"json": "1", "fields": "tag_info"},
    ),
    "yandere": Site("moebooru", "https://yande.re"),
    "konachan": Site("moebooru", "https://konachan.com"),
    "tbib": Site("gelbooru", "https://tbib.org"),
    "xbooru": Site("gelbooru", "https://xbooru.com"),
    "hypnohub": Site("gelbooru", "https://hypnohub.net"),
    "aibooru": Site("danbooru", "https://aibooru.online"),
}  # fmt: skip

SOFTWARE: dict[str, Callable[[str, Web, Keys], Board]] = {
    "danbooru": Danbooru,
    "moebooru": Moebooru,
    "gelbooru": Gelbooru,
}
"""Asked in this order: each has an address that the ones before do not answer."""


def is_address(site: str) -> bool:
    """Whether a site is given by its address."""
    return "://" in site


def root_of(url: str) -> str:
    """The address of a site, from that of any of its usual pages."""
    parts = split_url(url)
    path = re.sub(r"/(index\.php|posts?(\.json|\.xml)?)?(/.*)?$", "", parts.path)
    return urlunsplit((parts.scheme, parts.netloc, path.rstrip("/"), "", ""))


def known_site(site: str) -> tuple[str, Site] | None:
    """The name and the entry of a site, given by its name or by an address on its host."""
    if not is_address(site):
        return (site.lower(), SITES[site.lower()]) if site.lower() in SITES else None
    host = split_url(site).hostname
    same = (it for it in SITES.items() if split_url(it[1].root).hostname == host)
    return next(same, None)


def open_board(site: str, web: Web, keys_file: Path) -> Board:
    """The board of a site; UserError where there is none, or where it is of another kind."""
    known = known_site(site)
    if known is not None:
        name, entry = known
        keys = read_keys(keys_file, name, entry.root, site)
        if entry.software == "gelbooru":
            return Gelbooru(entry.root, web, keys, entry.api, entry.more)
        return SOFTWARE[entry.software](entry.root, web, keys)
    if is_address(site):
        root = root_of(site)
        return _asked(root, web, read_keys(keys_file, root, site, split_url(root).netloc))
    raise UnknownSite(site)


class UnknownSite(UserError):
    """A site that none of ours can read; gallery-dl may."""

    def __init__(self, site: str) -> None:
        super().__init__(
            "This is no site that is known here", site,
            f"Known: {', '.join(SITES)}; or give an address, https://…",
        )  # fmt: skip


def _asked(root: str, web: Web, keys: Keys) -> Board:
    """The board at an address, found by asking it in the manner of each software."""
    trouble: SiteError | None = None
    for make in SOFTWARE.values():
        board = make(root, web, keys)
        try:
            if board.is_spoken():
                return board
        except SiteError as error:
            # a way that is closed or busy is there; one that breaks off may only be another's
            if error.status in (401, 403, 429, 503) or trouble is None:
                trouble = error
    if trouble is not None and (trouble.is_down or trouble.status in (401, 403)):
        raise trouble
    raise UnknownSite(root)


def short_name(site: str) -> str:
    """What file names begin with: a site's name, or its host without anything odd."""
    known = known_site(site)
    host = known[0] if known else (split_url(site).hostname or "site")
    return re.sub(r"[^a-z0-9]+", "-", host.lower()).strip("-")[:40] or "site"
