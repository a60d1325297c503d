"""HTTP for gathering: checked addresses, a pace, and patience with busy servers."""

from __future__ import annotations

import base64
import json
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPResponse
from socket import create_connection, socket
from typing import Any
from urllib.parse import SplitResult, urljoin, urlunsplit

from ..errors import UserError
from ..jobs import Job, null_job
from .addresses import Guard, port_of, shown, split_url

AGENT = "LoRA-Cook/0.1 (dataset gathering; one request at a time)"
TIMEOUT = 30.0
TRIES = 5
PROBES = 2  # tries where a site may well not have what it is asked for
LONGEST_WAIT = 300.0  # seconds; a server that asks for more gets no further tries now
LARGEST_ANSWER = 64 << 20  # bytes of an API's answer
_REDIRECTS = (301, 302, 303, 307, 308)
_BUSY = (408, 425, 429, 500, 502, 503, 504)
_SLICE = 0.25  # seconds between two looks at whether to stop


class SiteError(UserError):
    """A site that does not give what it was asked for; `status` is 0 where it did not answer."""

    def __init__(self, status: int, what: str, where: str, to_do: str = "") -> None:
        super().__init__(what, where, to_do)
        self.status = status

    @property
    def is_down(self) -> bool:
        """Whether the site as a whole is busy or gone, and not only this one thing."""
        return self.status == 0 or self.status in _BUSY


@dataclass(frozen=True)
class Reply:
    """An answer whose body is still to be read."""

    status: int
    url: str
    body: HTTPResponse


@dataclass
class Web:
    """A visitor who keeps apart its requests to each server; one thread only."""

    guard: Guard = field(default_factory=Guard)
    job: Job = null_job
    interval: float = 0.5
    sleep: Callable[[float], None] = time.sleep
    _next: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def open(
        self, url: str, headers: Mapping[str, str] | None = None, tries: int = TRIES
    ) -> Iterator[Reply]:
        """An answer of status 200 or 206; waits and asks again where a server is busy.

        Raises Refused for an address that must not be reached, SiteError for any other status.
        """
        error: SiteError | None = None
        for attempt in range(tries):
            connection, answer, at = self._ask(url, dict(headers or {}))
            with closing(connection):
                if isinstance(answer, HTTPResponse) and answer.status in (200, 206):
                    yield Reply(answer.status, at, answer)
                    return
                error, wait = _trouble(answer, at, attempt)
            if not error.is_down or wait > LONGEST_WAIT or attempt == tries - 1:
                break
            self.job.log(f"{error.what}: {error.where}; waiting {wait:.0f} s")
            self.pause(wait)
            if error.status == 429:
                self.interval = min(10.0, max(0.5, 2 * self.interval))
        assert error is not None
        raise error

    def read(self, url: str, headers: Mapping[str, str] | None = None, tries: int = TRIES) -> bytes:
        """A whole answer; SiteError also where it is too large or cut short."""
        for attempt in range(tries):
            data = b""
            try:
                with self.open(url, headers, tries) as reply:
                    data = reply.body.read(LARGEST_ANSWER + 1)
                    whole = length_of(reply) in (None, len(data))
            except (OSError, HTTPException):
                whole = False
            if not whole and len(data) <= LARGEST_ANSWER:
                self.pause(2.0**attempt)
                continue
            if len(data) > LARGEST_ANSWER:
                raise SiteError(200, "The site's answer is too large", shown(url))
            return data
        raise SiteError(0, "The site's answers are cut short", shown(url), "Try again later.")

    def read_json(
        self, url: str, headers: Mapping[str, str] | None = None, tries: int = TRIES
    ) -> Any:
        """An answer in JSON, or its text where it is none; None for an empty one."""
        text = self.read(url, headers, tries).decode("utf-8", "replace").strip()
        try:
            return json.loads(text) if text else None
        except (ValueError, RecursionError):
            return text

    def pause(self, seconds: float) -> None:
        """Wait, and stop waiting when asked to stop."""
        end = time.monotonic() + seconds
        if self.sleep is not time.sleep:
            self.sleep(seconds)
            end = 0.0
        while (left := end - time.monotonic()) > 0:
            self.job.check()
            self.sleep(min(left, _SLICE))
        self.job.check()

    def _ask(
        self, url: str, headers: dict[str, str]
    ) -> tuple[HTTPConnection, HTTPResponse | Exception, str]:
        """One question, redirects followed, each checked like the first address."""
        for _ in range(6):
            parts = split_url(url)
            connection, answer = self._send(parts, headers)
            to = answer.getheader("Location") if isinstance(answer, HTTPResponse) else None
            if not isinstance(answer, HTTPResponse) or answer.status not in _REDIRECTS or not to:
                return connection, answer, url
            connection.close()
            try:
                url = urljoin(urlunsplit(parts), to)
            except ValueError:
                url = to
            new = split_url(url)
            if (new.scheme, new.netloc) != (parts.scheme, parts.netloc):
                headers.pop("Authorization", None)  # meant for the first server alone
        raise SiteError(310, "The site sends us round in circles", shown(url))

    def _send(
        self, parts: SplitResult, headers: Mapping[str, str]
    ) -> tuple[HTTPConnection, HTTPResponse | Exception]:
        host, port = parts.hostname or "", port_of(parts)
        connection = HTTPConnection(host, port, timeout=TIMEOUT)
        try:
            addresses = self.guard.addresses(host, port)
            self._keep_pace(host, port)
            connection.sock = _connected(parts, addresses, port)
            target = urlunsplit(("", "", parts.path or "/", parts.query, ""))
            plain = {"Host": parts.netloc, "User-Agent": AGENT, "Accept-Encoding": "identity"}
            connection.request("GET", target, headers={**plain, **headers, "Connection": "close"})
            return connection, connection.getresponse()
        except (OSError, HTTPException) as error:
            connection.close()
            return connection, error
        except BaseException:
            connection.close()
            raise

    def _keep_pace(self, host: str, port: int) -> None:
        """Wait until this server may be asked again; a person's own needs no rest."""
        self.job.check()
        if self.guard.is_named(host, port):
            return
        wait = self._next.get(host, 0.0) - time.monotonic()
        if wait > 0:
            self.pause(wait)
        self._next[host] = time.monotonic() + self.interval


def length_of(reply: Reply) -> int | None:
    """How many bytes the body is said to have; None if that is not said."""
    text = reply.body.getheader("Content-Length") or ""
    return int(text) if text.isdecimal() else None


def basic_auth(login: str, key: str) -> dict[str, str]:
    """The header of RFC 7617."""
    pair = base64.b64encode(f"{login}:{key}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


def _connected(parts: SplitResult, addresses: list[str], port: int) -> socket:
    """A connection to the first of the checked addresses that answers."""
    last: OSError | None = None
    for address in addresses:
        try:
            sock = create_connection((address, port), timeout=TIMEOUT)
        except OSError as error:
            last = error
            continue
        if parts.scheme == "http":
            return sock
        try:
            return ssl.create_default_context().wrap_socket(sock, server_hostname=parts.hostname)
        except BaseException:
            sock.close()
            raise
    raise last or OSError("no address")


def _trouble(answer: HTTPResponse | Exception, url: str, attempt: int) -> tuple[SiteError, float]:
    """What a bad answer means in words, and how many seconds to wait before asking again."""
    wait = float(2**attempt)
    if isinstance(answer, Exception):
        why = str(answer) or type(answer).__name__
        to_do = "Check the address and your connection."
        return SiteError(0, f"No answer from the site ({why})", shown(url), to_do), wait
    asked = retry_after(answer.getheader("Retry-After"))
    return in_words(answer.status, url, asked), max(wait, asked)


def in_words(status: int, url: str, wait: float = 0.0) -> SiteError:
    """What a status other than 200 means, and what to do about it."""
    where, later = shown(url), "Run the same command later: it goes on where it has stopped."
    if wait > LONGEST_WAIT:
        later = f"It asks for a pause of {wait / 60:.0f} minutes. {later}"
    if status in (401, 407):
        what = "The site wants to know who asks (401)"
        to_do = "Make an API key in your account there and keep it: lora-cook gather --login SITE."
    elif status == 403:
        what = "The site refuses this (403)"
        to_do = "Look whether a browser may; some searches need an account: gather --login SITE."
    elif status == 404:
        what, to_do = "The site does not have this (404)", "Check the address."
    elif status == 429:
        what, to_do = "The site finds that we ask too often (429)", later
    elif status >= 500:
        what, to_do = f"The site is busy or out of order ({status})", later
    else:
        what, to_do = f"The site answers with status {status}", "Check the search and the address."
    return SiteError(status, what, where, to_do)


def retry_after(value: str | None) -> float:
    """Seconds that a Retry-After header asks for, given as a number or a date; 0 if none."""
    text = (value or "").strip()
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return 0.0
