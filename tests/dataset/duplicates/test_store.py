"""What is kept of a folder is used again, or made anew where it is of another version."""

import os
import sqlite3
import sys
from pathlib import Path

import pytest

from lib_lora_cook.dataset.duplicates.prints import make_print
from lib_lora_cook.dataset.duplicates.store import Store
from lib_lora_cook.dataset.images import OWN_FOLDER, Stamp

from .scenes import scene


def kept(folder: Path) -> bool:
    with Store(folder) as store:
        return "it" in store.printed


def test_a_fingerprint_is_there_again_until_the_version_changes(tmp_path: Path) -> None:
    made = make_print(scene(1), (240, 240), "pixels")
    with Store(tmp_path) as store:
        store.add_print("it", made)
    assert kept(tmp_path)

    base = sqlite3.connect(next((tmp_path / OWN_FOLDER).glob("*.sqlite")))
    base.execute("pragma user_version = 1")
    base.close()
    assert not kept(tmp_path)
    with Store(tmp_path) as store:
        store.add_print("it", made)
    assert kept(tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has names that are not UTF-8")
def test_a_name_that_is_not_utf_8_is_remembered(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.png")
    with Store(tmp_path) as store:
        store.add_print("it", make_print(scene(1), (240, 240), "pixels"))
        store.add_file(path, Stamp(1, 2), "it")
    with Store(tmp_path) as store:
        assert store.file_hash(path, Stamp(1, 2)) == "it"


def test_files_of_one_name_and_time_in_two_subsets_are_two(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.add_print("it", make_print(scene(1), (240, 240), "pixels"))
        store.add_file(tmp_path / "3_a" / "x.bmp", Stamp(1, 2), "it")
        assert store.file_hash(tmp_path / "1_b" / "x.bmp", Stamp(1, 2)) is None
