"""The queue in its file: any order, any entry, across restarts and failures."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib_lora_cook.errors import UserError
from lib_lora_cook.runs import queue


@pytest.fixture
def path(tmp_path: Path) -> Path:
    entries: list[queue.Entry] = []
    for name in ("a", "b", "c"):
        entries = queue.add(entries, tmp_path / f"{name}.toml")
    queue.write_queue(tmp_path / "home" / "queue.json", entries)
    return tmp_path / "home" / "queue.json"


def names(entries: list[queue.Entry]) -> str:
    return "".join(Path(entry.run).stem for entry in entries)


def test_it_is_the_same_after_a_restart(path: Path) -> None:
    entries = queue.read_queue(path)
    assert names(entries) == "abc"
    assert [entry.id for entry in entries] == [1, 2, 3]
    assert queue.read_queue(path.with_name("none.json")) == []
    assert list(path.parent.iterdir()) == [path], "no temporary file stays"


def test_moved_and_removed(path: Path) -> None:
    entries = queue.read_queue(path)
    assert names(queue.move(entries, 3, 1)) == "cab"
    assert names(queue.move(entries, 1, 99)) == "bca"
    assert names(queue.remove(entries, 2)) == "ac"
    assert queue.add(queue.remove(entries, 2), Path("d"))[-1].id == 4
    for wrong in (lambda: queue.remove(entries, 9), lambda: queue.move(entries, 9, 1)):
        with pytest.raises(UserError, match="No such run"):
            wrong()


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(-2, 9))))
def test_moving_never_loses_one(moves: list[tuple[int, int]]) -> None:
    entries = [queue.Entry(number, "x") for number in (1, 2, 3)]
    for number, place in moves:
        entries = queue.move(entries, number, place)
    assert sorted(entry.id for entry in entries) == [1, 2, 3]


def test_a_run_that_fails_does_not_stop_the_next(path: Path) -> None:
    cooked = []

    def cook(run: Path) -> str:
        cooked.append(run.stem)
        if run.stem == "a":
            queue.write_queue(path, queue.move(queue.read_queue(path), 3, 1))  # meanwhile
            raise UserError("No picture", run, "Add some.")
        return ""

    entries = queue.cook_queue(path, cook)
    assert cooked == ["a", "c", "b"]
    by_id = {entry.id: entry for entry in entries}
    assert (by_id[1].state, by_id[2].state, by_id[3].state) == ("failed", "done", "done")
    assert "No picture" in by_id[1].why


def test_a_stop_keeps_the_rest_waiting(path: Path) -> None:
    entries = queue.cook_queue(path, lambda run: "cancelled")
    assert [entry.state for entry in entries] == ["waiting"] * 3
    assert entries[0].why == "cancelled"


def test_a_program_that_dies_leaves_its_run_waiting(path: Path) -> None:
    def dies(run: Path) -> str:
        raise MemoryError

    with pytest.raises(MemoryError):
        queue.cook_queue(path, dies)
    assert queue.read_queue(path)[0].state == "waiting"
    queue.settle(path, {1: queue.COOKING})  # killed outright
    with pytest.raises(UserError, match="being cooked"):
        queue.remove(queue.read_queue(path), 1)
    done = queue.cook_queue(path, lambda run: "")
    assert {entry.state for entry in done} == {"done"}


def test_a_broken_file_is_named(path: Path) -> None:
    path.write_text("[{]", encoding="utf-8")
    with pytest.raises(UserError, match="queue cannot be read"):
        queue.read_queue(path)
