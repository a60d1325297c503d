"""The sites that gallery-dl knows, through that program: it lists the posts, we fetch the files.

It is GPL-2.0 and optional: run as a program of its own, never imported. Its requests go through
our gate, its output is a JSON list of `[3, file address, what is known of the post]`, of
`[2, ...]` for folders and `[-1, {"message": ...}]` for what went wrong.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus, urlsplit

from ..errors import UserError
from .addresses import Refused
from .gate import open_gate
from .keys import Keys, write_secret
from .posts import UNSORTED, Post, Tags, absolute, extension_of, number, valid_md5
from .sites import SITES, is_address
from .web import SiteError, Web, in_words

PLACE = "{query}"
NEED = "gallery-dl>=1.30"
FOLDER = "gallery-dl"
"""Where it lies in the person's folder of programs, if it was got from here."""
_FIRST_PORTION = 100
_EXAMPLE = re.compile(r"Category: *(\S*) - Subcategory: *(\S*)\nExample *: *(\S+)")
_WORDS = re.compile(r"TAGS?\b|QUERY|SEARCH(?!=)")
_FILE, _ERROR = 3, -1
_CATEGORIES = ("general", "artist", "character", "copyright", "meta", "species")
_RATINGS = {
    "g": "general", "general": "general", "s": "safe", "safe": "safe", "sensitive": "sensitive",
    "q": "questionable", "questionable": "questionable", "e": "explicit", "explicit": "explicit",
}  # fmt: skip


class Missing(UserError):
    """A site that gallery-dl may know, and it is not there."""

    def __init__(self, site: str) -> None:
        super().__init__(
            "This is no site that is known here", site,
            f"Known: {', '.join(SITES)}, and others of their kind by address. gallery-dl knows "
            "hundreds more and is not installed; get it with: lora-cook gather "
            "--get-gallery-dl, or pip install gallery-dl.",
        )  # fmt: skip


def find_program(programs: Path) -> list[str] | None:
    """How gallery-dl is started; None if it is neither installed nor in the folder `programs`."""
    own = programs / FOLDER / "gallery_dl" / "__main__.py"
    if own.is_file():
        return [sys.executable, str(own)]
    if find_spec("gallery_dl") is not None:
        return [sys.executable, "-m", "gallery_dl"]
    found = shutil.which("gallery-dl")
    return [found] if found else None


def install_program(programs: Path) -> None:
    """Get gallery-dl into a folder of its own, so that nothing of the WebUI's Python is altered.

    UserError with pip's last word where that fails.
    """
    index = os.environ.get("INDEX_URL", "")  # the WebUI's own setting
    folder = programs / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [
            sys.executable, "-m", "pip", "install", "--no-input", "--disable-pip-version-check",
            "--upgrade", "--target", str(folder), *(["--index-url", index] if index else []), NEED,
        ],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        encoding="utf-8", errors="replace", timeout=600, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        last = (done.stdout.strip().splitlines() or ["no reason given"])[-1]
        raise UserError(
            f"gallery-dl could not be installed ({last[:200]})", folder, "Check the network."
        )


@dataclass(frozen=True)
class GalleryDl:
    """A site that gallery-dl searches for us."""

    root: str
    address: str
    """Of a search, with {query} where the words go."""
    web: Web
    program: Sequence[str]
    keys: Keys = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    """More settings of gallery-dl's, under `extractor`."""

    def total(self, query: str) -> int | None:
        """Not known before all are listed."""
        return None

    def is_spoken(self) -> bool:
        """Whether gallery-dl takes this address is seen when it is asked."""
        return True

    def by_md5(self, md5: str) -> Post | None:
        """Not to be had from most of these sites."""
        return None

    def with_categories(self, post: Post) -> Post:
        """The post itself: the list says all that is known."""
        return post

    def pages(self, query: str) -> Iterator[list[Post]]:
        """The posts of a search, in growing portions: a portion is told when it is whole."""
        url, first, size = self.address.replace(PLACE, quote_plus(query)), 1, _FIRST_PORTION
        while True:
            found = self._listed(url, f"{first}-{first + size - 1}")
            files = [it for it in found if it[0] == _FILE]
            yield [_post_of(str(it[1]), dict(it[2]), self.root) for it in files]
            if len(files) < size:
                return
            first, size = first + size, 4 * size

    def _listed(self, url: str, portion: str) -> list[Any]:
        """What the program prints for a portion; SiteError for what it complains of."""
        with tempfile.TemporaryDirectory() as folder, open_gate(self.web.guard) as (proxy, refused):
            config = Path(folder) / "config.json"
            write_secret(config, json.dumps(self._settings(proxy)))
            command = [
                *self.program, "--config-json", str(config), "--dump-json", "--range", portion,
                "--", url,
            ]  # fmt: skip
            output, log = self._run(command)
            if refused:
                raise Refused(refused[-1])
        try:
            found = [it for it in json.loads(output or "[]") if isinstance(it, list) and it]
        except ValueError:
            found = []
        for kind, *rest in found:
            if kind == _ERROR:
                log += f"[error] {rest[0].get('message')}"
        self._complain(log)
        return found

    def _run(self, command: list[str]) -> tuple[str, str]:
        """Its output and its log; it ends when we are asked to stop."""
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            encoding="utf-8", errors="replace", env=_environment(),
        ) as running:  # fmt: skip
            try:
                while True:
                    self.web.job.check()
                    with suppress(subprocess.TimeoutExpired):
                        return running.communicate(timeout=0.25)
            finally:
                running.kill()

    def _settings(self, proxy: str) -> dict[str, Any]:
        login = {"username": self.keys.get("login"), "password": self.keys.get("api_key")}
        return {
            "extractor": {
                "proxy": proxy, "proxy-env": False, "sleep-request": self.web.interval,
                **{name: value for name, value in login.items() if value}, **self.config,
            },
            "output": {"jsonl": False, "ansi": False},
        }  # fmt: skip

    def _complain(self, log: str) -> None:
        """SiteError for what the program has to say about the site."""
        lines = [it for it in log.splitlines() if "[error]" in it]
        if not lines:
            return
        text = lines[-1].partition("[error]")[2].strip()
        status = re.search(r"\b(401|403|404|429|50\d)\b", text)
        if status:
            raise in_words(int(status[1]), self.root)
        if "Unsupported URL" in text:
            raise UserError(
                "gallery-dl knows no search at this address", self.root,
                "Give the address of a search page of the site, with {query} for the words.",
            )  # fmt: skip
        raise SiteError(200, f"gallery-dl: {text[:200]}", self.root)


def _environment() -> dict[str, str]:
    """The person's own, but for a way around the gate."""
    return {
        **{name: value for name, value in os.environ.items() if "proxy" not in name.lower()},
        "PYTHONUTF8": "1",
    }


def _post_of(url: str, known: dict[str, Any], root: str) -> Post:
    """One of gallery-dl's descriptions; the names are those that most sites share."""
    post = known.get("id", known.get("num", url))
    extension = extension_of(f"x.{known.get('extension') or ''}", url)
    return Post(
        id=number(post) or str(post),
        file_url=url,
        md5=valid_md5(known.get("md5")),
        tags=_tags_of(known),
        rating=_RATINGS.get(str(known.get("rating") or "").lower(), ""),
        width=number(known.get("width") or known.get("image_width")),
        height=number(known.get("height") or known.get("image_height")),
        file_size=number(known.get("file_size")),
        extension=extension,
        preview_url=absolute(root, known.get("preview_url") or known.get("preview_file_url")),
        page=str(known.get("post_url") or root),
        source=str(known.get("source") or ""),
        score=number(known.get("score")),
        created_at=str(known.get("created_at") or known.get("date") or ""),
    )


def _tags_of(known: dict[str, Any]) -> Tags:
    """Tags by category where there are any, else all of them unsorted."""
    tags = known.get("tags")
    if isinstance(tags, dict):
        sorted_ = {str(name): _words(it) for name, it in tags.items()}
    else:
        sorted_ = {name: _words(known.get(f"tags_{name}")) for name in _CATEGORIES}
    sorted_["general"] = (*sorted_.get("general", ()), *sorted_.pop("species", ()))
    return sorted_ if any(sorted_.values()) else {UNSORTED: _words(tags)}


def _words(tags: object) -> tuple[str, ...]:
    if isinstance(tags, str):
        return tuple(tags.split(", ") if ", " in tags else tags.split())
    return tuple(map(str, tags)) if isinstance(tags, Sequence) else ()


def search_address(site: str, program: Sequence[str]) -> str:
    """The address of a search on a site that is given by its name or any address.

    An address with {query} is that itself; UserError where gallery-dl knows no search there.
    """
    if PLACE in site:
        return site
    listed = subprocess.run(
        [*program, "--list-extractors"], capture_output=True, encoding="utf-8", errors="replace",
        stdin=subprocess.DEVNULL, timeout=60, check=False, env=_environment(),
    ).stdout  # fmt: skip
    for category, kind, example in _EXAMPLE.findall(listed):
        search = kind in ("tag", "search") and _WORDS.search(example)
        if search and _is_same(site, category, example):
            return _WORDS.sub(PLACE, example, count=1)
    raise UserError(
        "Neither we nor gallery-dl know a search on this site", site,
        "Give the address of its search page, with {query} for the words.",
    )  # fmt: skip


def _is_same(site: str, category: str, example: str) -> bool:
    host = (urlsplit(example).hostname or "").removeprefix("www.")
    if is_address(site):
        return (urlsplit(site).hostname or "").removeprefix("www.") == host
    return site.lower() in (category.lower(), host, host.split(".")[0])
