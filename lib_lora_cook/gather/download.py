"""One post's file: fetched, gone on with after a break, and checked before it counts."""

from __future__ import annotations

import hashlib
import re
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import BinaryIO

from ..dataset.images import open_image
from ..errors import UserError
from .addresses import Refused, split_url
from .posts import Post
from .web import Reply, SiteError, Web, length_of

TRIES = 4
_BLOCK = 1 << 16


class BadFile(UserError):
    """A file that does not come whole, or not as the site describes it."""


@dataclass
class Fetcher:
    """Fetches into `folder`; what a kill leaves there is used by the next one."""

    web: Web
    folder: Path
    largest: int
    """Bytes that a file may have."""
    received: int = 0
    """Bytes that have come, of all files."""

    def fetch(self, post: Post) -> Path:
        """The post's file, whole; SiteError where the site does not give it, BadFile else."""
        part = self._part(post)
        if post.md5 and md5_of(part) == post.md5:
            return part
        self._check_size(post.file_size)
        if not post.md5:
            part.unlink(missing_ok=True)  # nothing says whether it is the same file
        why = ""
        for attempt in range(TRIES):
            why = self._try(post, part)
            if not why:
                return part
            if attempt < TRIES - 1:
                self.web.pause(float(2**attempt))
        raise BadFile(f"{why}, {TRIES} times", post.page)

    def _try(self, post: Post, part: Path) -> str:
        """One try; why it was in vain, "" if it was not."""
        start = part.stat().st_size if part.exists() else 0
        headers = {"Range": f"bytes={start}-"} if start else {}
        with suppress(Refused):  # some sites give files only to who comes from their page
            headers["Referer"] = split_url(post.page).geturl()
        try:
            with self.web.open(post.file_url, headers) as reply:
                whole = self._receive(reply, part, start)
        except SiteError as error:
            if error.status != 416:  # we have as many bytes as there are, but not the right ones
                raise
            whole = True
        except (OSError, HTTPException) as error:
            return f"The file did not come whole ({error})"
        if not whole:
            return "The file was cut short"
        why = flaw_of(part, post)
        if why:
            part.unlink()
        return why

    def _receive(self, reply: Reply, part: Path, start: int) -> bool:
        """Write the body behind what is there; whether it has come as long as it was to be."""
        goes_on = (reply.body.getheader("Content-Range") or "").startswith(f"bytes {start}-")
        start = start if reply.status == 206 and goes_on else 0
        length = length_of(reply)
        self._check_size(start + (length or 0))
        with open(part, "r+b" if start else "wb") as file:
            file.seek(start)
            file.truncate()
            size = self._copy(reply, file, start)
        return length is None or size == start + length

    def _copy(self, reply: Reply, file: BinaryIO, size: int) -> int:
        while block := reply.body.read(_BLOCK):
            self.web.job.check()
            size += len(block)
            self.received += len(block)
            self._check_size(size)
            file.write(block)
        return size

    def _check_size(self, size: int) -> None:
        if size > self.largest:
            raise BadFile(
                f"The file is larger than the limit of {self.largest / 2**20:g} MB", "",
                "--max-megabytes sets it.",
            )  # fmt: skip

    def _part(self, post: Post) -> Path:
        name = post.md5 or "post-" + re.sub(r"[^A-Za-z0-9]+", "-", str(post.id))[:60]
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder / f"{name}.part"


def flaw_of(file: Path, post: Post) -> str:
    """What is wrong with a file that has come: by its md5, or where that is unknown, as a picture.

    "" if nothing is.
    """
    if post.md5:
        return "" if md5_of(file) == post.md5 else "The file has not the md5 that the site says"
    try:
        open_image(file)
    except UserError as error:
        return error.what
    return ""


def md5_of(file: Path) -> str:
    """The md5 of a file's bytes in hexadecimal; "" if it cannot be read."""
    digest = hashlib.md5(usedforsecurity=False)
    try:
        with open(file, "rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    except OSError:
        return ""
    return digest.hexdigest()
