"""A proxy on this computer that lets another program reach only what the guard lets through."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer
from urllib.parse import urlsplit, urlunsplit

from ..errors import UserError
from .addresses import Guard, split_url

_HEAD = 1 << 16  # bytes that the head of a request may have
_IDLE = 120.0  # seconds


class _Gate(ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, guard: Guard) -> None:
        super().__init__(("127.0.0.1", 0), _Visitor)
        self.guard = guard
        self.refused: list[str] = []

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that breaks off is no news."""


class _Visitor(BaseRequestHandler):
    """One connection: CONNECT for https, a whole address in the first line for http."""

    def handle(self) -> None:
        """Join the program with the server that it asks for, or refuse."""
        client: socket.socket = self.request
        client.settimeout(_IDLE)
        head, _, rest = _read_head(client).partition(b"\r\n\r\n")
        line, _, headers = head.partition(b"\r\n")
        method, target, version = line.decode("latin-1").split(" ", 2)
        gate: _Gate = self.server  # type: ignore[assignment]
        try:
            url = f"https://{target}" if method == "CONNECT" else target
            parts = split_url(url)
            port = parts.port or (443 if method == "CONNECT" else 80)
            (address, *_) = gate.guard.addresses(parts.hostname or "", port)
            server = socket.create_connection((address, port), timeout=_IDLE)
        except (OSError, UserError) as error:
            gate.refused += [str(error)] if isinstance(error, UserError) else []
            text = str(error).encode("utf-8", "replace")
            client.sendall(b"HTTP/1.1 403 Refused\r\nConnection: close\r\n\r\n" + text)
            return
        with server:
            if method == "CONNECT":
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                server.sendall(rest)
            else:
                plain = urlsplit(target)
                path = urlunsplit(("", "", plain.path or "/", plain.query, ""))
                start = f"{method} {path} {version}\r\nConnection: close\r\n".encode("latin-1")
                server.sendall(start + _without_connection(headers) + b"\r\n\r\n" + rest)
            _join(client, server)


def _read_head(client: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head and len(head) < _HEAD:
        block = client.recv(4096)
        if not block:
            break
        head += block
    return head


def _without_connection(headers: bytes) -> bytes:
    """The headers less those about the connection: each of ours carries a single request."""
    kept = (
        line for line in headers.split(b"\r\n")
        if not line.lower().startswith((b"connection:", b"proxy-connection:", b"keep-alive:"))
    )  # fmt: skip
    return b"\r\n".join(kept)


def _join(one: socket.socket, other: socket.socket) -> None:
    """Carry bytes both ways until both sides have said all."""
    back = threading.Thread(target=_carry, args=(other, one), daemon=True)
    back.start()
    _carry(one, other)
    back.join()


def _carry(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while block := source.recv(1 << 16):
            target.sendall(block)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextmanager
def open_gate(guard: Guard) -> Iterator[tuple[str, list[str]]]:
    """The proxy's address, for as long as the block lasts, and what it has refused so far."""
    with _Gate(guard) as gate:
        thread = threading.Thread(
            target=gate.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        thread.start()
        try:
            yield f"http://127.0.0.1:{gate.server_address[1]}", gate.refused
        finally:
            gate.shutdown()
            thread.join()
