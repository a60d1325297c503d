"""Which of a post's tags are artists, characters, ..., where a site gives one undivided list."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from urllib.parse import parse_qs, urlsplit

from .posts import UNSORTED, Post
from .web import SiteError, Web

NUMBERS = {"0": "general", "1": "artist", "3": "copyright", "4": "character", "5": "meta"}
"""The numbers that Gelbooru's and Moebooru's tag lists use."""
_WORDS = {
    "artist": "artist", "circle": "artist", "character": "character", "copyright": "copyright",
    "series": "copyright", "meta": "meta", "metadata": "meta", "faults": "meta",
}  # fmt: skip


def category_of(kind: object) -> str:
    """The category behind a site's own number or word for it; general for all others."""
    text = str(kind).strip().lower()
    return NUMBERS.get(text) or _WORDS.get(text) or "general"


def sorted_tags(post: Post, known: dict[str, str], ask: Callable[[], dict[str, str]]) -> Post:
    """The post with its unsorted tags by category; `ask` is for those that are not known yet.

    Where asking does not help either, tags stay unsorted.
    """
    tags = post.tags.get(UNSORTED, ())
    if any(tag not in known for tag in tags):
        known.update(ask())
    found: dict[str, list[str]] = {}
    for tag in tags:
        found.setdefault(known.get(tag, UNSORTED), []).append(tag)
    return replace(post, tags={name: tuple(some) for name, some in found.items()})


def tags_of_page(web: Web, page: str) -> dict[str, str]:
    """Tag -> category from a post's own page; nothing where there is no such page."""
    try:
        text = web.read(page).decode("utf-8", "replace")
    except SiteError as error:
        if error.is_down:
            raise
        return {}
    return read_tag_list(text)


def read_tag_list(html: str) -> dict[str, str]:
    """Tag -> category from the list beside a picture, of Gelbooru 0.2 and of Moebooru.

    Its items have a class tag-type-KIND and a link to the search for the tag.
    """
    reader = _TagList()
    reader.feed(html)
    return reader.found


class _TagList(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self._kind = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        for word in values.get("class", "").split():
            if word.startswith("tag-type-"):
                self._kind = word.removeprefix("tag-type-")
        if tag == "a" and self._kind:
            query = parse_qs(urlsplit(values.get("href", "")).query)
            for name in query.get("tags", [])[:1]:
                self.found.setdefault(name, category_of(self._kind))

    def handle_endtag(self, tag: str) -> None:
        if tag in ("li", "ul"):
            self._kind = ""
