"""Which addresses may be reached: public ones, and those of a site that the person has named."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, urlsplit

from ..errors import UserError

Endpoint = tuple[str, int]
PORTS = {"http": 80, "https": 443}
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: an IPv4 address in the last four bytes


class Refused(UserError):
    """An address that must not be reached."""


@dataclass(frozen=True)
class Guard:
    """Decides before every connection; `named` are the (address, port) that the person meant."""

    named: frozenset[Endpoint] = frozenset()

    def addresses(self, host: str, port: int) -> list[str]:
        """Where to connect for a host: its addresses that may be reached, as numbers.

        Whoever connects must use these and not ask for the name again, which could then lead
        elsewhere. Raises Refused if there is none, OSError if the name is unknown.
        """
        found = resolve(host, port)
        good = [it for it in found if is_public(it) or (it, port) in self.named]
        if not good:
            raise Refused(
                f"This address leads to this computer or its network ({found[0]})", host,
                "If you mean that server, name it as the site, or with --allow HOST:PORT.",
            )  # fmt: skip
        return good

    def is_named(self, host: str, port: int) -> bool:
        """Whether a host is one of the person's own."""
        try:
            return any((it, port) in self.named for it in resolve(host, port))
        except OSError:
            return False


def guard_for(urls: Iterable[str], servers: Iterable[str] = ()) -> Guard:
    """Lets through what is public, these sites, and these servers (host or host:port)."""
    wanted = [(parts.hostname or "", port_of(parts)) for parts in map(split_url, urls)]
    for server in servers:
        parts = split_url(f"http://{server}")
        ports = (80, 443) if parts.port is None else (parts.port,)
        wanted += [(parts.hostname or "", port) for port in ports]
    named: set[Endpoint] = set()
    for host, port in wanted:
        try:
            named |= {(address, port) for address in resolve(host, port)}
        except OSError:
            continue  # not there now: the first request says so
    return Guard(frozenset(named))


def resolve(host: str, port: int) -> list[str]:
    """A host's addresses as numbers, in the system's order; OSError if it has none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except ValueError as error:  # UnicodeError too
        raise OSError(f"{host} is no name of a server") from error
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def is_public(address: str) -> bool:
    """Whether an address (as numbers) is one of the open internet, however it is wrapped."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        inner = [ip.ipv4_mapped, ip.sixtofour, *(ip.teredo or ())]
        if ip in _NAT64:
            inner.append(ipaddress.IPv4Address(ip.packed[-4:]))
        if any(it is not None and not is_public(str(it)) for it in inner):
            return False
        if ip.ipv4_mapped is not None:
            return True
    return ip.is_global and not ip.is_multicast


def split_url(url: str) -> SplitResult:
    """An http(s) address in its parts, fit to be sent; Refused for any other."""
    try:
        parts = urlsplit(url.strip())
        port, host = parts.port, parts.hostname or ""
        name = host.encode("ascii" if ":" in host else "idna").decode("ascii")
    except ValueError as error:  # UnicodeError too
        raise Refused(
            "This is no address of a site", url.split("?")[0][:200], "Write https://…"
        ) from error
    if parts.scheme not in PORTS or not name:
        raise Refused(
            "Only addresses with http:// or https:// are fetched", url.split("?")[0][:200]
        )
    place = f"[{name}]" if ":" in name else name
    return parts._replace(
        netloc=place if port is None else f"{place}:{port}",  # without a name and password
        path=quote(parts.path, safe="/%!$&'()*+,;=:@~"),
        query=quote(parts.query, safe="/%!$&'()*+,;=:@~?[]"),
        fragment="",
    )


def port_of(parts: SplitResult) -> int:
    """The port of an address."""
    return parts.port or PORTS[parts.scheme]


def shown(url: str) -> str:
    """An address without what is secret in it: keys travel behind the question mark."""
    parts = urlsplit(url)
    return f"{parts.hostname}{parts.path}"[:200]
