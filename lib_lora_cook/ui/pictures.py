"""Pictures inside the page: small copies as data, so that no file is ever served by its name."""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from pathlib import Path

from ..dataset.images import is_picture_name
from ..dataset.thumbnails import read_thumbnail
from ..errors import UserError
from ..hosts.base import Host
from . import texts
from .show import plain

SIDE = 176
"""Pixels of a small copy's side."""


def small_copies(host: Host) -> Path:
    """The folder where small copies are kept."""
    return host.cache_dir / "thumbnails"


def names_in(folder: Path) -> list[str]:
    """The pictures' names in order; none where there is no such folder."""
    try:
        with os.scandir(folder) as entries:
            return sorted(it.name for it in entries if is_picture_name(it.name))
    except OSError:
        return []


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
    return (
        '<div class="lora_cook_strip lora_cook_scroll" tabindex="0" role="region" '
        f'aria-label="{plain(texts.GROUPS["sample"])}">{inside}</div>'
    )


def data_uri(jpeg: bytes) -> str:
    """A JPEG as an address that needs no request."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")
