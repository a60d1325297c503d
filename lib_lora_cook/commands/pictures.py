"""The verbs that clean pictures: converted, flattened, cut, set aside, thrown away."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..dataset import changes as plans
from ..dataset.changes import Change
from ..dataset.edits import Flood, Upscale, checked_colour
from ..dataset.images import OWN_FOLDER, Failure, ImageFile, read_image_file, scan_subset
from ..errors import UserError
from ..hosts.base import upscale_with
from ..jobs import ConsoleJob
from .base import Verbs, make_host, numbers
from .changing import (
    add_changing,
    add_folder,
    make,
    recover,
)


def add_verbs(verbs: Verbs) -> None:
    """All of them."""
    add_convert(verbs)
    add_flatten(verbs)
    add_sizes(verbs)
    add_crop(verbs)


def names_in(*folders: Path) -> list[Path]:
    """Every file in these folders: names that a new one must not take."""
    return [path for folder in folders if folder.is_dir() for path in folder.iterdir()]


def change_pictures(
    options: argparse.Namespace, job: ConsoleJob, plan: Callable[[list[ImageFile]], list[Change]]
) -> dict[str, Any]:
    """Scan the folder, plan, and make the changes."""
    recover(options.folder, job)
    failed: list[Failure] = []
    images = scan_subset(options.folder, failed)
    return make(options.folder, plan(images), failed, options, job)


def add_convert(verbs: Verbs) -> None:
    """`convert`."""
    parser = add_changing(
        verbs, "convert", convert, "WebP, AVIF, GIF, BMP and others to PNG; JPEG stays.",
        "lora-cook convert datasets/kafka",
    )  # fmt: skip
    add_folder(parser)
    parser.add_argument("--to", default="png", help="png, jpg, webp, bmp or tiff")


def convert(options: argparse.Namespace, job: ConsoleJob) -> dict[str, Any]:
    """Pictures into one format."""
    return change_pictures(
        options,
        job,
        lambda images: plans.plan_convert(images, options.to, taken=names_in(options.folder)),
    )


def add_flatten(verbs: Verbs) -> None:
    """`flatten`."""
    parser = add_changing(
        verbs, "flatten", flatten, "Transparency onto a colour.",
        "lora-cook flatten datasets/kafka --background white",
    )  # fmt: skip
    add_folder(parser)
    parser.add_argument("--background", default="white", help="a colour's name, or #rrggbb")


def flatten(options: argparse.Namespace, job: ConsoleJob) -> dict[str, Any]:
    """Pictures without transparency."""
    return change_pictures(
        options,
        job,
        lambda images: plans.plan_flatten(
            images, options.background, taken=names_in(options.folder)
        ),
    )


def add_sizes(verbs: Verbs) -> None:
    """`sizes`."""
    parser = add_changing(
        verbs, "sizes", sizes, "Pictures with a side that is too short: set aside, or enlarged.",
        "lora-cook sizes datasets/kafka --below 768 --upscale Lanczos",
    )  # fmt: skip
    add_folder(parser)
    parser.add_argument("--below", type=int, default=768, metavar="N", help="pixels (768)")
    parser.add_argument("--upscale", metavar="NAME", help="enlarge with this upscaler instead")
    parser.add_argument(
        "--scale", type=float, default=0.0, metavar="X",
        help="enlarge by this, as often as it takes to reach N; if left out, just as far as N",
    )  # fmt: skip


def sizes(options: argparse.Namespace, job: ConsoleJob) -> dict[str, Any]:
    """Small pictures away from the others, or as large as they."""
    if options.below < 1:
        raise UserError("A side has one pixel at least", f"--below {options.below}")
    if not options.upscale:
        if options.scale:
            raise UserError("Nothing is to be enlarged", "--scale", "Give --upscale NAME too.")
        taken = names_in(options.folder / "small")
        return change_pictures(
            options, job, lambda images: plans.plan_small(images, options.below, taken=taken)
        )
    edit = Upscale(upscaler(options, job), options.below, options.scale)
    if not options.dry_run:
        edit.try_out()
    taken = names_in(options.folder)
    return change_pictures(
        options, job, lambda images: plans.plan_upscale(images, edit, options.upscale, taken)
    )


def upscaler(options: argparse.Namespace, job: ConsoleJob) -> Callable[[Any, float], Any]:
    """The host's upscaler of the name that was given."""
    name = options.upscale
    if options.scale and not 1 < options.scale <= 16:
        raise UserError(
            "Nothing is enlarged by this", f"--scale {options.scale:g}", "Give 1 to 16."
        )
    if not options.folder.is_dir():
        raise UserError("There is no such folder", options.folder, "Check the name.")
    return upscale_with(make_host(job), name)


def add_crop(verbs: Verbs) -> None:
    """`crop`."""
    parser = add_changing(
        verbs, "crop", crop, "One picture cut, or into several; its caption goes with each.",
        "lora-cook crop datasets/kafka/sheet.png --box 0,0,512,768 --box 512,0,1024,768 --copy",
    )  # fmt: skip
    parser.add_argument("file", type=Path, metavar="FILE", help="the picture")
    parser.add_argument(
        "--box", action="append", default=[], metavar="L,T,R,B", help="in pixels; may come again"
    )
    parser.add_argument(
        "--copy", action="store_true",
        help="keep the picture too; without it the last box takes its place",
    )  # fmt: skip
    parser.add_argument(
        "--flood",
        action="append",
        default=[],
        metavar="X,Y[,TOLERANCE]",
        help="fill the region of like colour round a point of the whole picture; may come again",
    )
    parser.add_argument("--fill", default="", metavar="COLOUR", help="with it; the background's")


def crop(options: argparse.Namespace, job: ConsoleJob) -> dict[str, Any]:
    """Cut one picture."""
    boxes = [_box(text) for text in options.box]
    floods = tuple(_flood(text, checked_colour(options.fill)) for text in options.flood)
    if not boxes and not floods:
        raise UserError("Nothing is asked for", options.file, "Give --box or --flood.")
    folder = dataset_of(options.file)
    recover(folder, job)
    image = read_image_file(options.file)
    for flood in floods:
        if not (flood.point[0] < image.width and flood.point[1] < image.height):
            raise UserError(
                f"The point {flood.point[0]},{flood.point[1]} is not inside "
                f"{image.width}x{image.height}", options.file, "Give x,y in pixels.",
            )  # fmt: skip
    boxes = boxes or [(0, 0, image.width, image.height)]
    taken = names_in(options.file.parent)
    return make(
        folder, plans.plan_crops(image, boxes, options.copy, taken, floods), [], options, job
    )


def _box(text: str) -> plans.Box:
    found = numbers(text, "--box", int)
    if len(found) != 4:
        raise UserError(
            "A box is four whole numbers", f"--box {text}", "Write left,top,right,bottom."
        )
    return (found[0], found[1], found[2], found[3])


def _flood(text: str, colour: str) -> Flood:
    found = [*numbers(text, "--flood", int), 16]
    if len(found) not in (3, 4) or min(found) < 0 or found[2] > 255:
        raise UserError(
            "A flood is a point and a tolerance of 0 to 255", f"--flood {text}", "Write x,y,16."
        )
    return Flood((found[0], found[1]), found[2], colour)


def dataset_of(file: Path) -> Path:
    """The folder whose journal tells of a file: its own, or the one above if that has one."""
    above = file.absolute().parent.parent
    journals = [folder for folder in (file.parent, above) if (folder / OWN_FOLDER).is_dir()]
    return journals[0] if journals else file.parent
