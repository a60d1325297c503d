"""Whole datasets through a tagger."""

from collections.abc import Sequence
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from PIL import Image

from lib_lora_cook.captioning import tagging
from lib_lora_cook.captioning.base import Choice, Tags
from lib_lora_cook.captioning.tagging import Tagging, tag_dataset, tag_pictures
from lib_lora_cook.dataset import journal
from lib_lora_cook.dataset.images import Failure, scan_captions
from lib_lora_cook.jobs import Cancelled, Job
from tests.dataset.tree import save, snapshot, write


class Brightness:
    """Tells the red of a picture; notes how many it is given at once."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def predict(self, images: Sequence[Image.Image]) -> list[Tags]:
        self.batches.append(len(images))
        return [Tags(general={f"red_{image.getpixel((0, 0))[0]}": 1.0}) for image in images]  # type: ignore[index]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(21):
        save(tmp_path / f"{number:02}.png", Image.new("RGB", (2, 2), (number, 0, 0)))
    write(tmp_path / "03.txt", "solo")
    return tmp_path


def caption(folder: Path, number: int) -> str:
    return (folder / f"{number:02}.txt").read_text()


def test_pictures_keep_their_order_and_a_bad_one_stops_nothing(folder: Path) -> None:
    (folder / "05.png").write_bytes(b"nothing")
    failed: list[Failure] = []
    tagger = Brightness()
    seen = list(tag_pictures(scan_captions(folder) * 2, tagger, failed))
    names = [next(iter(tags.general)) for _, tags in seen]
    assert names == [f"red_{int(image.path.stem)}" for image, _ in seen]
    assert len(seen) == 40 and [path.name for path, _ in failed] == ["05.png"] * 2
    assert max(tagger.batches) == 8


def test_who_can_be_asked_from_many_threads_is_asked_for_a_picture_at_a_time(folder: Path) -> None:
    (folder / "05.png").write_bytes(b"nothing")
    failed: list[Failure] = []
    tagger, meeting = Brightness(), Barrier(2)

    class Patient(Brightness):
        at_once = 2

        def predict(self, images: Sequence[Image.Image]) -> list[Tags]:
            meeting.wait(timeout=10)  # for the other thread
            return tagger.predict(images)

    seen = list(tag_pictures(scan_captions(folder) * 2, Patient(), failed))
    names = [next(iter(tags.general)) for _, tags in seen]
    assert names == [f"red_{int(image.path.stem)}" for image, _ in seen]
    assert len(seen) == 40 and [path.name for path, _ in failed] == ["05.png"] * 2
    assert set(tagger.batches) == {1}


def test_a_whole_dataset_is_one_operation_whatever_the_number_of_writes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tagging, "_SAVE_PICTURES", 4)
    before = snapshot(folder)
    result = tag_dataset(folder, Brightness(), Tagging())
    assert (result.tagged, result.skipped, len(result.changes)) == (20, 1, 20)
    assert caption(folder, 7) == "red 7" and caption(folder, 3) == "solo"
    assert [entry.what for entry in journal.history(folder)] == ["tag"]
    journal.undo(folder)
    assert snapshot(folder) == before


@pytest.mark.parametrize(
    ("when", "text"),
    [("overwrite", "red 3"), ("append", "solo, red 3"), ("prepend", "red 3, solo")],
)
def test_tags_go_where_they_are_wanted(folder: Path, when: Any, text: str) -> None:
    assert tag_dataset(folder, Brightness(), Tagging(when=when)).skipped == 0
    assert caption(folder, 3) == text


def test_what_is_found_is_written_as_it_comes_and_stays_when_it_is_stopped(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tagging, "_SAVE_PICTURES", 4)
    there: list[int] = []

    class Impatient(Job):
        @property
        def cancelled(self) -> bool:
            return len(there) > 10

        def report(self, done: int, total: int, text: str = "") -> None:
            there.append(len(list(folder.glob("*.txt"))))

    with pytest.raises(Cancelled):
        tag_dataset(folder, Brightness(), Tagging(), Impatient())
    assert there[3] == 5 and there[7] == 9
    assert len(list(folder.glob("*.txt"))) == 17
    assert len(journal.history(folder)) == 1


def test_a_dry_run_writes_nothing(folder: Path) -> None:
    before = snapshot(folder)
    wanted = Tagging(Choice(spaces=False), "overwrite", ".caption", dry_run=True)
    result = tag_dataset(folder, Brightness(), wanted)
    assert len(result.changes) == 21 and result.changes[3].after == "red_3"
    assert result.changes[3].path.name == "03.caption" and snapshot(folder) == before


def test_two_pictures_with_one_caption_get_the_first_one_s_tags(folder: Path) -> None:
    save(folder / "07.webp", Image.new("RGB", (2, 2), (99, 0, 0)), lossless=True)
    result = tag_dataset(folder, Brightness(), Tagging())
    assert caption(folder, 7) == "red 7" and not result.failed
