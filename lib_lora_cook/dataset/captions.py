"""Caption files: where they lie, how they are read and written, what a tag list in them is."""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from pathlib import Path

from ..errors import UserError

OTHER_ENDING = ".caption"
"""What some programs end their caption files with, instead of .txt."""
CANNOT = "Cannot read this caption"
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def caption_path(image_path: Path, extension: str = ".txt") -> Path:
    """Where the caption of a picture lies, whether it is there or not."""
    return image_path.with_suffix(extension)


def read_caption(path: Path | str) -> str:
    """The text of a caption file without the space around it; "" if there is no such file.

    Raises UserError where there is one that cannot be read.
    """
    try:
        with open(path, "rb", buffering=0) as file:
            return decode_caption(file.read())
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise UserError(f"{CANNOT} ({error.strerror})", path, "Check its rights.") from error


def decode_caption(data: bytes) -> str:
    """The text in a caption's bytes, whatever program wrote them; never fails.

    UTF-8 or UTF-16 with their marks, else UTF-8, else Windows-1252 with bad bytes replaced.
    """
    if data.startswith(_UTF16):
        text = data.decode("utf-16", "replace")
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = data.decode("cp1252", "replace")
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return lines.strip("\ufeff\0 \t\n")  # a file that a power cut has filled with zeros is empty


def encode_caption(text: str) -> bytes:
    """A caption's bytes: UTF-8 without a mark, lines ended by "\\n", none after the last."""
    return text.replace("\r\n", "\n").strip().encode("utf-8", "surrogatepass")


def split_tags(caption: str) -> list[str]:
    """The tags of a caption, split at commas and line ends, without empty ones."""
    parts = caption.replace("\n", ",").split(",")
    return [tag for part in parts if (tag := part.strip())]


def join_tags(tags: Iterable[str]) -> str:
    """The caption that holds these tags."""
    return ", ".join(tags)
