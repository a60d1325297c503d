"""kohya's metadata JSON of sd-scripts' finetune datasets: captions in one file, in and out.

{"path or stem of a picture": {"caption": "...", "tags": "...", "train_resolution": [w, h]}}, as
`finetune/merge_captions_to_metadata.py` and `merge_dd_tags_to_metadata.py` write it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from ..errors import IF_UNREAD, IF_UNWRITTEN, UserError
from .images import ImageFile

Field = Literal["tags", "caption"]


def read_metadata(file: Path, images: Iterable[ImageFile]) -> dict[Path, str]:
    """The caption that the file has for each of these pictures, if it has one.

    A caption with tags is both, joined by a comma, as sd-scripts trains it. UserError where the
    file cannot be read or is something else.
    """
    document = _read(file)
    by_path = {os.path.normcase(os.path.normpath(key)): key for key in document}
    found: dict[Path, str] = {}
    for image in images:
        whole = os.path.normcase(os.path.abspath(image.path))
        key = by_path.get(
            whole, image.path.name if image.path.name in document else image.path.stem
        )
        if key in document:
            found[image.path] = _text(document[key], file)
    return found


def _read(file: Path) -> dict[str, Any]:
    try:
        document = json.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UserError(f"Cannot read this file ({error.strerror})", file, IF_UNREAD) from error
    except ValueError as error:
        raise UserError(
            f"This is no JSON ({error})", file, "Write it again with the program that made it."
        ) from error
    if not isinstance(document, dict):
        raise UserError("This is not kohya's metadata", file, "It maps pictures to captions.")
    return document


def _text(entry: Any, file: Path) -> str:
    if not isinstance(entry, dict):
        raise UserError("This is not kohya's metadata", file, "It maps pictures to captions.")
    parts = (entry.get("caption"), entry.get("tags"))
    return ", ".join(part.strip() for part in parts if isinstance(part, str) and part.strip())


def write_metadata(
    file: Path, images: Iterable[ImageFile], field: Field = "tags", full_path: bool = True
) -> int:
    """Write the pictures' captions into the file; how many.

    What the file has already stays: other pictures, and what other tools noted of these. Keys are
    whole paths, or stems. UserError where it cannot be written.
    """
    document = _read(file) if file.exists() else {}
    count = 0
    for image in images:
        key = os.path.abspath(image.path) if full_path else image.path.stem
        entry = document.get(key)
        document[key] = {**(entry if isinstance(entry, dict) else {}), field: image.caption}
        count += 1
    new = file.with_name(f"{file.name}.new")
    try:
        with open(new, "w", encoding="utf-8") as out:
            json.dump(document, out, indent=2, ensure_ascii=False)
            out.flush()
            os.fsync(out.fileno())
        os.replace(new, file)
    except OSError as error:
        raise UserError(f"Cannot write this file ({error.strerror})", file, IF_UNWRITTEN) from error
    return count
