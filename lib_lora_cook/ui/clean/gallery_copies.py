"""Copies side by side with what differs lit up; which one stays, and which are none, by a click."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ...dataset.duplicates import Group, declare_distinct, difference_picture
from ...dataset.look import Look
from ...dataset.thumbnails import read_thumbnail, small_jpeg
from ...errors import UserError
from .. import show, texts
from ..bench import several
from ..pictures import data_uri
from ..said import press
from ..show import plain

PAIRS, SIDE = 8, 256
"""Pairs on a page; pixels of a picture's side."""


def side_by_side(groups: Sequence[Group], cache: Path, page: int = 0) -> str:
    """Copies beside the one that is kept, from page 0; variants last, which nothing touches."""
    pairs = [(group, it.path) for group in groups for it in group.files[1:]]
    if not pairs:
        return show.note(texts.NO_COPIES)
    pages = -(-len(pairs) // PAIRS)
    page = min(max(page, 0), pages - 1)
    rows = "".join(_pair(*it, cache) for it in pairs[page * PAIRS : (page + 1) * PAIRS])
    told = texts.COPIES_PAGE.format(
        page=page + 1, pages=pages, count=several(len(pairs), "pair", "pairs")
    )
    bar = f"<span>{plain(told)}</span>"
    if pages > 1:
        bar = (
            press("copies", "previous", texts.PREVIOUS) + bar + press("copies", "next", texts.NEXT)
        )
    return (
        f'<div class="lora_cook_bar_of_buttons">{bar}</div>'
        f'<div class="lora_cook_pairs" data-page="{page}">{rows}</div>'
    )


def _pair(group: Group, path: Path, cache: Path) -> str:
    keeper = group.files[0].path
    try:
        pictures = [read_thumbnail(it, cache, SIDE)[0] for it in (keeper, path)]
        pictures.append(small_jpeg(difference_picture(keeper, path), SIDE))
    except UserError as error:
        return show.problem(str(error))
    heads = [_told(group, keeper), _told(group, path), texts.DIFFERENCE]
    figures = "".join(
        f'<figure><img src="{data_uri(data)}" alt="{plain(text)}">'
        f"<figcaption>{plain(text)}</figcaption></figure>"
        for data, text in zip(pictures, heads, strict=True)
    )
    names = {"name": path.name, "other": keeper.name}
    buttons = ""
    if group.kind != "variant":
        buttons += press("copies", "keeper", texts.KEEP_THIS, **names)
    if group.kind != "exact":
        buttons += press("copies", "distinct", texts.NOT_A_COPY, **names)
    why = plain(texts.COPY_KINDS[group.kind])
    return (
        f'<div class="lora_cook_pair">{figures}<div class="lora_cook_choices">'
        f"<p>{why}</p>{buttons}</div></div>"
    )


def _told(group: Group, path: Path) -> str:
    image = next(it for it in group.files if it.path == path)
    size = f"{image.width}×{image.height} {image.format}"
    stays = group.kind == "variant" or group.files[0].path == path
    return texts.STAYS.format(name=path.name, size=size) if stays else texts.GOES.format(
        name=path.name, size=size
    )  # fmt: skip


def with_keeper(look: Look, name: str) -> Look:
    """The same look, where this picture stays of its group and the others go."""
    return replace(look, groups=tuple(_turned(it, name) for it in look.groups))


def _turned(group: Group, name: str) -> Group:
    first = [it for it in group.files if it.path.name == name]
    if not first or group.kind == "variant":
        return group
    return Group(group.kind, (*first, *(it for it in group.files if it not in first)))


def without_pair(look: Look, folder: Path, name: str, other: str) -> Look:
    """The same look, where two are no copies of one another; remembered in the dataset.

    UserError where they are the same pixel for pixel.
    """
    declare_distinct(folder, folder / other, folder / name)
    groups = []
    for group in look.groups:
        names = [it.path.name for it in group.files]
        if names[0] == other and name in names[1:]:
            group = Group(group.kind, tuple(it for it in group.files if it.path.name != name))
        if len(group.files) > 1:
            groups.append(group)
    return replace(look, groups=tuple(groups))
