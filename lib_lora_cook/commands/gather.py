"""`gather`: pictures into a dataset, from a booru or from this computer."""

from __future__ import annotations

import argparse
import getpass
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import CATEGORIES, RATINGS, GatherConfig, ImportConfig
from ..dataset.images import Failure
from ..errors import UserError
from ..hosts.base import default_home
from ..jobs import ConsoleJob
from .base import Verbs, add_verb
from .changing import add_dry_run, listed, make, recover, shown, tell_changes

if TYPE_CHECKING:
    from ..gather.gather import Gathered

_DEFAULT = GatherConfig()


def add_verbs(verbs: Verbs) -> None:
    """`gather`."""
    parser = add_verb(
        verbs, "gather", gather, "Pictures with captions into a dataset.",
        'lora-cook gather "kafka_(honkai:_star_rail) solo" --site danbooru --out datasets/kafka',
    )  # fmt: skip
    parser.add_argument("query", nargs="?", metavar="QUERY", help="tags, as the site takes them")
    parser.add_argument("--site", metavar="NAME|URL", help="danbooru, gelbooru, ... or https://...")
    parser.add_argument("--out", type=Path, metavar="DIR", help="the dataset")
    add_wishes(parser)
    add_captions(parser)
    parser.add_argument(
        "--preview", action="store_true", help="show the total and the first posts, fetch nothing"
    )
    add_dry_run(parser)
    add_access(parser)
    add_local(parser)
    parser.set_defaults(tell=tell_gathered)


def add_wishes(parser: Any) -> None:
    """Which posts are wanted."""
    parser.add_argument("--limit", type=int, default=0, metavar="N", help="the first N that fit")
    parser.add_argument("--posts", nargs="+", default=[], metavar="ID", help="only these posts")
    parser.add_argument(
        "--blacklist", action="append", default=[], metavar="TAGS",
        help="leave out posts with this tag, or with all of several; may be given again",
    )  # fmt: skip
    parser.add_argument("--rating", nargs="+", default=[], choices=RATINGS, help="only these")
    parser.add_argument(
        "--min-size", type=int, default=0, metavar="N", help="leave out sides under N pixels"
    )
    parser.add_argument(
        "--max-megabytes", type=float, default=_DEFAULT.max_megabytes, metavar="N",
        help=f"leave out larger files ({_DEFAULT.max_megabytes:g})",
    )  # fmt: skip


def add_captions(parser: Any) -> None:
    """What captions say."""
    parser.add_argument(
        "--categories", nargs="+", default=list(_DEFAULT.categories), choices=CATEGORIES,
        help=f"tags for captions, in this order ({' '.join(_DEFAULT.categories)})",
    )  # fmt: skip
    parser.add_argument("--rating-tag", action="store_true", help="the rating in captions too")


def add_access(parser: Any) -> None:
    """How sites are reached."""
    parser.add_argument(
        "--interval", type=float, default=_DEFAULT.interval, metavar="S",
        help=f"seconds between two requests to one server ({_DEFAULT.interval:g})",
    )  # fmt: skip
    parser.add_argument(
        "--allow", nargs="+", default=[], metavar="HOST[:PORT]",
        help="servers on this computer or its network that may be reached",
    )  # fmt: skip
    parser.add_argument("--keys", type=Path, metavar="FILE", help="keys for sites, as JSON")
    parser.add_argument(
        "--login", metavar="NAME|URL", help="ask for the key of a site, and keep it"
    )
    parser.add_argument(
        "--get-gallery-dl", action="store_true", help="get the program for further sites"
    )


def add_local(parser: Any) -> None:
    """Pictures of this computer, and tags for pictures at hand."""
    parser.add_argument(
        "--from", nargs="+", type=Path, dest="sources", default=[], metavar="FOLDER|ARCHIVE",
        help="instead of a site: pictures of this computer, prompts as captions",
    )  # fmt: skip
    parser.add_argument("--prompt", default="", metavar="TEXT", help="only drawn with these words")
    parser.add_argument("--model", default="", metavar="NAME", help="only drawn with this model")
    parser.add_argument(
        "--refetch", type=Path, metavar="DIR", help="ask for the tags of a dataset's pictures again"
    )
    parser.add_argument(
        "--when", choices=("empty", "overwrite", "append", "prepend"), default="append",
        help="where refetched tags go in captions that are there (append)",
    )  # fmt: skip


def gather(options: argparse.Namespace, job: ConsoleJob) -> dict[str, Any]:
    """Fetch, preview, or keep a key."""
    from ..gather.gallery_dl import install_program
    from ..gather.search import home_in

    home = home_in(default_home())
    options.home = replace(home, keys=options.keys or home.keys)
    if options.login:
        return login(options.login, options.home.keys)
    if options.get_gallery_dl:
        install_program(home.programs)
        return {"saved": str(home.programs)}
    if options.refetch:
        return refetch(options, job)
    if options.out is None and not options.preview:
        raise UserError("Nothing says where to", "gather", "Give --out DIR.")
    if options.sources:
        return from_here(options, job)
    if options.query is None or not options.site:
        raise UserError(
            "Nothing says what to gather", "gather", "Give QUERY and --site, or --from."
        )
    return from_site(search_of(options), options, job)


def search_of(options: argparse.Namespace) -> GatherConfig:
    """The options as a search."""
    return GatherConfig(
        query=options.query or "", site=options.site or "", limit=options.limit,
        posts=tuple(options.posts),
        blacklist=tuple(options.blacklist), ratings=tuple(options.rating),
        min_size=options.min_size, max_megabytes=options.max_megabytes,
        categories=tuple(options.categories), rating_tag=options.rating_tag,
        interval=options.interval, allow=tuple(options.allow),
    )  # fmt: skip


def from_site(config: GatherConfig, options: argparse.Namespace, job: ConsoleJob) -> dict[str, Any]:
    """A search on a site."""
    from ..gather import gather as gathering
    from ..gather.search import open_search

    gathering.check(config)
    board, web = open_search(config, options.home, job)
    if options.preview:
        return gathering.preview(config, board)
    return told(gathering.gather(config, options.out, board, web, options.dry_run), options, job)


def from_here(options: argparse.Namespace, job: ConsoleJob) -> dict[str, Any]:
    """Folders, archives, the person's own generations."""
    from ..gather import local_files

    config = ImportConfig(
        prompt=options.prompt, model=options.model, max_megabytes=options.max_megabytes
    )
    result = local_files.bring(config, options.sources, options.out, job, options.dry_run)
    return told(result, options, job)


def refetch(options: argparse.Namespace, job: ConsoleJob) -> dict[str, Any]:
    """The tags of pictures at hand, as their sites have them now."""
    from ..gather import refetch as again

    recover(options.refetch, job)
    failed: list[Failure] = []
    changes = again.plan_refetch(
        options.refetch, search_of(options), options.home, again.Wish(options.when, job, failed)
    )
    return make(options.refetch, changes, failed, options, job)


def told(result: Gathered, options: argparse.Namespace, job: ConsoleJob) -> dict[str, Any]:
    """What has come, as JSON, and on the console why the rest has not."""
    if result.stopped:
        job.log(result.stopped)
    for why, count in result.skipped.items():
        job.log(f"{count} left out: {why}")
    more = {"changes": [shown(it) for it in result.changes], "dry_run": True}
    return {**result.as_json(), **(more if options.dry_run else {})}


def login(site: str, file: Path) -> dict[str, Any]:
    """Ask for a key, unseen, and keep it where only the person can read it."""
    from ..gather.search import keep_key, kept_as

    kept = kept_as(site)
    keep_key(kept, asked("Login or user id: "), asked("API key: ", secret=True), file)
    return {"saved": str(file)}


def asked(question: str, secret: bool = False) -> str:
    """What a person types, or the next line of what is piped in."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().strip()
    print(question, end="", file=sys.stderr, flush=True)
    return (getpass.getpass("") if secret else input()).strip()


def tell_gathered(result: dict[str, Any]) -> str:
    """What has come, for a person."""
    if "posts" in result:
        total = "an unknown number of" if result["total"] is None else result["total"]
        lines = [f"{it['page']} {it['width']}x{it['height']}" for it in result["posts"]]
        return listed(lines, f"{total} posts in all; these are the first that fit.")
    if "changes" in result and "found" not in result:
        return tell_changes(result)
    if "found" not in result:
        return f"Kept in {result['saved']}."
    if result.get("dry_run"):
        return listed([it["path"] for it in result["changes"]], "Nothing was fetched.")
    lines = [f"post {it['post']}: {it['why']}" for it in result["failed"]]
    end = "{found} found, {saved} saved, {skipped} left out".format(**result)
    return listed(lines, f"{end}, {len(lines)} could not be fetched.")
