"""A folder of pictures on disk as values, and one picture opened safely."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from PIL import Image, UnidentifiedImageError

from ..errors import IF_UNREAD, UserError
from . import captions, pixels
from .whole import looks_cut, strictly

IMAGE_EXTENSIONS = frozenset(
    {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif", ".jxl"}
)
MASK_ENDINGS = ("-masklabel", "-condlabel")
"""Of the files that OneTrainer keeps beside a picture; they go with it, and are none themselves."""
OWN_FOLDER = ".lora_cook"  # journal and trash of a dataset, inside the dataset
MAX_PIXELS = 2 * 89_478_485  # where Pillow sees a decompression bomb; hosts turn its guard off
for _reader in ("pillow_avif", "pillow_jxl"):  # what Pillow itself does not read
    with suppress(ImportError):
        import_module(_reader)
_PLUGINS = {".jxl": "pillow-jxl-plugin", ".avif": "pillow-avif-plugin"}
_BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)

_BYTES = re.compile(r" \(\d+ bytes not processed\)")
_CANNOT, _NO_READER = "Cannot read this picture", "Pillow cannot read"

Failure = tuple[Path, str]


class Stamp(NamedTuple):
    """What tells that a file is still the one that was read: bytes and nanoseconds."""

    size: int
    mtime_ns: int


@dataclass(frozen=True)
class ImageFile:
    """One picture of a subset as its header tells; width and height are those seen upright."""

    path: Path
    width: int
    height: int
    format: str = "PNG"
    has_alpha: bool = False
    caption_path: Path | None = None
    caption: str = ""
    stamp: Stamp | None = None
    animated: bool = False


def scan_subset(
    folder: Path, failed: list[Failure] | None = None, caption_extension: str = ".txt"
) -> list[ImageFile]:
    """The pictures of a folder by name, without its subfolders; reads headers and captions only.

    What cannot be read is appended to `failed` with the reason; without such a list the first one
    raises UserError, so that nothing is ever left out silently. UserError also for a folder that is
    missing or holds no picture.
    """
    names = _picture_names(Path(folder))
    images: list[ImageFile] = []
    for name in names:
        try:
            images.append(read_image_file(Path(folder) / name, caption_extension))
        except UserError as error:
            if failed is None:
                raise
            failed.append((Path(folder) / name, error.what))
    return images


def scan_captions(
    folder: Path, failed: list[Failure] | None = None, caption_extension: str = ".txt",
    recursive: bool = False,
) -> list[ImageFile]:  # fmt: skip
    """The same pictures with their captions alone: no picture is opened, all sides are 0.

    recursive: those in its subfolders too, as in the folder above kohya's `3_name`.
    """
    images: list[ImageFile] = []
    for name in _picture_names(Path(folder), recursive):
        path = Path(folder) / name
        try:
            caption, text = _caption_of(path, caption_extension)
        except UserError as error:
            if failed is None:
                raise
            failed.append((Path(error.where), error.what))
        else:
            images.append(ImageFile(path, 0, 0, "", caption_path=caption, caption=text))
    return images


def _picture_names(folder: Path, recursive: bool = False) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if not entry.is_dir(follow_symlinks=False)]
    except NotADirectoryError as error:
        raise UserError("This is no folder", folder, "Give the folder of the pictures.") from error
    except OSError as error:
        raise UserError(f"Cannot open this folder ({error.strerror})", folder, IF_UNREAD) from error
    pictures = sorted(name for name in names if is_picture_name(name))
    if recursive:
        pictures += _names_below(folder)
    if not pictures:
        raise UserError("No pictures in this folder", folder, "Put PNG, JPEG or WebP files there.")
    return pictures


def _names_below(folder: Path) -> list[str]:
    """The pictures in subfolders, relative to the folder; nothing hidden, nothing twice."""
    found: list[str] = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        inside = os.path.relpath(place, folder)
        if inside != os.curdir:
            pictures = sorted(filter(is_picture_name, names))
            found += [os.path.join(inside, name) for name in pictures]
    return found


def picture_folders(folder: Path) -> list[Path]:
    """The folder, or, where it holds no picture itself, its subfolders that do. OSError."""
    if _holds_pictures(folder):
        return [folder]
    below = (it for it in sorted(folder.iterdir()) if it.is_dir() and not it.name.startswith("."))
    return [it for it in below if _holds_pictures(it)] or [folder]


def _holds_pictures(folder: Path) -> bool:
    with os.scandir(folder) as entries:
        return any(is_picture_name(it.name) and it.is_file() for it in entries)


def is_picture_name(name: str) -> bool:
    """Whether a file of this name is taken for a picture; hidden ones and masks are not."""
    dot = name.rfind(".")  # asked of every file in a folder: os.path.splitext takes thrice as long
    if dot < 1 or name[dot:].lower() not in IMAGE_EXTENSIONS:
        return False
    return not name.startswith(".") and not name.endswith(MASK_ENDINGS, 0, dot)


@strictly()
def read_image_file(path: Path, caption_extension: str = ".txt") -> ImageFile:
    """One picture's header and caption; UserError if it cannot be read.

    Where its file seems to be cut short, the pixels are decoded to be certain.
    """
    with _opened(path) as image:
        width, height = pixels.upright_size(image)
        kind, alpha = image.format or "", pixels.has_alpha(image)
        try:
            if looks_cut(image):
                image.load()
            moves = bool(getattr(image, "is_animated", False))
        except Exception as error:  # as in open_image
            raise UserError(_reason(error), path, "Replace or remove this file.") from error
    caption, text = _caption_of(path, caption_extension)
    return ImageFile(path, width, height, kind, alpha, caption, text, stamp_of(path), moves)


def _caption_of(path: Path, extension: str) -> tuple[Path | None, str]:
    """Where a picture's caption lies, None if there is none, and its text."""
    caption = captions.caption_path(path, extension)
    text = captions.read_caption(caption)
    return (caption if text or caption.is_file() else None), text


def stamp_of(path: Path | str) -> Stamp | None:
    """Size and time of a file, None if it is not there."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return Stamp(status.st_size, status.st_mtime_ns)


@strictly()
def open_image(path: Path) -> Image.Image:
    """The picture as a person sees it: upright, sRGB, 8 bit, RGB or RGBA, its first frame.

    Raises UserError for anything that is no whole picture.
    """
    with _opened(path) as image:
        try:
            return pixels.as_seen(image)
        except Exception as error:  # Pillow's decoders raise nearly anything on broken data
            raise UserError(_reason(error), path, "Replace or remove this file.") from error


@strictly()
def open_reduced(path: Path, side: int) -> tuple[Image.Image, tuple[int, int]]:
    """The same and its width and height, a JPEG decoded no larger than a square of `side` needs.

    The whole file is read all the same, so that a broken one is seen. UserError as above.
    """
    with _opened(path) as image:
        try:
            size = pixels.upright_size(image)
            if image.format == "JPEG":
                image.draft(image.mode, (side, side))
            return pixels.as_seen(image), size
        except Exception as error:  # as above
            raise UserError(_reason(error), path, "Replace or remove this file.") from error


def _opened(path: Path) -> Image.Image:
    """The picture with its header read; the caller closes it."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # a pipe would be waited for
            raise UserError("This is no file", path, "Remove it.")
        image = Image.open(path)
    except UserError:
        raise
    except Exception as error:  # as above
        raise _refusal(error, path) from error
    if image.width * image.height > MAX_PIXELS:
        image.close()
        raise UserError(_reason(Image.DecompressionBombError()), path, "Make it smaller.")
    return image


def _refusal(error: Exception, path: Path) -> UserError:
    """What is said of a file that no reader takes."""
    ending = Path(path).suffix.lower()
    unknown = ending in _PLUGINS and ending not in Image.registered_extensions()
    if unknown and isinstance(error, UnidentifiedImageError):
        return UserError(f"{_NO_READER} {ending} here", path, f"Install {_PLUGINS[ending]}.")
    unread = isinstance(error, OSError) and error.errno not in (None, errno.ELOOP)
    return UserError(_reason(error), path, IF_UNREAD if unread else "Replace or remove this file.")


def _reason(error: Exception) -> str:
    if isinstance(error, _BOMBS):
        return f"This picture has more than {MAX_PIXELS // 10**6} million pixels"
    if isinstance(error, FileNotFoundError):
        return "This picture is not there"
    if isinstance(error, OSError) and error.errno == errno.ELOOP:
        return "This link leads to itself"
    if isinstance(error, UnidentifiedImageError):
        return "Not a picture, or of a kind that Pillow cannot read here"
    if isinstance(error, OSError) and error.strerror:
        return f"{_CANNOT} ({error.strerror})"
    said = _BYTES.sub("", str(error))  # one reason for all files, wherever each was cut
    return f"This picture is broken ({said or type(error).__name__})"


def is_of_the_file(why: str) -> bool:
    """Whether a failure's reason lies in the picture's file, not in what can be read here."""
    return not why.startswith((_CANNOT, _NO_READER, captions.CANNOT))


def content_hash(path: Path) -> str:
    """SHA-256 of a file's bytes in hexadecimal; OSError if it cannot be read."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def repeats_of_folder(name: str) -> int | None:
    """How often kohya's folder name asks for its pictures: 3 for "3_name"; None if it does not."""
    match = re.fullmatch(r"(\d+)_.*", name)
    return int(match[1]) if match and int(match[1]) > 0 else None
