"""Moebooru's API: posts, with the categories of their tags in the same answer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from .categories import TagBook, Way, category_of, tags_of_page
from .keys import Keys
from .posts import SAFE, UNSORTED, Post, Tags, absolute, entries, extension_of, number, valid_md5
from .web import PROBES, SiteError, Web

PER_PAGE = 100
_RATINGS = {"s": SAFE, "q": "questionable", "e": "explicit"}


@dataclass
class Moebooru:
    """A site that runs Moebooru."""

    root: str
    web: Web
    keys: Keys

    @cached_property
    def book(self) -> TagBook:
        """The categories of its tags: in its lists, or else on posts' pages."""
        return TagBook((Way(lambda post, unknown: tags_of_page(self.web, post)),))

    def total(self, query: str) -> int | None:
        """How many posts the search has; None if the site does not say."""
        try:
            text = self.web.read(
                self._url("/post.xml", {"tags": query, "limit": "1"}), tries=PROBES
            ).decode()
        except (SiteError, UnicodeDecodeError):
            return None
        count = re.search(r"<posts\b[^>]*\bcount=[\"'](\d+)", text)
        return int(count[1]) if count else None

    def pages(self, query: str) -> Iterator[list[Post]]:
        """The posts of a search, newest first, a page at a time."""
        for page in range(1, 10**6):
            posts = self._posts({"tags": query, "limit": str(PER_PAGE), "page": str(page)})
            if not posts:
                return
            yield posts

    def by_md5(self, md5: str) -> Post | None:
        """The post of this file."""
        return next(iter(self._posts({"tags": f"md5:{md5}", "limit": "1"})), None)

    def with_categories(self, post: Post) -> Post:
        """The post with its tags sorted."""
        return self.book.with_categories(post)

    def is_spoken(self) -> bool:
        """Whether the site is of this kind; SiteError where it does not let us know."""
        answer = self.web.read_json(self._url("/post.json", {"limit": "1"}), tries=PROBES)
        found = entries(answer)
        spoken = found is not None and all("tags" in it and "md5" in it for it in found)
        return spoken and found == answer

    def _posts(self, values: dict[str, str]) -> list[Post]:
        more = {"api_version": "2", "include_tags": "1"}  # the older answer is the list alone
        answer = self.web.read_json(self._url("/post.json", {**values, **more}))
        found = entries(answer)
        if isinstance(answer, dict):
            types = answer.get("tags")
            if isinstance(types, dict):
                self.book.known.update({tag: category_of(kind) for tag, kind in types.items()})
            found = entries(answer.get("posts"))
        if found is None:
            why = str(answer)[:200]
            raise SiteError(200, f"Moebooru does not take this search ({why})", self.root)
        return [self._post(it) for it in found]

    def _post(self, it: Mapping[str, Any]) -> Post:
        url = str(it.get("file_url") or "")
        tags: Tags = {UNSORTED: tuple(str(it.get("tags") or "").split())}
        return Post(
            id=number(it.get("id")),
            file_url=absolute(self.root, url),
            md5=valid_md5(it.get("md5")),
            tags=tags,
            rating=_RATINGS.get(str(it.get("rating") or "")[:1], ""),
            width=number(it.get("width")),
            height=number(it.get("height")),
            file_size=number(it.get("file_size")),
            extension=extension_of(url, f"x.{it.get('file_ext') or ''}"),
            preview_url=absolute(self.root, it.get("preview_url")),
            page=f"{self.root}/post/show/{it.get('id')}",
            source=str(it.get("source") or ""),
            score=number(it.get("score")),
            created_at=str(it.get("created_at") or ""),
        )

    def _url(self, path: str, values: dict[str, str]) -> str:
        secret = {name: self.keys[name] for name in ("login", "password_hash") if name in self.keys}
        return f"{self.root}{path}?{urlencode({**values, **secret})}"
