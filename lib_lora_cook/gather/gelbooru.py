"""The API of Gelbooru 0.2 and of gelbooru.com itself, in XML or JSON, whichever comes back.

XML: `<posts count="107" offset="0"><post id="1" md5="..." tags="a b" .../></posts>`; gelbooru.com
has child elements instead of attributes. JSON: a list of posts without a count, or gelbooru.com's
`{"@attributes": {"count": 107}, "post": [...]}`; nothing at all for an empty search.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

from .categories import TagBook, Way, category_of, tags_of_page
from .keys import Keys
from .posts import SAFE, UNSORTED, Post, absolute, entries, extension_of, number, valid_md5
from .web import PROBES, TRIES, SiteError, Web, in_words

PER_PAGE = 100
DEEPEST = 20_000  # posts that page numbers reach; further down goes id:<ID
_NAMES = 100  # tags asked for at once
_RATINGS = {
    "s": SAFE, "safe": SAFE, "g": "general", "general": "general", "sensitive": "sensitive",
    "q": "questionable", "questionable": "questionable", "e": "explicit", "explicit": "explicit",
}  # fmt: skip


@dataclass
class Gelbooru:
    """A site that runs Gelbooru; `root` is where people look, `api` where programs ask."""

    root: str
    web: Web
    keys: Keys
    api: str = ""
    more: Mapping[str, str] = field(default_factory=dict)
    """What else this site wants in a question."""

    @cached_property
    def book(self) -> TagBook:
        """The categories of its tags: asked by name, read from posts' pages, or one at a time."""
        return TagBook((
            Way(lambda post, unknown: self._types(unknown, "names", _NAMES)),
            Way(lambda post, unknown: tags_of_page(self.web, post)),
            Way(lambda post, unknown: self._types(unknown, "name", 1)),
        ))  # fmt: skip

    def total(self, query: str) -> int | None:
        """How many posts the search has; None if the site does not say."""
        return self._ask({"tags": query, "limit": "1", "pid": "0"}, {}).count

    def pages(self, query: str) -> Iterator[list[Post]]:
        """The posts of a search, newest first, a page at a time."""
        tags, pid, size, last = query, 0, 0, 0
        while True:
            asked = {"tags": tags, "limit": str(PER_PAGE), "pid": str(pid)}
            found = self._ask(asked, self.more).posts
            if not found:
                return
            yield [self.post(it) for it in found]
            size = max(size, len(found))
            before, last = last, number(found[-1].get("id"))
            pid += 1
            if pid * size >= DEEPEST:
                if "sort:" in query or last == before:
                    return
                tags, pid = f"{query} id:<{last}".strip(), 0

    def by_md5(self, md5: str) -> Post | None:
        """The post of this file."""
        found = self._ask({"tags": f"md5:{md5}", "limit": "1"}, self.more).posts
        return self.post(found[0]) if found else None

    def with_categories(self, post: Post) -> Post:
        """The post with its tags sorted."""
        return self.book.with_categories(post)

    def is_spoken(self) -> bool:
        """Whether the site is of this kind; SiteError where it does not let us know."""
        try:
            answer = self._ask({"limit": "1"}, {}, tries=PROBES)
        except NotGelbooru:
            return False
        return answer.count is not None or bool(answer.posts)

    def post(self, it: Mapping[str, Any]) -> Post:
        """One post of the list."""
        url = str(it.get("file_url") or "")
        if not url and it.get("directory") is not None and it.get("image"):
            url = f"{self.root}/images/{it['directory']}/{it['image']}"  # 0.2's older JSON
        for tag in entries(it.get("tag_info")) or ():
            self.book.known[str(tag.get("tag"))] = category_of(tag.get("type"))
        return Post(
            id=number(it.get("id")),
            file_url=absolute(self.root, url),
            md5=valid_md5(it.get("md5") or it.get("hash")),
            tags={UNSORTED: tuple(str(it.get("tags") or "").split())},
            rating=_RATINGS.get(str(it.get("rating") or "").lower(), ""),
            width=number(it.get("width")),
            height=number(it.get("height")),
            extension=extension_of(str(it.get("image") or ""), url),
            preview_url=absolute(self.root, it.get("preview_url")),
            page=f"{self.root}/index.php?page=post&s=view&id={it.get('id')}",
            source=str(it.get("source") or ""),
            score=number(it.get("score")),
            created_at=str(it.get("created_at") or it.get("change") or ""),
        )

    def _types(self, tags: list[str], option: str, count: int) -> dict[str, str]:
        """Tag -> category, asked for so many at once."""
        found: dict[str, str] = {}
        for start in range(0, len(tags), count):
            some = tags[start : start + count]
            asked = {option: " ".join(some), "limit": str(count)}
            answer = self._ask(asked, self.more, "tag", PROBES)
            types = {str(it.get("name")): category_of(it.get("type")) for it in answer.posts}
            found |= {tag: types[tag] for tag in some if tag in types}
            if not found:
                break  # a site that takes no such question
        return found

    def _ask(
        self, values: Mapping[str, str], more: Mapping[str, str], what: str = "post",
        tries: int = TRIES,
    ) -> Answer:  # fmt: skip
        start = {"page": "dapi", "s": what, "q": "index"}
        names = ("user_id", "api_key")
        secret = {name: self.keys[name] for name in names if name in self.keys}
        query = urlencode({**start, **more, **values, **secret})
        url = f"{self.api or self.root}/index.php?{query}"
        return read_answer(self.web.read(url, tries=tries), self.root)


class NotGelbooru(SiteError):
    """An answer that no Gelbooru gives."""

    def __init__(self, where: str) -> None:
        super().__init__(200, "This is not what Gelbooru answers", where, "Check the address.")


@dataclass(frozen=True)
class Answer:
    """A list of posts or tags, and how many there are in all, where that is said."""

    posts: Sequence[Mapping[str, Any]]
    count: int | None = None


def read_answer(data: bytes, where: str) -> Answer:
    """The list in an answer of any of the kinds above; SiteError for a refusal or anything else."""
    text = data.decode("utf-8", "replace").strip()
    if not text:
        return Answer([])
    if text.startswith("<"):
        return _from_xml(text, where)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = text
    if isinstance(found, str):
        raise _refusal(found, where)
    if isinstance(found, dict):
        if found.get("success") in (False, "false"):
            raise _refusal(str(found.get("message") or found.get("reason") or ""), where)
        attributes = found.get("@attributes")
        count = attributes.get("count") if isinstance(attributes, dict) else None
        if count is None and "post" not in found and "tag" not in found:
            raise NotGelbooru(where)
        found = found.get("post") or found.get("tag") or []
        listed = entries(found if isinstance(found, list) else [found]) or []
        return Answer(listed, None if count is None else number(count))
    if not isinstance(found, list) or not all(isinstance(it, dict) for it in found):
        raise NotGelbooru(where)
    return Answer(found)


def _from_xml(text: str, where: str) -> Answer:
    if "<!DOCTYPE" in text[:2000] or "<!ENTITY" in text:  # a web page, or a trap for parsers
        raise NotGelbooru(where)
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise NotGelbooru(where) from error
    if root.tag in ("error", "response"):
        raise _refusal(root.get("reason") or root.text or "", where)
    if root.tag not in ("posts", "tags"):
        raise NotGelbooru(where)
    posts = [{**it.attrib, **{part.tag: part.text or "" for part in it}} for it in root]
    count = root.get("count")
    return Answer(posts, None if count is None else number(count))


def _refusal(reason: str, where: str) -> SiteError:
    if "authentication" in reason.lower():
        return in_words(401, where)
    if not reason or len(reason) > 300:
        return NotGelbooru(where)
    return SiteError(200, f"The site refuses the search ({reason.strip()})", where)
