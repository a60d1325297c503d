"""One picture large over the page: what its bucket keeps, boxes to cut, regions to erase."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from ...config import BucketConfig
from ...dataset import changes as plans
from ...dataset import journal
from ...dataset.changes import Box
from ...dataset.edits import Flood
from ...dataset.gallery import read_card
from ...dataset.images import open_image, read_image_file
from ...dataset.thumbnails import read_thumbnail, small_jpeg
from ...errors import UserError
from ...training.buckets import bucket_for
from .. import texts
from ..pictures import data_uri
from ..said import press
from ..show import plain

LARGE = 1024
"""Pixels of the large picture's longer side."""


def large(path: Path, cache: Path, config: BucketConfig, floods: Sequence[str] = ()) -> str:
    """A picture, as it would be with these regions erased; UserError for what is none."""
    made = floods_of(floods)
    data, size = read_thumbnail(path, cache, LARGE)
    if made:
        data = small_jpeg(flooded(path, made), LARGE)
    frame, told = kept_frame(size, config)
    name = plain(path.name)
    return (
        f'<div class="lora_cook_zoom" role="dialog" aria-modal="true" tabindex="-1" '
        f'aria-label="{name}" data-name="{name}" data-width="{size[0]}" '
        f'data-height="{size[1]}" data-floods="{plain(";".join(floods))}">'
        f'<div class="lora_cook_canvas" style="width:min(100%,{75 * size[0] / size[1]:.1f}vh)">'
        f'<img src="{data_uri(data)}" alt="{name}" '
        f'draggable="false">{frame}</div>{tools()}'
        f"<p>{name} · {plain(told)} · {plain(texts.ZOOM_KEYS)}</p>"
        f"<p>{plain(read_card(path).image.caption)}</p></div>"
    )


def tools() -> str:
    """What can be done with the large picture."""
    return (
        '<div class="lora_cook_bar_of_buttons">'
        f"<label>{plain(texts.CROP_BOXES)} "
        f'<input class="lora_cook_boxes" placeholder="{plain(texts.CROP_HINT)}"></label>'
        f"{press('zoom', 'cut', texts.CROP)}{press('zoom', 'cut_copy', texts.CROP_COPY)}"
        f"{press('zoom', 'erase', texts.ERASE)}"
        f"<label>{plain(texts.TOLERANCE)} "
        '<input class="lora_cook_tolerance" type="number" min="0" max="255" value="16"></label>'
        f"{press('zoom', 'clear', texts.CLEAR)}{press('zoom', 'close', texts.CLOSE)}</div>"
    )


def kept_frame(size: tuple[int, int], config: BucketConfig) -> tuple[str, str]:
    """(the part that the picture's bucket keeps, as a frame over it; what is told of that)."""
    width, height = size
    told = f"{width}×{height}"
    try:
        fit = bucket_for(size, config)
    except UserError as error:
        return "", f"{told} · {error.what}"
    left, top, right, bottom = fit.kept_box(size)
    places = {"left": left / width, "top": top / height, "width": (right - left) / width,
              "height": (bottom - top) / height}  # fmt: skip
    style = ";".join(f"{name}:{100 * share:.2f}%" for name, share in places.items())
    cut = texts.BUCKET.format(width=fit.bucket[0], height=fit.bucket[1], cut=f"{fit.cut_off:.0%}")
    return f'<i class="lora_cook_kept" style="{style}"></i>', told + cut


def floods_of(told: Sequence[str]) -> tuple[Flood, ...]:
    """`x,y,tolerance` each; UserError for anything else."""
    made = []
    for text in told:
        found = re.fullmatch(r"(\d{1,6}),(\d{1,6}),(\d{1,3})", text)
        if not found or int(found[3]) > 255:
            raise UserError(texts.NO_FLOOD, text, texts.NO_FLOOD_TO_DO)
        made.append(Flood((int(found[1]), int(found[2])), int(found[3])))
    return tuple(made)


def boxes_of(text: str) -> list[Box]:
    """`left,top,right,bottom` each, with semicolons between; UserError for anything else."""
    made: list[Box] = []
    for part in filter(None, (it.strip() for it in text.split(";"))):
        found = re.fullmatch(r"(\d{1,6}),(\d{1,6}),(\d{1,6}),(\d{1,6})", part.replace(" ", ""))
        if not found:
            raise UserError(texts.NO_BOX, part, texts.NO_BOX_TO_DO)
        made.append((int(found[1]), int(found[2]), int(found[3]), int(found[4])))
    return made


def flooded(path: Path, floods: Sequence[Flood]) -> Image.Image:
    """The picture with regions erased."""
    image = open_image(path)
    for flood in floods:
        image = flood(image)
    return image


def cut(path: Path, boxes: str, floods: Sequence[str], copy: bool) -> str:
    """Cut a picture of a dataset, regions erased first; a sentence. UserError where it fails."""
    found, made = boxes_of(boxes), floods_of(floods)
    image = read_image_file(path)
    if not found and not made:
        raise UserError(texts.NO_BOX_DRAWN, path.name, texts.NO_BOX_DRAWN_TO_DO)
    found = found or [(0, 0, image.width, image.height)]
    changes = plans.plan_crops(image, found, copy, list(path.parent.iterdir()), made)
    applied = journal.apply_changes(path.parent, changes, what="cut")
    if applied.failed:
        raise UserError(applied.failed[0][1], path.name)
    return texts.CUT.format(name=path.name, count=len(applied.applied))
