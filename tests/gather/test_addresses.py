"""No way to this computer or its network, unless that very site was named."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from lib_lora_cook.gather.addresses import Guard, Refused, guard_for, is_public, shown, split_url


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255",
        "192.168.1.1", "169.254.169.254", "100.64.0.1", "192.0.0.1", "224.0.0.1", "240.0.0.1",
        "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:127.0.0.1",
        "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2002:c0a8:101::1",
    ],
)  # fmt: skip
def test_these_are_not_of_the_open_internet(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "172.32.0.1"])
def test_these_are(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001"])
def test_every_spelling_of_this_computer_is_seen_through(host: str) -> None:
    try:
        socket.getaddrinfo(host, 80)
    except OSError:
        pytest.skip("this system does not know the spelling")
    with pytest.raises(Refused, match="leads to this computer"):
        Guard().addresses(host, 80)


def test_a_named_server_may_be_reached_on_that_port_alone() -> None:
    guard = guard_for(["http://127.0.0.1:8123/index.php"])
    assert guard.addresses("127.0.0.1", 8123) == ["127.0.0.1"]
    assert guard.is_named("localhost", 8123)
    for port in (80, 8124):
        with pytest.raises(Refused):
            guard.addresses("127.0.0.1", port)


def test_servers_of_the_settings_may_be_reached() -> None:
    guard = guard_for([], ["127.0.0.1:8123", "[::1]", "no-such-name.invalid"])
    assert guard.named == {("127.0.0.1", 8123), ("::1", 80), ("::1", 443)}


def test_only_the_good_ones_of_several_addresses_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def both(host: str, port: int, **more: Any) -> list[Any]:
        return [(2, 1, 6, "", (it, port)) for it in ("10.0.0.1", "93.184.216.34")]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    assert Guard().addresses("two.example", 443) == ["93.184.216.34"]


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd", "ftp://1.1.1.1/a", "gopher://1.1.1.1", "javascript:alert(1)", "//x/y",
        "http://", "http:///path", "http://a:99999/", "http://[::1", "", "data:image/png;base64,AA",
        "http://" + "a" * 300 + "/",
    ],
)  # fmt: skip
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(Refused):
        split_url(url)


def test_an_address_is_made_fit_to_be_sent() -> None:
    parts = split_url("HTTP://me:secret@Bücher.example:8080/a b/ü\n%41.png?x=y z#part")
    assert parts.geturl() == "http://xn--bcher-kva.example:8080/a%20b/%C3%BC%41.png?x=y%20z"


def test_keys_do_not_show() -> None:
    assert shown("https://gelbooru.com/index.php?api_key=secret&user_id=1") == (
        "gelbooru.com/index.php"
    )
