"""The verbs that clean pictures: converted, flattened, cut, set aside, thrown away."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..dataset import changes as plans
from ..dataset.changes import Change
from ..dataset.edits import Upscale
from ..dataset.images import OWN_FOLDER, Failure, ImageFile, read_image_file, scan_subset
from ..errors import UserError
from ..jobs import ConsoleJob
from .base import Verbs, make_host
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
    add_trash(verbs)


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
    host = make_host(job)
    if name not in host.upscalers():
        known = ", ".join(host.upscalers())
        raise UserError("There is no such upscaler", name, f"Choose one of: {known}.")

    def upscale(image: Any, times: float) -> Any:
        try:
            return host.upscale(image, name, times)
        except UserError:
            raise
        except Exception as error:  # torch and spandrel raise nearly anything
            raise UserError(f"The upscaler failed ({error})", name, "Choose another.") from error

    return upscale


def add_crop(verbs: Verbs) -> None:
    """`crop`."""
    parser = add_changing(
        verbs, "crop", crop, "One picture, cut; its caption goes with it.",
        "lora-cook crop datasets/kafka/sheet.png --box 0,0,512,768 --copy",
    )  # fmt: skip
    parser.add_argument("file", type=Path, metavar="FILE", help="the picture")
    parser.add_argument("--box", required=True, metavar="L,T,R,B", help="in pixels")
    parser.add_argument("--copy", action="store_true", help="make a second picture of it")


def crop(options: argparse.Namespace, job: ConsoleJob) -> dict[str, Any]:
    """Cut one picture."""
    try:
        left, top, right, bottom = map(int, options.box.split(","))
    except ValueError:
        raise UserError(
            "A box is four whole numbers", f"--box {options.box}", "Write left,top,right,bottom."
        ) from None
    folder = dataset_of(options.file)
    recover(folder, job)
    image = read_image_file(options.file)
    taken = names_in(options.file.parent)
    changes = plans.plan_crop(image, (left, top, right, bottom), options.copy, taken)
    return make(folder, changes, [], options, job)


def add_trash(verbs: Verbs) -> None:
    """`trash`."""
    parser = add_changing(
        verbs, "trash", trash, "Pictures out of the dataset, their captions with them.",
        "lora-cook trash datasets/kafka/blurred.png",
    )  # fmt: skip
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="the pictures")


def trash(options: argparse.Namespace, job: ConsoleJob) -> dict[str, Any]:
    """Throw pictures away, one operation a dataset."""
    files = {os.path.abspath(file): file for file in options.files}
    folders: dict[Path, list[Path]] = {}
    for file in files.values():
        folders.setdefault(dataset_of(file), []).append(file)
    for folder in folders:
        recover(folder, job)
    for file in files.values():
        if not os.path.lexists(file) or (file.is_dir() and not file.is_symlink()):
            raise UserError("There is no such file", file, "Check the name; nothing was changed.")
    results = [
        make(folder, plans.plan_trash(inside), [], options, job)
        for folder, inside in folders.items()
    ]
    joined = {
        key: [it for result in results for it in result[key]] for key in ("changes", "failed")
    }
    return {**results[0], **joined}


def dataset_of(file: Path) -> Path:
    """The folder whose journal tells of a file: its own, or the one above if that has one."""
    above = file.absolute().parent.parent
    journals = [folder for folder in (file.parent, above) if (folder / OWN_FOLDER).is_dir()]
    return journals[0] if journals else file.parent
