"""Which of a post's tags are artists, characters, ..., where a site gives one undivided list."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from urllib.parse import parse_qs, urlsplit

from .posts import UNSORTED, Post
from .web import PROBES, SiteError, Web

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


@dataclass
class Way:
    """A way to ask a site; one that has never worked is not gone again."""

    ask: Callable[[Post, list[str]], dict[str, str]]
    """A post and those of its tags that are unknown -> tag -> category."""
    works: bool | None = None

    def found(self, post: Post, unknown: list[str]) -> dict[str, str]:
        """What the site tells; SiteError where it has told before, and now does not answer."""
        if self.works is False or not unknown:
            return {}
        try:
            found = self.ask(post, unknown)
        except SiteError as error:
            if self.works and error.is_down:
                raise
            found = {}
        self.works = self.works or bool(found)
        return found


@dataclass
class TagBook:
    """What is known of a site's tags, and the ways to learn more, the cheapest first."""

    ways: tuple[Way, ...]
    known: dict[str, str] = field(default_factory=dict)
    """Tag -> category."""

    def with_categories(self, post: Post) -> Post:
        """The post with its unsorted tags by category; what no way tells stays unsorted."""
        tags = post.tags.get(UNSORTED, ())
        for way in self.ways:
            unknown = [tag for tag in tags if tag not in self.known]
            self.known.update(way.found(post, unknown))
        found: dict[str, list[str]] = {}
        for tag in tags:
            found.setdefault(self.known.get(tag, UNSORTED), []).append(tag)
        return replace(post, tags={name: tuple(some) for name, some in found.items()})


def tags_of_page(web: Web, post: Post) -> dict[str, str]:
    """Tag -> category from a post's own page."""
    return read_tag_list(web.read(post.page, tries=PROBES).decode("utf-8", "replace"))


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
