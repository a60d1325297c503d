"""Danbooru's API (2.x): posts with their tags by category."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from .keys import Keys
from .posts import Post, absolute, entries, extension_of, number, valid_md5
from .web import PROBES, TRIES, SiteError, Web, basic_auth

PER_PAGE = 200  # the most that the site gives at once
LAST_PAGE = 1000  # for page=N; beyond, page=bID goes on below the post ID
_CATEGORIES = ("general", "artist", "character", "copyright", "meta")
_RATINGS = {"g": "general", "s": "sensitive", "q": "questionable", "e": "explicit"}


@dataclass(frozen=True)
class Danbooru:
    """A site that runs Danbooru."""

    root: str
    web: Web
    keys: Keys

    def total(self, query: str) -> int | None:
        """How many posts the search has; None if the site does not say."""
        try:
            answer = self._json("/counts/posts.json", {"tags": query}, PROBES)
            return int(answer["counts"]["posts"])
        except (SiteError, ValueError, TypeError, KeyError):
            return None

    def pages(self, query: str) -> Iterator[list[Post]]:
        """The posts of a search, newest first, a page at a time."""
        page, last = "1", 0
        for count in range(1, 10**6):
            asked = {"tags": query, "limit": str(PER_PAGE), "page": page}
            answer = self._json("/posts.json", asked)
            found = entries(answer)
            if found is None:
                why = str(answer)[:200]
                raise SiteError(200, f"Danbooru does not take this search ({why})", self.root)
            if not found:
                return
            yield [self.post(it) for it in found]
            before, last = last, number(found[-1].get("id"))
            if count < LAST_PAGE:
                page = str(count + 1)
            elif "order:" in query or last == before:
                return
            else:
                page = f"b{last}"

    def by_md5(self, md5: str) -> Post | None:
        """The post of this file."""
        found = entries(self._json("/posts.json", {"tags": f"md5:{md5}", "limit": "1"}))
        return self.post(found[0]) if found else None

    def is_spoken(self) -> bool:
        """Whether the site is of this kind; SiteError where it does not let us know."""
        answer = self._json("/posts.json", {"limit": "1"}, PROBES)
        found = entries(answer)
        return found is not None and all("tag_string" in it for it in found) and found == answer

    def with_categories(self, post: Post) -> Post:
        """The post itself: the list says it all."""
        return post

    def post(self, it: dict[str, Any]) -> Post:
        """One post of posts.json; what only members may see has no file_url and no md5."""
        url = str(it.get("file_url") or "")
        return Post(
            id=number(it.get("id")),
            file_url=absolute(self.root, url),
            md5=valid_md5(it.get("md5")),
            tags={
                name: tuple(str(it.get(f"tag_string_{name}") or "").split()) for name in _CATEGORIES
            },
            rating=_RATINGS.get(str(it.get("rating") or "")[:1], ""),
            width=number(it.get("image_width")),
            height=number(it.get("image_height")),
            file_size=number(it.get("file_size")),
            extension=extension_of(url, f"x.{it.get('file_ext') or ''}"),
            preview_url=absolute(self.root, it.get("preview_file_url")),
            page=f"{self.root}/posts/{it.get('id')}",
            source=str(it.get("source") or ""),
            score=number(it.get("score")),
            created_at=str(it.get("created_at") or ""),
        )

    def _json(self, path: str, values: dict[str, str], tries: int = TRIES) -> Any:
        login, key = self.keys.get("login", ""), self.keys.get("api_key", "")
        url = f"{self.root}{path}?{urlencode(values)}"
        if not (login and key):
            return self.web.read_json(url, tries=tries)
        try:
            return self.web.read_json(url, basic_auth(login, key), tries)
        except SiteError as error:
            if error.status != 401:
                raise
        # older software takes them in the address alone
        return self.web.read_json(f"{url}&{urlencode({'login': login, 'api_key': key})}")
