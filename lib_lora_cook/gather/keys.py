"""The person's keys for sites, in a file that only its owner can read."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from ..errors import UserError

Keys = Mapping[str, str]
"""user_id and api_key (Gelbooru), login and api_key (Danbooru), login and password_hash."""

WANTED = {
    "gelbooru": ("user_id", "api_key"),
    "danbooru": ("login", "api_key"),
    "moebooru": ("login", "password_hash"),
}
"""Software -> what it wants to know."""


_OTHER_NAMES = {"login": ("username", "user_id"), "user_id": ("login",), "api_key": ("password",)}


def read_keys(file: Path, *names: str) -> dict[str, str]:
    """The keys for a site, under the first of its names and addresses; none if there are none.

    A file that others may read is closed to them first. UserError for one that is no JSON.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    _close(file)
    try:
        known = {name.rstrip("/"): it for name, it in json.loads(text).items()}
        found: Keys = next((known[it.rstrip("/")] for it in names if it.rstrip("/") in known), {})
        keys = {str(name): str(value) for name, value in found.items()}
    except (ValueError, AttributeError) as error:  # their text may hold a key: it is not shown
        raise UserError(
            "This file of keys cannot be read", file,
            'Write {"SITE": {"user_id": "...", "api_key": "..."}}.',
        ) from error  # fmt: skip
    for name, others in _OTHER_NAMES.items():
        value = next((keys[it] for it in (name, *others) if it in keys), "")
        if value:
            keys[name] = value
    return keys


def save_key(file: Path, site: str, keys: Keys) -> None:
    """Keep the keys for one site beside those that are there; none at all: forget the site."""
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        known = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        known = {}
    except ValueError as error:
        raise UserError("This file of keys cannot be read", file, "Mend or remove it.") from error
    known.pop(site.rstrip("/"), None)
    if keys:
        known[site.rstrip("/")] = dict(keys)
    write_secret(file, json.dumps(known, indent=1))


def write_secret(file: Path, text: str) -> None:
    """Write a file that nobody but its owner can read, at no moment."""
    new = file.with_name(f"{file.name}.{os.getpid()}.new")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(new, file)


def _close(file: Path) -> None:
    """Take a file of keys away from everyone else; Windows keeps a person's folder to them."""
    if os.name == "posix" and stat.S_IMODE(file.stat().st_mode) & 0o077:
        os.chmod(file, 0o600)
