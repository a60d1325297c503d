"""What a person last typed into the page, kept over a restart."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

Values = dict[str, str | bool]


def page_file(cache_dir: Path) -> Path:
    """Where the page's values are kept."""
    return cache_dir / "page.json"


def read_remembered(cache_dir: Path, form: str) -> Values:
    """The values of one form by name; nothing where there is no such file, or a broken one."""
    values = _read(page_file(cache_dir)).get(form, {})
    if not isinstance(values, dict):
        return {}
    return {str(name): value for name, value in values.items() if isinstance(value, str | bool)}


def write_remembered(cache_dir: Path, form: str, values: Mapping[str, Any]) -> None:
    """Keep the values of one form; a folder that cannot be written only forgets them."""
    path = page_file(cache_dir)
    told = {name: value for name, value in values.items() if isinstance(value, str | bool)}
    with suppress(OSError):
        cache_dir.mkdir(parents=True, exist_ok=True)
        new = path.with_suffix(".new")
        new.write_text(json.dumps({**_read(path), form: told}, indent=1), encoding="utf-8")
        new.replace(path)


def _read(path: Path) -> dict[str, Any]:
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}
