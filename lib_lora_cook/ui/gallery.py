"""The pictures of a dataset as HTML: pages of small copies, one large, copies side by side.

Pictures stand in the page itself as data: no file of the dataset is ever served by its name.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..config import BucketConfig
from ..dataset.captions import caption_path, read_caption
from ..dataset.duplicates import Group, difference_picture
from ..dataset.images import is_picture_name
from ..dataset.thumbnails import read_thumbnail, small_jpeg
from ..errors import UserError
from ..training.buckets import bucket_for
from . import show, texts
from .show import plain

PAGE, SIDE, LARGE = 24, 176, 1024
"""Pictures on a page; pixels of a small copy's side and of a large one's."""
PAIRS = 12


@dataclass(frozen=True)
class Asked:
    """What the page's script asks of the gallery."""

    act: str = ""
    name: str = ""
    page: int = 0


def read_asked(text: str) -> Asked:
    """The script's JSON; nothing asked where it is none."""
    try:
        told: Any = json.loads(text or "{}")
        return Asked(str(told.get("act", "")), str(told.get("name", "")), int(told.get("page", 0)))
    except (ValueError, TypeError, AttributeError):
        return Asked()


def names_in(folder: Path) -> list[str]:
    """The pictures' names in order; none where there is no such folder."""
    try:
        with os.scandir(folder) as entries:
            return sorted(it.name for it in entries if is_picture_name(it.name))
    except OSError:
        return []


def page_of(folder: Path, cache: Path, page: int, marks: Mapping[str, Any]) -> str:
    """One page of small copies."""
    names = names_in(folder)
    if not names:
        return show.note(texts.FIRST_GATHER)
    pages = -(-len(names) // PAGE)
    page = min(max(page, 0), pages - 1)
    shown = names[page * PAGE : (page + 1) * PAGE]
    cells = "".join(cell(folder / name, cache, str(marks.get(name, ""))) for name in shown)
    told = texts.GALLERY_PAGE.format(page=page + 1, pages=pages, count=f"{len(names):,}")
    return (
        f'<div class="lora_cook_bar_of_buttons">{act("previous", texts.PREVIOUS)}'
        f"<span>{plain(told)}</span>{act('next', texts.NEXT)}{act('undo', texts.UNDO)}</div>"
        f'<div class="lora_cook_gallery" role="listbox" aria-label="{plain(texts.GALLERY)}" '
        f'data-page="{page}">{cells}</div><p class="lora_cook_note">{plain(texts.KEYS)}</p>'
    )


def act(name: str, label: str) -> str:
    """A button that the page's script answers."""
    return f'<button type="button" data-act="{name}">{plain(label)}</button>'


def cell(path: Path, cache: Path, mark: str) -> str:
    """One picture with its name and its mark."""
    name = plain(path.name)
    try:
        data, _ = read_thumbnail(path, cache, SIDE)
        picture = f'<img src="{data_uri(data)}" alt="{name}">'
    except UserError as error:
        picture = f'<span class="lora_cook_broken">{plain(error.what)}</span>'
    stars = "★" * int(mark) if mark.isdigit() else texts.KEPT if mark == "keep" else ""
    return (
        f'<figure role="option" tabindex="-1" aria-selected="false" data-name="{name}" '
        f'title="{plain(caption_of(path))}">{picture}'
        f"<figcaption>{name} {plain(stars)}</figcaption></figure>"
    )


def caption_of(path: Path) -> str:
    """A picture's caption, "" where there is none or it cannot be read."""
    try:
        return read_caption(caption_path(path))
    except UserError:
        return ""


def large(path: Path, cache: Path, config: BucketConfig) -> str:
    """One picture large, the part that its bucket keeps framed, over the page."""
    try:
        data, (width, height) = read_thumbnail(path, cache, LARGE)
    except UserError as error:
        return show.problems([str(error.what)])
    frame, told = "", f"{width}×{height}"
    try:
        fit = bucket_for((width, height), config)
        left, top, right, bottom = fit.kept_box((width, height))
        places = {"left": left / width, "top": top / height, "width": (right - left) / width,
                  "height": (bottom - top) / height}  # fmt: skip
        style = ";".join(f"{name}:{100 * share:.2f}%" for name, share in places.items())
        frame = f'<i class="lora_cook_kept" style="{style}"></i>'
        told += texts.BUCKET.format(
            width=fit.bucket[0], height=fit.bucket[1], cut=f"{fit.cut_off:.0%}"
        )
    except UserError as error:
        told += f" · {error.what}"
    return (
        f'<div class="lora_cook_zoom" role="dialog" aria-modal="true" tabindex="-1" '
        f'aria-label="{plain(path.name)}" data-name="{plain(path.name)}" data-width="{width}" '
        f'data-height="{height}"><div class="lora_cook_canvas">'
        f'<img src="{data_uri(data)}" alt="{plain(path.name)}" draggable="false">{frame}'
        f'<i class="lora_cook_drawn" hidden></i></div>'
        f"<p>{plain(path.name)} · {plain(told)} · {plain(texts.ZOOM_KEYS)}</p>"
        f"<p>{plain(caption_of(path))}</p>{act('close', texts.CLOSE)}</div>"
    )


def side_by_side(groups: Sequence[Group], cache: Path) -> str:
    """Copies beside the one that is kept, with the difference lit up."""
    pairs = [(group, it.path) for group in groups for it in group.files[1:]]
    if not pairs:
        return show.note(texts.NO_COPIES)
    rows = "".join(_pair(group, path, cache) for group, path in pairs[:PAIRS])
    more = texts.MORE_PAIRS.format(count=len(pairs) - PAIRS) if len(pairs) > PAIRS else ""
    return f'<div class="lora_cook_pairs">{rows}</div>{show.note(more)}'


def _pair(group: Group, path: Path, cache: Path) -> str:
    keeper = group.files[0].path
    try:
        pictures = [read_thumbnail(it, cache, SIDE)[0] for it in (keeper, path)]
        pictures.append(small_jpeg(difference_picture(keeper, path), SIDE))
    except UserError as error:
        return show.problems([str(error)])
    told = (texts.KEEPER.format(name=keeper.name), f"{group.kind}: {path.name}", texts.DIFFERENCE)
    return '<div class="lora_cook_pair">' + "".join(
        f'<figure><img src="{data_uri(data)}" alt="{plain(text)}">'
        f"<figcaption>{plain(text)}</figcaption></figure>"
        for data, text in zip(pictures, told, strict=True)
    ) + "</div>"  # fmt: skip


def strip(epochs: Sequence[tuple[str, Sequence[Path]]], cache: Path) -> str:
    """The samples of a run, a column an epoch; nothing without any."""
    if not epochs:
        return ""
    columns = []
    for label, paths in epochs:
        pictures = ""
        for path in paths:
            try:
                data = data_uri(read_thumbnail(path, cache, SIDE)[0])
            except UserError:
                continue
            pictures += f'<img src="{data}" alt="{plain(label)}">'
        columns.append(f"<figure>{pictures}<figcaption>{plain(label)}</figcaption></figure>")
    inside = "".join(columns)
    return f'<div class="lora_cook_strip lora_cook_scroll" tabindex="0">{inside}</div>'


def data_uri(jpeg: bytes) -> str:
    """A JPEG as an address that needs no request."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")
