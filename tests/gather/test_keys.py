"""Keys are for their owner alone."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from lib_lora_cook.errors import UserError
from lib_lora_cook.gather.keys import read_keys, save_key

KEYS = {"user_id": "1", "api_key": "secret"}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_is_saved_is_read(tmp_path: Path) -> None:
    file = tmp_path / "home" / "keys.json"
    save_key(file, "gelbooru", KEYS)
    save_key(file, "http://booru.lan:8000/", {"login": "me", "api_key": "k"})
    assert read_keys(file, "gelbooru") == {**KEYS, "login": "1"}
    assert read_keys(file, "nothing", "gelbooru")["api_key"] == "secret"
    assert read_keys(file, "http://booru.lan:8000")["login"] == "me"
    save_key(file, "gelbooru", {})
    assert read_keys(file, "gelbooru") == {}
    assert [it.name for it in file.parent.iterdir()] == ["keys.json"]


def test_no_file_is_no_keys(tmp_path: Path) -> None:
    assert read_keys(tmp_path / "keys.json", "gelbooru") == {}


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such modes")
def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    before = os.umask(0)
    try:
        save_key(file, "gelbooru", KEYS)
    finally:
        os.umask(before)
    assert mode(file) == 0o600
    file.chmod(0o644)
    read_keys(file, "gelbooru")
    assert mode(file) == 0o600


@pytest.mark.parametrize("text", ["secret", "[1]", '{"gelbooru": "secret"}'])
def test_a_broken_file_is_told_without_what_is_in_it(tmp_path: Path, text: str) -> None:
    file = tmp_path / "keys.json"
    file.write_text(text)
    with pytest.raises(UserError) as told:
        read_keys(file, "gelbooru")
    assert "secret" not in str(told.value)
