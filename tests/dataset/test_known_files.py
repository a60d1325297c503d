"""What is remembered of files: theirs as long as they are the same, and never in the way."""

import os
from pathlib import Path

from lib_lora_cook.dataset.images import Stamp
from lib_lora_cook.dataset.known_files import KnownFiles

ODD = os.fsdecode(b"caf\xe9") if os.name == "posix" else "café"


def known(folder: Path | None, there: set[str], version: int = 1) -> KnownFiles:
    return KnownFiles(folder, "facts.json", version, there)


def test_facts_are_there_again_while_name_size_and_time_are_the_same(tmp_path: Path) -> None:
    with known(tmp_path, {"a", ODD}) as facts:
        facts.add("a", Stamp(1, 2), [3, "x"])
        facts.add(ODD, Stamp(4, 5), [True])
        facts.add("gone in between", None, [1])
    with known(tmp_path, {"a", ODD}) as facts:
        assert facts.of("a", 1, 2) == [3, "x"] and facts.of(ODD, 4, 5) == [True]
        assert facts.of("a", 1, 3) is None and facts.of("a", 2, 2) is None
        assert facts.of("gone in between", 0, 0) is None


def test_another_version_a_missing_file_and_no_folder_know_nothing(tmp_path: Path) -> None:
    with known(tmp_path, {"a"}) as facts:
        facts.add("a", Stamp(1, 2), [3])
    assert known(tmp_path, {"a"}, version=2).of("a", 1, 2) is None
    with known(tmp_path, set()):
        pass
    assert known(tmp_path, {"a"}).of("a", 1, 2) is None, "forgotten once it was not there"
    with known(None, {"a"}) as facts:
        facts.add("a", Stamp(1, 2), [3])
        assert facts.of("a", 1, 2) == [3]


def test_a_folder_that_cannot_be_written_costs_only_the_memory(tmp_path: Path) -> None:
    (tmp_path / ".lora_cook").write_text("a file where the folder should be")
    with known(tmp_path, {"a"}) as facts:
        facts.add("a", Stamp(1, 2), [3])
    assert known(tmp_path, {"a"}).of("a", 1, 2) is None
