"""The pictures of a dataset as HTML: which ones, and pages of small copies.

Pictures stand in the page itself as data: no file of the dataset is ever served by its name.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from pathlib import Path
from typing import Any

from ...dataset.captions import split_tags
from ...dataset.filters import Filter, Mode, TagFilter
from ...dataset.gallery import Card, Wanted, read_card
from ...dataset.images import Failure
from ...dataset.thumbnails import make_thumbnails
from ...errors import UserError
from .. import show, texts
from ..pictures import SIDE, data_uri
from ..said import press
from ..show import plain

PAGE = 24
"""Pictures on a page."""
ASPECTS = {
    "any": (0.0, inf), "upright": (0.0, 0.9), "about square": (0.9, 1.11), "wide": (1.11, inf),
}  # fmt: skip
"""Width / height from, to."""


def filters_of(form: Sequence[Any]) -> list[Filter]:
    """The tags that the filter's form asks for."""
    *_, having, lacking = form
    asked: list[tuple[str, Mode]] = [(having, "and"), (lacking, "none")]
    return [
        TagFilter(tuple(split_tags(text)), mode)
        for text, mode in asked
        if text and split_tags(text)
    ]


def wanted_of(form: Sequence[Any]) -> Wanted:
    """What else it asks for; UserError for what is no number.

    Findings, shorter side from and to, aspect, ratings, stars, tags there and tags missing.
    """
    findings, least, most, aspect, ratings, stars, *_ = form
    return Wanted(
        findings=frozenset(it.replace(" ", "_") for it in findings or ()),
        least=side(least, texts.SIDE_FROM, 0), most=side(most, texts.SIDE_TO, inf),
        aspect=ASPECTS.get(aspect, (0, inf)), ratings=frozenset(ratings or ()),
        stars=int(stars) if str(stars).isdigit() else 0,
    )  # fmt: skip


def side(text: str, name: str, empty: float) -> float:
    """A number of pixels; UserError where it is none."""
    if not (text or "").strip():
        return empty
    if not text.strip().isdigit():
        wanted = texts.WANTED["whole"]
        raise UserError(texts.IS_NOT.format(name=name, value=text, wanted=wanted))
    return int(text)


def page_of(folder: Path, names: Sequence[str], cache: Path, page: int) -> str:
    """One page of small copies, from 0; beyond the last it is the last."""
    if not names:
        return show.note(texts.NO_PICTURES_SHOWN)
    pages = -(-len(names) // PAGE)
    page = min(max(page, 0), pages - 1)
    paths = [folder / name for name in names[page * PAGE : (page + 1) * PAGE]]
    failed: list[Failure] = []
    small = make_thumbnails(paths, cache, SIDE, failed)
    reasons = dict(failed)
    cells = "".join(
        cell(path, small[path]) if path in small else broken_cell(path, reasons.get(path, ""))
        for path in paths
    )
    told = texts.GALLERY_PAGE.format(page=page + 1, pages=pages, count=f"{len(names):,}")
    return (
        f'<div class="lora_cook_bar_of_buttons">{press("gallery", "previous", texts.PREVIOUS)}'
        f"<span>{plain(told)}</span>{press('gallery', 'next', texts.NEXT)}"
        f"{press('gallery', 'undo', texts.UNDO)}</div>"
        f'<div class="lora_cook_gallery" role="listbox" aria-label="{plain(texts.GALLERY)}" '
        f'data-page="{page}">{cells}</div><p class="lora_cook_note">{plain(texts.KEYS)}</p>'
    )


def cell(path: Path, jpeg: bytes) -> str:
    """One picture with its name and what a person thinks of it."""
    try:
        card = read_card(path)
    except UserError as error:
        return broken_cell(path, error.what)
    picture = f'<img src="{data_uri(jpeg)}" alt="{plain(path.name)}">'
    told = f"{card.image.width}×{card.image.height}"
    return figure(path, picture, f"{told} {marks(card)}".strip(), card.image.caption)


def broken_cell(path: Path, why: str) -> str:
    """A file that is no whole picture."""
    return figure(path, f'<span class="lora_cook_broken">{plain(why)}</span>', "", "")


def figure(path: Path, inside: str, told: str, caption: str) -> str:
    """A cell of the gallery."""
    name = plain(path.name)
    return (
        f'<figure role="option" tabindex="-1" aria-selected="false" data-name="{name}" '
        f'title="{plain(caption)}">{inside}'
        f"<figcaption>{name}<br>{plain(told)}</figcaption></figure>"
    )


def marks(card: Card) -> str:
    """Stars, and whether a picture is to be kept."""
    return ("★" * card.stars + (f" {texts.KEPT}" if card.mark == "keep" else "")).strip()
