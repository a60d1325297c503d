"""Redirects are checked, waits are as long as asked for, secrets stay with whom they are for."""

from __future__ import annotations

import socket
import time
from email.utils import formatdate
from typing import Any

import pytest

from lib_lora_cook.gather import web as module
from lib_lora_cook.gather.addresses import Guard, Refused, guard_for
from lib_lora_cook.gather.web import SiteError, Web, basic_auth, in_words, retry_after
from lib_lora_cook.jobs import Cancelled, Job

from .board import Board, Entry, picture, serving


def board_of(**more: Any) -> Board:
    return Board("danbooru", [Entry(1, picture(1))], **more)


def visitor(board: Board, **more: Any) -> Web:
    """A visitor of this board who never really waits; `waits` are the pauses."""
    web = Web(guard_for([board.root]), **more)
    web.waits = []
    web.sleep = web.waits.append
    return web


def test_a_redirect_inside_the_named_site_is_followed() -> None:
    with serving(board_of(redirects={"/here": "/images/1/1.png"})) as board:
        assert visitor(board).read(f"{board.root}/here") == board.entries[0].data


@pytest.mark.parametrize(
    "where",
    [
        "http://127.0.0.1:{port}/images/1/1.png", "http://localhost:{port}/x", "http://[::1]/",
        "http://169.254.169.254/latest", "file:///etc/passwd",
        "http://[1",
    ],
)  # fmt: skip
def test_a_redirect_elsewhere_on_this_computer_is_refused(where: str) -> None:
    with serving(board_of()) as other, serving(board_of()) as board:
        board.redirects["/here"] = where.format(port=other.root.rpartition(":")[2])
        with pytest.raises(Refused):
            visitor(board).read(f"{board.root}/here")
        assert other.asked == []


def test_redirects_in_circles_end() -> None:
    with serving(board_of(redirects={"/here": "/here"})) as board:
        with pytest.raises(SiteError, match="circles"):
            visitor(board).read(f"{board.root}/here")
        assert board.times["/here"] < 10


def test_the_key_is_for_the_first_server_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []
    with serving(board_of()) as other, serving(board_of()) as board:
        board.redirects["/here"] = f"{other.root}/images/1/1.png"
        web = visitor(board)
        web.guard = guard_for([board.root, other.root])
        send = Web._send

        def noted(self: Web, parts: Any, headers: Any) -> Any:
            given.append((parts.netloc, headers.get("Authorization")))
            return send(self, parts, headers)

        monkeypatch.setattr(Web, "_send", noted)
        web.read(f"{board.root}/here", basic_auth("me", "key"))
    assert given[0][1] is not None
    assert given[1] == (other.root.removeprefix("http://"), None)


def test_it_connects_to_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is asked for twice may lead elsewhere the second time (DNS rebinding)."""
    answers = [["93.184.216.34"], ["93.184.216.34"], ["127.0.0.1"]]
    tried: list[Any] = []

    def changing(host: str, port: int, **more: Any) -> list[Any]:
        now = answers.pop(0) if len(answers) > 1 else answers[0]
        return [(2, 1, 6, "", (it, port)) for it in now]

    def connect(address: Any, timeout: float) -> Any:
        tried.append(address)
        raise OSError("not really")

    monkeypatch.setattr(socket, "getaddrinfo", changing)
    monkeypatch.setattr(module, "create_connection", connect)
    web = Web(Guard(), sleep=lambda seconds: None)
    with pytest.raises(Refused):  # from the second try on, the name leads here
        web.read("http://rebinding.example/")
    assert tried == [("93.184.216.34", 80)]


def test_a_busy_site_is_asked_again_after_the_pause_that_it_wants() -> None:
    with serving(board_of(api_troubles=[503, 429])) as board:
        web = visitor(board)
        assert web.read(f"{board.root}/posts.json").startswith(b"[")
        assert web.waits == [1.0, 2.0]
        assert web.interval > 0.5  # slower from now on
        assert board.times["/posts.json"] == 3


def test_it_gives_up_and_says_what_to_do() -> None:
    with serving(board_of(api_troubles=[429] * 9)) as board:
        with pytest.raises(SiteError, match="too often \\(429\\).*later") as told:
            visitor(board).read(f"{board.root}/posts.json?api_key=secret")
        assert board.times["/posts.json"] == 5
    assert told.value.is_down
    assert "secret" not in str(told.value)


@pytest.mark.parametrize(
    ("status", "words"),
    [(401, "API key"), (403, "browser"), (404, "the address"), (503, "later"), (418, "418")],
)
def test_every_status_has_its_words(status: int, words: str) -> None:
    assert words in str(in_words(status, "https://x.example/a"))


def test_a_long_pause_is_told_and_not_waited_for() -> None:
    assert "60 minutes" in str(in_words(429, "https://x.example/a", 3600))


@pytest.mark.parametrize("value", [None, "", "soon", "-3", "9" * 400])
def test_an_odd_retry_after_is_no_reason_to_fail(value: str | None) -> None:
    assert retry_after(value) >= 0


def test_retry_after_is_a_number_or_a_date() -> None:
    assert retry_after("120") == 120
    assert 50 < retry_after(formatdate(time.time() + 60, usegmt=True)) <= 60


def test_a_pause_can_be_cut_short() -> None:
    class Stopped(Job):
        cancelled = True

    with pytest.raises(Cancelled):
        Web(job=Stopped()).pause(3600)


def test_requests_to_a_server_keep_their_distance(monkeypatch: pytest.MonkeyPatch) -> None:
    web = Web(Guard(), interval=5.0)
    waits: list[float] = []
    web.sleep = waits.append
    monkeypatch.setattr(Guard, "is_named", lambda *it: False)
    for host in ("a.example", "b.example", "a.example"):
        web._keep_pace(host, 443)
    (wait,) = waits
    assert 4 < wait <= 5


def test_no_answer_is_told_in_words() -> None:
    with serving(board_of()) as board:
        pass
    with pytest.raises(SiteError, match="No answer from the site"):
        visitor(board).read(f"{board.root}/posts.json")
