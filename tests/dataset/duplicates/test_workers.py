"""Work in processes comes to what it comes to here, whatever happens to them."""

import os
import sys
from functools import partial
from pathlib import Path

import pytest

from lib_lora_cook.dataset.duplicates import find, find_duplicates, search, views, workers
from lib_lora_cook.dataset.duplicates.prints import make_print
from lib_lora_cook.dataset.duplicates.workers import Workers
from lib_lora_cook.dataset.images import scan_subset
from lib_lora_cook.errors import UserError
from lib_lora_cook.jobs import Cancelled, Job

from ..tree import save
from .scenes import scene
from .tasks import gone_elsewhere, own, refused


@pytest.fixture
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "THREADS", 2)
    monkeypatch.syspath_prepend(Path(__file__).parents[2])  # for them to find `tasks`


@pytest.mark.usefixtures("two_cores")
def test_items_are_computed_elsewhere_and_come_back_in_order() -> None:
    with Workers() as crew:
        made = list(crew.map(partial(own, 100), range(40), many=True))
        again = list(crew.map(partial(own, 200), range(3), many=True))
    assert [it for _, it in made] == list(range(100, 140))
    assert [it for _, it in again] == [200, 201, 202]
    pids = {pid for pid, _ in made}
    assert os.getpid() not in pids and len(pids) <= 2
    assert {pid for pid, _ in again} <= pids


@pytest.mark.usefixtures("two_cores")
def test_a_refusal_is_told_as_it_was_said() -> None:
    with Workers() as crew, pytest.raises(UserError, match=r"Not this one: 0. Leave it out"):
        list(crew.map(refused, range(4), many=True))


@pytest.mark.usefixtures("two_cores")
def test_the_work_of_a_process_that_is_gone_is_done_here() -> None:
    with Workers() as crew:
        made = crew.map(partial(gone_elsewhere, os.getpid()), range(20), many=True)
        assert list(made) == list(range(20))


@pytest.mark.usefixtures("two_cores")
def test_where_no_process_can_be_started_all_is_done_here(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    with Workers() as crew:
        assert {pid for pid, _ in crew.map(partial(own, 0), range(9), many=True)} == {os.getpid()}


@pytest.mark.usefixtures("two_cores")
def test_a_stop_ends_it_between_two_items() -> None:
    class Stopped(Job):
        seen = 0

        @property
        def cancelled(self) -> bool:
            self.seen += 1
            return self.seen > 3

    with Workers(Stopped()) as crew, pytest.raises(Cancelled):
        list(crew.map(partial(own, 0), range(1000), many=True))


@pytest.mark.usefixtures("two_cores")
def test_copies_are_the_same_in_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(12):
        save(tmp_path / f"{seed}.png", scene(seed))
        save(tmp_path / f"{seed} cut.jpg", scene(seed).crop((10, 5, 231, 224)), quality=85)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    failed: list[tuple[Path, str]] = []
    here = find_duplicates(scan_subset(tmp_path, failed))
    started = []
    real = workers._Process
    monkeypatch.setattr(workers, "_Process", lambda: started.append(1) or real())
    for module in (find, search, views):
        monkeypatch.setattr(module, "_MANY", 0)
    assert find_duplicates(scan_subset(tmp_path, failed)) == here
    assert len(here) == 12 and len(started) == 2


def test_views_of_other_shapes_are_not_compared() -> None:
    """A window of a wide picture is not a copy of a tall one, however alike when squeezed."""
    tall = scene(1).resize((120, 240))
    prints = [make_print(it, it.size, str(at)) for at, it in enumerate([scene(1), tall, scene(2)])]
    assert not len(search.candidates(prints))
