"""Which pictures are gathered, and what their captions say."""

from __future__ import annotations

from dataclasses import dataclass

from .settings import setting

CATEGORIES = ("character", "general", "copyright", "artist", "meta")
RATINGS = ("general", "sensitive", "questionable", "explicit")


@dataclass(frozen=True, kw_only=True)
class GatherConfig:
    """A search on a site, and how its pictures come into a dataset."""

    query: str = setting("", "Tags to search for, as the site itself takes them")
    site: str = setting("danbooru", "A site's name, or the address of one")
    limit: int = setting(0, "The first N posts that fit; 0: all", low=0)
    posts: tuple[str, ...] = setting((), "Only the posts of these numbers")
    blacklist: tuple[str, ...] = setting(
        (), "Leave out posts with one of these tags; of several words, with all of them"
    )
    ratings: tuple[str, ...] = setting(
        (), f"Only posts of these ratings ({', '.join(RATINGS)}); none given: any"
    )
    min_size: int = setting(0, "Leave out pictures with a side under N pixels", low=0)
    max_megabytes: float = setting(50.0, "Leave out files larger than this", low=0.001)
    categories: tuple[str, ...] = setting(
        ("character", "general"), f"Tags for captions, in this order: {', '.join(CATEGORIES)}"
    )
    rating_tag: bool = setting(False, "The rating stands in the caption too")
    interval: float = setting(
        0.5, "Seconds between two requests to one server; none for a server of your own", low=0
    )
    allow: tuple[str, ...] = setting(
        (), "Servers on this computer or its network that may be reached, as host or host:port"
    )


@dataclass(frozen=True, kw_only=True)
class ImportConfig:
    """Pictures from this computer: a folder, the person's own generations, an archive."""

    source: str = setting("", "A folder with pictures, or a zip or tar file of them")
    prompt: str = setting("", "Only generations whose prompt has these words, between commas")
    model: str = setting("", "Only generations with this model: a part of its name, or its hash")
    max_megabytes: float = setting(50.0, "Leave out files larger than this", low=0.001)
