"""What a search finds, with small copies, before any picture is fetched for the dataset."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...config import GatherConfig
from ...dataset.images import open_reduced
from ...dataset.thumbnails import small_jpeg
from ...errors import UserError
from ...gather.gather import preview
from ...gather.search import Home
from ...gather.web import Web
from ...jobs import Job
from .. import show, texts
from ..bench import Bench
from ..pictures import SIDE, data_uri
from ..runner import Outcome, Work
from ..show import plain
from . import gathering

PACE = 0.1
"""Seconds between two small copies; a browser asks for all of them at once."""


def preview_work(config: GatherConfig, bench: Bench, home: Home) -> Work:
    """Ask the site what it has; the page shows it from then on."""

    def work(job: Job) -> Outcome:
        board, web = gathering.opened(config, home, job)
        found = preview(config, board)
        web.interval = PACE
        with tempfile.TemporaryDirectory() as folder:
            small = {}
            for done, post in enumerate(found["posts"]):
                job.check()
                job.report(done + 1, len(found["posts"]), str(post["post"]))
                small[post["post"]] = small_copy(web, str(post["preview_url"]), Path(folder))
        bench.preview = shown(found, small)
        return Outcome(told(found))

    return work


def small_copy(web: Web, address: str, folder: Path) -> str:
    """A post's small copy as data, "" where there is none: then its number stands there."""
    if not address:
        return ""
    file = folder / "small"
    try:
        file.write_bytes(web.read(address, tries=1))
        return data_uri(small_jpeg(open_reduced(file, SIDE)[0], SIDE))
    except UserError:
        return ""


def told(found: Mapping[str, Any]) -> str:
    """How many there are, in a sentence."""
    total = texts.UNKNOWN_TOTAL if found["total"] is None else f"{found['total']:,}"
    return texts.PREVIEW.format(total=total, count=len(found["posts"]))


def shown(found: Mapping[str, Any], small: Mapping[Any, str]) -> str:
    """The total and the first posts, to be chosen from by a click."""
    cells = "".join(_cell(post, small.get(post["post"], "")) for post in found["posts"])
    return (
        f'{show.note(told(found))}<p class="lora_cook_note" data-chosen="{plain(texts.CHOSEN)}">'
        f"{plain(texts.CHOOSE)}</p>"
        f'<div class="lora_cook_gallery lora_cook_posts" role="listbox" aria-multiselectable="true"'
        f' aria-label="{plain(texts.POSTS)}">{cells}</div>'
    )


def _cell(post: Mapping[str, Any], data: str) -> str:
    number = plain(post["post"])
    picture = f'<img src="{data}" alt="{number}">' if data else f"<span>{number}</span>"
    size = f"{post['width']}×{post['height']}" if post["width"] else ""
    names: Sequence[str] = [tag for tags in post["tags"].values() for tag in tags]
    return (
        f'<figure role="option" tabindex="0" aria-selected="false" data-post="{number}" '
        f'title="{plain(" ".join(names)[:600])}">{picture}'
        f"<figcaption>{plain(size)} {plain(post['rating'])}</figcaption></figure>"
    )
