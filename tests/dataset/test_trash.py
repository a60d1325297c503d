"""The trash: shown with its size, emptied by a person only, and never undone by half."""

from pathlib import Path

import pytest

from lib_lora_cook.dataset import journal
from lib_lora_cook.dataset.changes import plan_small, plan_trash
from lib_lora_cook.dataset.images import scan_subset
from lib_lora_cook.dataset.trash import empty_trash, kept_originals
from lib_lora_cook.errors import UserError

from .tree import dirty_folder, snapshot


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return dirty_folder(tmp_path)


def test_each_operation_is_listed_with_what_it_keeps(folder: Path) -> None:
    assert kept_originals(folder) == []
    sizes = [(folder / name).stat().st_size for name in ("b.webp", "b.txt")]
    sizes += [(folder / "b_0006x0008_sd.npz").stat().st_size]
    journal.apply_changes(folder, plan_trash([folder / "b.webp"]), what="trash")
    journal.apply_changes(folder, plan_small(scan_subset(folder), 6))
    (kept,) = kept_originals(folder)
    assert (kept.id, kept.what, kept.files, kept.bytes) == ("1", "trash", 3, sum(sizes))
    with pytest.raises(UserError, match="no such folder"):
        kept_originals(folder / "nowhere")


def test_what_was_emptied_is_not_undone_and_says_so(folder: Path) -> None:
    journal.apply_changes(folder, plan_small(scan_subset(folder), 6))
    journal.apply_changes(folder, plan_trash([folder / "b.webp"]), what="trash")
    journal.apply_changes(folder, plan_trash([folder / "d.jpg"]), what="again")
    left = snapshot(folder)
    with pytest.raises(UserError, match="Nothing is kept of this operation: 9"):
        empty_trash(folder, ["9"])
    assert [it.id for it in empty_trash(folder, ["2"])] == ["2"]
    assert [it.id for it in kept_originals(folder)] == ["3"]
    assert snapshot(folder) == left
    with pytest.raises(UserError, match="trash of this has been emptied.*2 trash"):
        journal.undo(folder, to="0")
    assert snapshot(folder) == left, "nothing is undone by half"
    journal.undo(folder)
    assert (folder / "d.jpg").exists()
    with pytest.raises(UserError, match="emptied"):
        journal.undo(folder)
    assert empty_trash(folder) == []


def test_a_dataset_that_another_program_changes_is_left_alone(folder: Path) -> None:
    journal.apply_changes(folder, plan_trash([folder / "b.webp"]))
    with journal.opened(folder), pytest.raises(UserError, match="Another program is changing"):
        empty_trash(folder)
    assert len(kept_originals(folder)) == 1
