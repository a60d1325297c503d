"""What is to be done to a dataset, as values: the plan_*() read no disk and write nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from ..errors import UserError
from . import caption_edits, tags
from .caption_edits import CaptionEdit
from .captions import caption_path, join_tags, split_tags
from .edits import Crop, Edit, Flatten, Upscale, checked_colour, format_of, writable
from .images import ImageFile, Stamp

Kind = Literal["caption", "move", "picture", "trash", "add"]
Box = tuple[int, int, int, int]
When = Literal["empty", "overwrite", "append", "prepend"]


@dataclass(frozen=True)
class Change:
    """One change to one file; captions and other sidecars of a picture go with it by themselves.

    caption: `path` gets the text `after`. move: `path` becomes `to`. picture: `path` is opened,
    edited and written to `to` in that name's format. trash: `path` leaves the dataset. add: `path`
    comes to be with the bytes of `source`, its caption `after` and its JSON `sidecar`, all or
    nothing. `before` is what the plan rests on, the old text of a caption or the stamp of a
    picture: where the disk has come to differ, the change is refused. None: not checked.
    """

    kind: Kind
    path: Path
    why: str
    to: Path | None = None
    before: Stamp | str | None = None
    after: str = ""
    edits: tuple[Edit, ...] = ()
    copy: bool = False  # the source stays as well, as in a second crop of one picture
    source: Path | None = None
    sidecar: str = ""

    def as_json(self) -> dict[str, str | None]:
        """The change as other programs are shown it; "to" is null for what goes to the trash."""
        to = self.path if self.to is None and self.kind != "trash" else self.to
        return {"path": str(self.path), "to": None if to is None else str(to), "why": self.why}


def plan_convert(
    images: Iterable[ImageFile],
    to: str = "png",
    leave: Collection[str] = ("JPEG", "MPO"),
    taken: Iterable[Path] = (),
) -> list[Change]:
    """Pictures that are not in format `to` become so; the formats in `leave` stay as they are.

    `taken` are further names not to use. UserError for a format that cannot be written.
    """
    images = list(images)
    extension = "." + to.lower().lstrip(".")
    wanted = format_of(extension)
    if wanted is None:
        raise UserError("Cannot write pictures of this kind", to, f"Choose from {writable()}.")
    names = _Names(images, taken)
    return [
        _rewritten(image, extension, (), f"{image.format} to {wanted}", names)
        for image in images
        if image.format != wanted and image.format not in leave
    ]


def plan_flatten(
    images: Iterable[ImageFile], background: str = "white", taken: Iterable[Path] = ()
) -> list[Change]:
    """Pictures whose file carries transparency become PNG without it; UserError for no colour."""
    images = list(images)
    names = _Names(images, taken)
    edits = (Flatten(checked_colour(background)),)
    why = f"transparency onto {background}"
    return [_rewritten(image, ".png", edits, why, names) for image in images if image.has_alpha]


def plan_small(
    images: Iterable[ImageFile], below: int, folder: str = "small", taken: Iterable[Path] = ()
) -> list[Change]:
    """Pictures with a side under `below` pixels are set aside into a folder of the dataset."""
    small = [
        (image, f"{image.width}x{image.height} is under {below}")
        for image in images
        if min(image.width, image.height) < below
    ]
    return plan_aside(small, folder, taken)


def plan_aside(
    images: Iterable[tuple[ImageFile, str]], folder: str, taken: Iterable[Path] = ()
) -> list[Change]:
    """Pictures, each with the reason, are set aside into a folder beside them."""
    names = _Names((), taken)
    return [
        Change(
            "move", image.path, why, before=image.stamp,
            to=names.free(image.path.parent / folder / image.path.name),
        )
        for image, why in images
    ]  # fmt: skip


def plan_upscale(
    images: Iterable[ImageFile], edit: Upscale, by: str, taken: Iterable[Path] = ()
) -> list[Change]:
    """Pictures with a side under what the edit reaches are enlarged in place; `by` is its name."""
    images = list(images)
    names = _Names(images, taken)
    return [
        _rewritten(
            image, _kept_extension(image), (edit,),
            f"{image.width}x{image.height} is under {edit.least}: {by}", names,
        )
        for image in images
        if min(image.width, image.height) < edit.least
    ]  # fmt: skip


def plan_crop(
    image: ImageFile, box: Box, copy: bool = False, taken: Iterable[Path] = ()
) -> list[Change]:
    """The box left, top, right, bottom of one picture, in its place or as a further picture."""
    return plan_crops(image, [box], copy, taken)


def plan_crops(
    image: ImageFile, boxes: Sequence[Box], copy: bool = False, taken: Iterable[Path] = (),
    first: tuple[Edit, ...] = (),
) -> list[Change]:  # fmt: skip
    """Several boxes of one picture, a further picture each; the last in its place unless `copy`.

    first: edits of the whole picture before it is cut. UserError for a box that does not fit.
    """
    names = _Names([image], taken)
    whole = (0, 0, image.width, image.height)
    for box in boxes:
        _check_box(image, box)
    made = []
    for place, box in enumerate(boxes):
        if box == whole and not first and not copy:
            continue
        further = copy or place < len(boxes) - 1
        why = f"{box[2] - box[0]}x{box[3] - box[1]} of {image.width}x{image.height}"
        cut = () if box == whole else (Crop(box),)
        change = _rewritten(image, _kept_extension(image), (*first, *cut), why, names)
        if further and change.to == image.path:
            change = replace(change, to=names.free(image.path))
        made.append(replace(change, copy=further))
    return made


def _check_box(image: ImageFile, box: Box) -> None:
    left, top, right, bottom = box
    if not (0 <= left < right <= image.width and 0 <= top < bottom <= image.height):
        raise UserError(
            f"The box {left},{top},{right},{bottom} does not fit into {image.width}x{image.height}",
            image.path, "Give left,top,right,bottom in pixels inside the picture.",
        )  # fmt: skip


def plan_trash(paths: Iterable[Path], why: str = "asked for") -> list[Change]:
    """These files leave the dataset."""
    return [Change("trash", Path(path), why) for path in paths]


def plan_edit(
    images: Iterable[ImageFile], edit: CaptionEdit, extension: str = ".txt"
) -> list[Change]:
    """One edit of every caption; a picture without one gets it where the edit gives it tags."""
    return _plan_texts(images, lambda image: edit.text(image.caption), edit.what, extension)


def plan_trigger(
    images: Iterable[ImageFile], trigger: str, extension: str = ".txt"
) -> list[Change]:
    """The trigger stands first in every caption; a picture without one gets it."""
    return plan_edit(images, caption_edits.prepend(trigger), extension)


def plan_append(
    images: Iterable[ImageFile], new: list[str], extension: str = ".txt"
) -> list[Change]:
    """Every caption has these tags, the missing ones at its end."""
    return plan_edit(images, caption_edits.append(new), extension)


def plan_prune(images: Iterable[ImageFile], unwanted: list[str]) -> list[Change]:
    """No caption has these tags."""
    return plan_edit(images, caption_edits.remove(unwanted))


def plan_dedupe(images: Iterable[ImageFile]) -> list[Change]:
    """Every caption has each tag once."""
    return plan_edit(images, caption_edits.dedupe())


def plan_one_line(images: Iterable[ImageFile]) -> list[Change]:
    """Every caption is one line of tags."""
    return _plan_texts(images, lambda image: join_tags(split_tags(image.caption)), "one line")


def plan_tags(
    images: Iterable[ImageFile],
    captions: Mapping[Path, list[str]],
    when: When = "empty",
    extension: str = ".txt",
) -> list[Change]:
    """A tagger's tags by picture: into empty captions only, over, behind or before the old."""

    def edit(image: ImageFile, old: list[str]) -> list[str]:
        new = captions.get(image.path)
        if new is None:
            return old
        if when == "append":
            return tags.append_tags(old, new)
        if when == "prepend":
            return tags.add_trigger(old, new)
        return new if when == "overwrite" or not old else old

    return _plan_captions(images, edit, f"tags, {when}", extension)


def _plan_captions(
    images: Iterable[ImageFile],
    edit: Callable[[ImageFile, list[str]], list[str]],
    why: str,
    extension: str = ".txt",
) -> list[Change]:
    def text(image: ImageFile) -> str:
        old = split_tags(image.caption)
        new = edit(image, list(old))
        return image.caption if new == old else join_tags(new)

    return _plan_texts(images, text, why, extension)


def _plan_texts(
    images: Iterable[ImageFile],
    text: Callable[[ImageFile], str],
    why: str,
    extension: str = ".txt",
) -> list[Change]:
    changes: dict[Path, Change] = {}  # a.png and a.webp share a.txt
    for image in images:
        path = image.caption_path or caption_path(image.path, extension)
        old, new = image.caption, text(image)
        if new != old and path not in changes:
            changes[path] = Change("caption", path, why, path, before=old, after=new)
    return list(changes.values())


def _rewritten(
    image: ImageFile, extension: str, edits: tuple[Edit, ...], why: str, names: _Names
) -> Change:
    to = image.path
    why += ", its first frame" if image.animated else ""
    if format_of(to.suffix) != format_of(extension):
        to = names.free(to.with_suffix(extension))
    return Change("picture", image.path, why, to, image.stamp, edits=edits)


def _kept_extension(image: ImageFile) -> str:
    """A picture's own extension, or .png where that kind cannot be written."""
    return image.path.suffix if format_of(image.path.suffix) else ".png"


class _Names:
    """Which names are in use, with a look at file systems that fold case."""

    def __init__(self, images: Iterable[ImageFile], taken: Iterable[Path]) -> None:
        self._paths = {self._key(path) for path in [*(it.path for it in images), *taken]}
        self._stems = {os.path.splitext(path)[0] for path in self._paths}

    @staticmethod
    def _key(path: Path) -> str:
        return str(path).casefold()

    def free(self, path: Path) -> Path:
        """This name, or with _2, _3 … the first that no picture has; it is in use from now on."""
        wanted, number = path, 1
        while self._key(wanted) in self._paths or (
            number > 1 and self._key(wanted.with_suffix("")) in self._stems
        ):
            number += 1
            wanted = path.with_name(f"{path.stem}_{number}{path.suffix}")
        self._paths.add(self._key(wanted))
        self._stems.add(self._key(wanted.with_suffix("")))
        return wanted
