"""What is kept of a folder is used again, or made anew where it is of another version."""

import sqlite3
from pathlib import Path

from lib_lora_cook.dataset.duplicates.prints import make_print
from lib_lora_cook.dataset.duplicates.store import Store
from lib_lora_cook.dataset.images import OWN_FOLDER

from .scenes import scene


def kept(folder: Path) -> bool:
    with Store(folder) as store:
        return store.has_print("it")


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
