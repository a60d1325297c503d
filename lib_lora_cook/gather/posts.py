"""One post of a site as a value, what is wanted of posts, and what is kept of one."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from ..config import CATEGORIES, RATINGS, GatherConfig
from ..dataset.captions import join_tags
from ..dataset.images import IMAGE_EXTENSIONS
from ..dataset.tags import dedupe_tags, spaces_for_underscores
from ..errors import UserError

UNSORTED = "unsorted"  # the category of tags whose category the site does not tell
SAFE = "safe"  # older software knows no difference between general and sensitive
NOT_CHOSEN = "not chosen"
_MD5 = re.compile(r"[0-9a-f]{32}")

Tags = Mapping[str, tuple[str, ...]]
"""Category -> tags in the site's spelling."""


@dataclass(frozen=True)
class Post:
    """What a site says of one picture; 0 and "" stand for what it does not say."""

    id: int | str
    file_url: str
    md5: str = ""
    tags: Tags = field(default_factory=dict)
    rating: str = ""
    width: int = 0
    height: int = 0
    file_size: int = 0
    extension: str = ""
    preview_url: str = ""
    page: str = ""
    source: str = ""
    score: int = 0
    created_at: str = ""

    @property
    def words(self) -> set[str]:
        """Every tag."""
        return {tag for tags in self.tags.values() for tag in tags}

    def as_json(self) -> dict[str, Any]:
        """The post as a preview shows it."""
        return {
            "post": self.id, "page": self.page, "preview_url": self.preview_url,
            "file_url": self.file_url, "width": self.width, "height": self.height,
            "rating": self.rating, "md5": self.md5, "tags": dict(self.tags),
        }  # fmt: skip


def valid_md5(value: object) -> str:
    """An md5 in small letters, or "" for anything else."""
    text = str(value or "").strip().lower()
    return text if _MD5.fullmatch(text) else ""


def extension_of(*names: str) -> str:
    """The extension of the first of these names or addresses that has one, with its dot."""
    for name in names:
        with suppress(ValueError):  # no address at all
            suffix = PurePosixPath(unquote(urlsplit(name).path)).suffix.lower()
            if re.fullmatch(r"\.[a-z0-9]{1,5}", suffix):
                return suffix
    return ""


def absolute(root: str, url: object) -> str:
    """An address that a site gives, also one without its host; "" for none."""
    try:
        return urljoin(root + "/", str(url)) if url else ""
    except ValueError:
        return str(url)  # whoever wants to go there is told that it is none


def entries(found: object) -> list[dict[str, Any]] | None:
    """The entries of a list that a site gives; None if it gives no list."""
    return [it for it in found if isinstance(it, dict)] if isinstance(found, list) else None


def number(value: object) -> int:
    """A number that a site has written somehow; 0 for anything else."""
    try:
        return int(str(value))
    except ValueError:
        return 0


def check_search(config: GatherConfig) -> None:
    """UserError for a rating or a category that does not exist."""
    for given, known, option in (
        (config.ratings, RATINGS, "--rating"),
        (config.categories, CATEGORIES, "--categories"),
    ):
        for name in given:
            if name not in known:
                raise UserError(f"There is no such thing as {name}", option, f"{', '.join(known)}.")


def why_not(post: Post, config: GatherConfig) -> str:
    """Why a post is left out, "" if it is wanted; what the site does not say is no reason."""
    if config.posts and str(post.id) not in config.posts:
        return NOT_CHOSEN
    if post.extension and post.extension not in IMAGE_EXTENSIONS:
        return f"no picture ({post.extension})"
    if config.ratings and post.rating and not _rated(post.rating, config.ratings):
        return f"rating {post.rating}"
    for line in config.blacklist:
        if line.split() and all(_has(post, word) for word in line.split()):
            return f"blacklist: {line}"
    sides = [side for side in (post.width, post.height) if side]
    if sides and min(sides) < config.min_size:
        return f"a side under {config.min_size} pixels"
    return ""


def _rated(rating: str, wanted: tuple[str, ...]) -> bool:
    return rating in wanted or (rating == SAFE and bool({"general", "sensitive"} & set(wanted)))


def _has(post: Post, word: str) -> bool:
    """Whether a word of the blacklist is true of a post: tag, -tag, rating:explicit."""
    word = word.lower()
    if word.startswith("-") and len(word) > 1:
        return not _has(post, word[1:])
    if word.startswith("rating:"):
        return bool(post.rating) and post.rating.startswith(word.removeprefix("rating:"))
    return word in post.words


def caption_of(post: Post, config: GatherConfig) -> str:
    """The tags of the wanted categories, in their order, spelt as captions are.

    Tags without a category stand where the general ones would.
    """
    wanted: list[str] = []
    for category in config.categories:
        wanted += post.tags.get(category, ())
        if category == "general":
            wanted += post.tags.get(UNSORTED, ())
    if config.rating_tag and post.rating:
        wanted.append(post.rating)
    spelt = [spaces_for_underscores(tag.replace(",", "")) for tag in wanted]
    return join_tags(dedupe_tags([tag for tag in spelt if tag.strip()]))


def sidecar_of(post: Post, site: str) -> str:
    """Where a picture comes from, as the JSON beside it; the same post gives the same text."""
    facts = {
        "site": site, "post": post.id, "page": post.page, "md5": post.md5, "source": post.source,
        "artist": list(post.tags.get("artist", ())), "rating": post.rating, "score": post.score,
        "width": post.width, "height": post.height, "created_at": post.created_at,
        "tags": {category: list(tags) for category, tags in sorted(post.tags.items()) if tags},
    }  # fmt: skip
    return json.dumps(facts, indent=1, ensure_ascii=False)
