"""The journal: what is applied, what is refused, and that everything comes back."""

import json
import os
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from lib_lora_cook.dataset.changes import (
    Change,
    plan_append,
    plan_convert,
    plan_flatten,
    plan_prune,
    plan_small,
    plan_trash,
    plan_trigger,
)
from lib_lora_cook.dataset.edits import Crop
from lib_lora_cook.dataset.images import scan_subset
from lib_lora_cook.dataset.journal import apply_changes, history, recover, undo
from lib_lora_cook.errors import UserError
from lib_lora_cook.jobs import Cancelled, Job

from .tree import dirty_folder, picture, save, snapshot, write

PLANS = {
    "convert": plan_convert,
    "flatten": plan_flatten,
    "trigger": lambda images: plan_trigger(images, "kafka"),
    "prune": lambda images: plan_prune(images, ["smile", "solo"]),
    "append": lambda images: plan_append(images, ["star"]),
    "small": lambda images: plan_small(images, 6),
    "trash": lambda images: plan_trash([images[0].path]),
}


@pytest.mark.parametrize("name", PLANS)
def test_every_plan_is_undone_byte_for_byte_with_names_and_times(tmp_path: Path, name: str) -> None:
    folder = dirty_folder(tmp_path / "set")
    before = snapshot(folder)
    result = apply_changes(folder, PLANS[name](scan_subset(folder)))
    assert result.applied and not result.failed
    assert snapshot(folder) != before
    assert undo(folder)
    assert snapshot(folder) == before


@pytest.mark.parametrize("name", [name for name in PLANS if name != "trash"])
def test_planning_again_over_the_result_gives_nothing(tmp_path: Path, name: str) -> None:
    folder = dirty_folder(tmp_path / "set")
    apply_changes(folder, PLANS[name](scan_subset(folder)))
    assert PLANS[name](scan_subset(folder)) == []


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(sorted(PLANS)), max_size=6))
def test_any_sequence_of_operations_is_undone_as_a_whole(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    folder = dirty_folder(tmp_path_factory.mktemp("set"))
    before = snapshot(folder)
    for name in names:
        try:
            images = scan_subset(folder)
        except UserError:  # enough in the trash: no picture is left
            break
        result = apply_changes(folder, PLANS[name](images))
        assert not result.failed
    undo(folder, to="0")
    assert snapshot(folder) == before
    assert all(entry.undone for entry in history(folder))


def test_the_caption_follows_a_converted_picture_and_stays_with_the_one_that_shares_it(
    tmp_path: Path,
) -> None:
    folder = dirty_folder(tmp_path)
    apply_changes(folder, plan_convert(scan_subset(folder)))
    assert (folder / "a_2.png").is_file() and not (folder / "a.webp").exists()
    assert (folder / "a_2.txt").read_bytes() == (folder / "a.txt").read_bytes()
    assert (folder / "b.png").is_file() and (folder / "b.txt").is_file()


def test_captions_and_caches_follow_into_a_folder_and_into_the_trash(tmp_path: Path) -> None:
    folder = dirty_folder(tmp_path)
    to = folder / "aside" / "x.webp"
    apply_changes(folder, [Change("move", folder / "b.webp", "test", to)])
    assert (folder / "aside" / "x.txt").is_file()
    assert (folder / "aside" / "x_0006x0008_sd.npz").is_file()
    apply_changes(folder, plan_trash([folder / "d.jpg", folder / "a.png"]))
    assert not (folder / "d.caption").exists()
    assert (folder / "a.txt").is_file(), "a.webp still needs it"
    apply_changes(folder, plan_trash([folder / "a.webp"]))
    assert not (folder / "a.txt").exists()


def test_a_mask_beside_a_picture_is_none_and_goes_with_it(tmp_path: Path) -> None:
    folder = dirty_folder(tmp_path)
    save(folder / "d-masklabel.png", picture(seed=8))
    before = snapshot(folder)
    assert all("mask" not in image.path.name for image in scan_subset(folder))
    apply_changes(folder, [Change("move", folder / "d.jpg", "test", folder / "aside" / "x.jpg")])
    assert (folder / "aside" / "x-masklabel.png").is_file()
    undo(folder)
    assert snapshot(folder) == before


def test_two_pictures_that_share_a_caption_take_it_along_when_both_go(tmp_path: Path) -> None:
    folder = dirty_folder(tmp_path)
    before = snapshot(folder)
    apply_changes(folder, plan_trash([folder / "a.png", folder / "a.webp"]))
    assert not (folder / "a.txt").exists()
    undo(folder)
    assert snapshot(folder) == before


def test_latents_that_were_cached_before_a_flatten_leave_the_dataset(tmp_path: Path) -> None:
    folder = dirty_folder(tmp_path)
    apply_changes(folder, plan_flatten(scan_subset(folder)))
    assert not (folder / "b_0006x0008_sd.npz").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_link_to_its_own_folder_goes_to_the_trash_and_comes_back(tmp_path: Path) -> None:
    save(tmp_path / "a.png", picture())
    (tmp_path / "self.png").symlink_to(".")
    applied = apply_changes(tmp_path, plan_trash([tmp_path / "a.png", tmp_path / "self.png"]))
    assert applied.failed == [] and not (tmp_path / "self.png").is_symlink()
    undo(tmp_path)
    assert os.readlink(tmp_path / "self.png") == "." and (tmp_path / "a.png").is_file()


def test_a_crop_can_make_a_second_picture_with_the_caption(tmp_path: Path) -> None:
    folder = dirty_folder(tmp_path)
    before = snapshot(folder)
    source, to = folder / "b.webp", folder / "b_2.png"
    change = Change("picture", source, "cut", to, edits=(Crop((0, 0, 3, 3)),), copy=True)
    apply_changes(folder, [change])
    with Image.open(to) as image:
        assert image.size == (3, 3)
    assert source.exists() and (folder / "b_2.txt").exists()
    undo(folder)
    assert snapshot(folder) == before


def test_one_bad_picture_does_not_stop_the_rest(tmp_path: Path) -> None:
    folder = dirty_folder(tmp_path)
    images = scan_subset(folder)
    data = (folder / "b.webp").read_bytes()
    (folder / "b.webp").write_bytes(data[: len(data) // 2])
    changes = plan_convert(images)
    changes = [Change("picture", c.path, c.why, c.to) for c in changes]  # without their stamps
    result = apply_changes(folder, changes)
    assert [change.path.name for change in result.applied] == ["a.webp"]
    assert [path.name for path, _ in result.failed] == ["b.webp"]
    assert (folder / "b.webp").exists() and (folder / "b.txt").exists()


def test_a_file_changed_since_the_plan_is_refused_by_name(tmp_path: Path) -> None:
    folder = dirty_folder(tmp_path)
    images = scan_subset(folder)
    changes = plan_trigger(images, "kafka") + plan_convert(images)
    write(folder / "b.txt", "someone else wrote this")
    os.utime(folder / "a.webp")
    (folder / "b.webp").unlink()
    result = apply_changes(folder, changes)
    reasons = {path.name: why for path, why in result.failed}
    assert set(reasons) == {"b.txt", "a.webp", "b.webp"}
    assert "Changed on disk" in reasons["b.txt"] and "Not there" in reasons["b.webp"]
    assert (folder / "b.txt").read_text() == "someone else wrote this"


def test_nothing_is_ever_overwritten(tmp_path: Path) -> None:
    folder = dirty_folder(tmp_path)
    before = snapshot(folder)
    write(folder / "b.png", "no picture, and not in the plan")
    images = scan_subset(folder, failed=[])
    result = apply_changes(
        folder,
        [
            *[change for change in plan_convert(images) if change.path.name == "b.webp"],
            Change("move", folder / "c.png", "test", folder / "d.jpg"),
            Change("move", folder / "c.png", "test", folder / "a.jpg"),  # a.txt is another's
        ],
    )
    reasons = [why for _, why in result.failed]
    assert "b.png is there already" in reasons[0] and "d.jpg is there already" in reasons[1]
    (folder / "b.png").unlink()
    (folder / "a.jpg").rename(folder / "c.png")
    assert snapshot(folder) == before


def test_a_move_whose_caption_has_no_place_is_refused_as_a_whole(tmp_path: Path) -> None:
    folder = dirty_folder(tmp_path)
    write(folder / "e.txt", "an orphan")
    before = snapshot(folder)
    result = apply_changes(folder, [Change("move", folder / "b.webp", "x", folder / "e.webp")])
    assert "e.txt is there already" in result.failed[0][1]
    assert snapshot(folder) == before


def test_files_outside_the_dataset_and_the_journal_itself_are_refused(tmp_path: Path) -> None:
    folder = dirty_folder(tmp_path / "set")
    other = write(tmp_path / "other.txt", "x")
    own = folder / ".lora_cook" / "journal.jsonl"
    result = apply_changes(folder, plan_trash([other, folder / ".." / "other.txt", own, folder]))
    assert len(result.failed) == 4 and other.exists()


def test_a_file_that_someone_changed_after_us_is_kept_when_we_undo(tmp_path: Path) -> None:
    folder = dirty_folder(tmp_path)
    before = snapshot(folder)
    apply_changes(folder, plan_trigger(scan_subset(folder), "kafka"))
    write(folder / "b.txt", "corrected by hand")
    write(folder / "c.txt", "this one too")
    lines = "\n".join(undo(folder))
    assert snapshot(folder) == before
    assert "b.txt was changed" in lines and "c.txt was changed" in lines
    kept = folder / ".lora_cook" / "trash" / "1" / "changed"
    assert (kept / "b.txt").read_text() == "corrected by hand"
    assert (kept / "c.txt").read_text() == "this one too"


def test_undo_goes_back_one_operation_or_to_a_point(tmp_path: Path) -> None:
    folder = dirty_folder(tmp_path)
    states = [snapshot(folder)]
    for name in ("trigger", "convert", "prune", "small"):
        apply_changes(folder, PLANS[name](scan_subset(folder)), what=name)
        states.append(snapshot(folder))
    assert [(e.id, e.what) for e in history(folder)] == [
        ("1", "trigger"), ("2", "convert"), ("3", "prune"), ("4", "small"),
    ]  # fmt: skip
    undo(folder)
    assert snapshot(folder) == states[3]
    undo(folder, to="1")
    assert snapshot(folder) == states[1]
    assert [e.undone for e in history(folder)] == [False, True, True, True]
    with pytest.raises(UserError, match="No such operation.*: 9"):
        undo(folder, to="9")
    undo(folder)
    assert undo(folder) == []
    assert snapshot(folder) == states[0]


def test_an_operation_after_an_undo_gets_a_new_number(tmp_path: Path) -> None:
    folder = dirty_folder(tmp_path)
    apply_changes(folder, PLANS["trigger"](scan_subset(folder)))
    undo(folder)
    assert apply_changes(folder, PLANS["trigger"](scan_subset(folder))).entry == "2"


def test_no_changes_leave_no_trace(tmp_path: Path) -> None:
    assert apply_changes(tmp_path, []).entry == ""
    assert undo(tmp_path) == [] and recover(tmp_path) == [] and history(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_a_second_program_is_told_that_the_dataset_is_busy(tmp_path: Path) -> None:
    folder = dirty_folder(tmp_path)
    changes = plan_trigger(scan_subset(folder), "kafka")
    said: list[str] = []

    class Intruder(Job):
        def report(self, done: int, total: int, text: str = "") -> None:
            thread = threading.Thread(target=self.intrude)
            thread.start()
            thread.join()

        def intrude(self) -> None:
            try:
                undo(folder)
            except UserError as error:
                said.append(str(error))

    apply_changes(folder, changes, Intruder())
    assert len(said) == len(changes) and "Another program is changing this dataset" in said[0]
    assert undo(folder)


def test_a_cancelled_operation_keeps_what_it_made_and_can_be_undone(tmp_path: Path) -> None:
    folder = dirty_folder(tmp_path)
    before = snapshot(folder)

    class Impatient(Job):
        done = 0

        @property
        def cancelled(self) -> bool:
            return self.done >= 2

        def report(self, done: int, total: int, text: str = "") -> None:
            self.done = done

    with pytest.raises(Cancelled):
        apply_changes(folder, plan_trigger(scan_subset(folder), "kafka"), Impatient())
    assert [entry.changes for entry in history(folder)] == [2]
    undo(folder)
    assert snapshot(folder) == before


def test_a_step_that_fails_takes_its_change_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = dirty_folder(tmp_path)
    before = snapshot(folder)
    real = os.rename

    def rename(source: object, target: object) -> None:
        if str(target).endswith("x.txt"):
            raise PermissionError(13, "Permission denied", str(target))
        real(source, target)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "rename", rename)
    result = apply_changes(
        folder, [Change("move", folder / "b.webp", "t", folder / "s" / "x.webp")]
    )
    assert result.failed == [(folder / "b.webp", "Permission denied")] and result.entry == ""
    assert snapshot(folder) == before


def test_a_journal_line_cut_short_is_passed_over(tmp_path: Path) -> None:
    folder = dirty_folder(tmp_path)
    before = snapshot(folder)
    apply_changes(folder, PLANS["trigger"](scan_subset(folder)))
    with open(folder / ".lora_cook" / "journal.jsonl", "ab") as journal:
        journal.write(b'{"entry": 7, "do": 0, "st')
    apply_changes(folder, PLANS["convert"](scan_subset(folder)))
    undo(folder, to="0")
    assert snapshot(folder) == before


def test_the_journal_tells_each_change_on_a_line(tmp_path: Path) -> None:
    folder = dirty_folder(tmp_path)
    apply_changes(folder, PLANS["convert"](scan_subset(folder)), what="convert")
    lines = (folder / ".lora_cook" / "journal.jsonl").read_text().splitlines()
    documents = [json.loads(line) for line in lines]
    assert documents[0]["begin"] == "convert" and "end" in documents[-1]
    assert [d["path"] for d in documents if "do" in d] == ["a.webp", "b.webp"]


def test_works_where_the_disk_knows_no_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(source: object, target: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    folder = dirty_folder(tmp_path)
    before = snapshot(folder)
    assert not apply_changes(folder, PLANS["trigger"](scan_subset(folder))).failed
    undo(folder)
    assert snapshot(folder) == before


@pytest.mark.skipif(os.name == "nt", reason="needs a right to make links there")
def test_a_picture_that_is_a_link_stays_one(tmp_path: Path) -> None:
    target = save(tmp_path / "elsewhere" / "x.webp", picture(mode="RGBA"), lossless=True)
    folder = dirty_folder(tmp_path / "set")
    (folder / "x.png").symlink_to(target)
    write(tmp_path / "t.txt", "smile")
    (folder / "x.txt").symlink_to(Path("..") / "t.txt")
    before = snapshot(folder)
    apply_changes(folder, plan_flatten(scan_subset(folder)))
    apply_changes(folder, plan_trigger(scan_subset(folder), "kafka"))
    assert not (folder / "x.txt").is_symlink() and not (folder / "x.png").is_symlink()
    undo(folder, to="0")
    assert snapshot(folder) == before and (folder / "x.txt").is_symlink()
    assert (folder / "x.png").is_symlink()


@pytest.mark.skipif(os.name == "nt", reason="names are UTF-16 there")
def test_names_that_are_not_utf8_come_back_too(tmp_path: Path) -> None:
    folder = dirty_folder(tmp_path)
    name = os.fsdecode(b"caf\xe9.webp")
    save(folder / "plain.webp", picture(seed=9), lossless=True).rename(folder / name)
    before = snapshot(folder)
    result = apply_changes(folder, plan_convert(scan_subset(folder)))
    assert not result.failed and (folder / os.fsdecode(b"caf\xe9.png")).exists()
    undo(folder)
    assert snapshot(folder) == before


def test_a_missing_folder_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is no such folder.*nowhere"):
        apply_changes(tmp_path / "nowhere", plan_trash([tmp_path / "nowhere" / "a.png"]))


@pytest.mark.parametrize("when", range(7))
def test_a_full_disk_at_any_moment_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: int
) -> None:
    folder = dirty_folder(tmp_path)
    before = snapshot(folder)
    changes = plan_convert(scan_subset(folder))
    left = [when]

    def full(handle: int) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    try:
        result = apply_changes(folder, changes)
    except UserError as error:
        assert "No space left on device" in str(error)
    else:
        assert all("No space left" in why for _, why in result.failed)
    monkeypatch.undo()
    recover(folder)
    undo(folder, to="0")
    assert snapshot(folder) == before


def new_picture(folder: Path, name: str, **more: str) -> Change:
    """A picture from elsewhere."""
    source = save(folder.parent / f"from_{name}", picture(seed=9))
    return Change("add", folder / name, "new", source=source, **more)


def test_a_new_picture_comes_with_its_caption_and_sidecar(tmp_path: Path) -> None:
    folder = dirty_folder(tmp_path / "set")
    before = snapshot(folder)
    change = new_picture(folder, "n.png", after="solo", sidecar='{"post": 1}')
    assert apply_changes(folder, [change]).applied == [change]
    assert (folder / "n.png").read_bytes() == (tmp_path / "from_n.png").read_bytes()
    assert (folder / "n.txt").read_text() == "solo"
    assert (folder / "n.json").read_text() == '{"post": 1}'
    undo(folder)
    assert snapshot(folder) == before


def test_a_new_picture_comes_over_nothing_that_is_there(tmp_path: Path) -> None:
    folder = dirty_folder(tmp_path / "set")
    write(folder / "n.txt", "mine")
    before = snapshot(folder)
    changes = [new_picture(folder, "n.png", after="solo"), new_picture(folder, "a.png")]
    outside = Change("add", tmp_path / "x.png", "new", source=folder / "a.png")
    result = apply_changes(folder, [*changes, outside])
    assert not result.applied
    assert len(result.failed) == 3
    assert snapshot(folder) == before


def test_an_operation_that_goes_on_is_undone_as_one(tmp_path: Path) -> None:
    folder = dirty_folder(tmp_path / "set")
    before = snapshot(folder)
    first = apply_changes(folder, [new_picture(folder, "n.png")], what="gather")
    more = [new_picture(folder, "m.png"), *plan_trigger(scan_subset(folder)[:2], "kafka")]
    second = apply_changes(folder, more, what="gather", into=first.entry)
    assert second.entry == first.entry
    assert [(it.what, it.changes) for it in history(folder)] == [("gather", 1 + len(more))]
    undo(folder)
    assert snapshot(folder) == before


def test_what_comes_after_another_operation_is_one_of_its_own(tmp_path: Path) -> None:
    folder = dirty_folder(tmp_path / "set")
    first = apply_changes(folder, [new_picture(folder, "n.png")])
    apply_changes(folder, plan_trash([folder / "a.png"]))
    third = apply_changes(folder, [new_picture(folder, "m.png")], into=first.entry)
    assert third.entry == "3"
    undo(folder, to="2")
    again = apply_changes(folder, [new_picture(folder, "o.png")], into=third.entry)
    assert again.entry == "4"
