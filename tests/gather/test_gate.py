"""The proxy for gallery-dl lets through what the guard lets through."""

from __future__ import annotations

import socket
from urllib.request import ProxyHandler, build_opener

import pytest

from lib_lora_cook.gather.addresses import Guard, guard_for
from lib_lora_cook.gather.gate import open_gate

from .board import Board, Entry, picture, serving


def through(proxy: str, url: str) -> tuple[int, bytes]:
    opener = build_opener(ProxyHandler({"http": proxy, "https": proxy}))
    try:
        with opener.open(url, timeout=10) as answer:
            return answer.status, answer.read()
    except OSError as error:
        return getattr(error, "code", 0), b""


def connect(proxy: str, target: str) -> bytes:
    host, port = proxy.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as client:
        client.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
        return client.recv(100)


def test_the_named_server_is_reached() -> None:
    with (
        serving(Board("danbooru", [Entry(1, picture(1))])) as board,
        open_gate(guard_for([board.root])) as (proxy, refused),
    ):
        data = board.entries[0].data
        assert through(proxy, f"{board.root}/images/1/1.png") == (200, data)
        assert connect(proxy, board.root.removeprefix("http://")).startswith(b"HTTP/1.1 200")
        assert refused == []


@pytest.mark.parametrize("target", ["127.0.0.1:{port}", "localhost:{port}", "[::1]:80"])
def test_other_servers_of_this_computer_are_not(target: str) -> None:
    with (
        serving(Board("danbooru", [Entry(1, picture(1))])) as board,
        open_gate(Guard()) as (proxy, refused),
    ):
        target = target.format(port=board.root.rpartition(":")[2])
        assert through(proxy, f"http://{target}/images/1/1.png")[0] == 403
        assert connect(proxy, target).startswith(b"HTTP/1.1 403")
        assert all("leads to this computer" in it for it in refused)
        assert board.asked == []


def test_a_redirect_through_it_is_checked_too() -> None:
    with serving(Board("danbooru", [])) as other, serving(Board("danbooru", [])) as board:
        board.redirects["/here"] = f"{other.root}/posts.json"
        with open_gate(guard_for([board.root])) as (proxy, _):
            assert through(proxy, f"{board.root}/here")[0] == 403
        assert other.asked == []
