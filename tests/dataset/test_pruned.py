"""Which tags were pruned, as the journal tells."""

from pathlib import Path

from lib_lora_cook.dataset import journal
from lib_lora_cook.dataset.changes import plan_append, plan_prune
from lib_lora_cook.dataset.images import scan_captions
from lib_lora_cook.dataset.pruned import read_pruned

from .tree import picture, save, write


def test_what_was_taken_out_is_known_until_it_is_undone_or_added(tmp_path: Path) -> None:
    assert read_pruned(tmp_path) == {}
    for number in range(3):
        save(tmp_path / f"{number}.png", picture())
        write(tmp_path / f"{number}.txt", "kafka, long_hair, ^_^, red")
    for tag in ("Long Hair", "red"):
        journal.apply_changes(tmp_path, plan_prune(scan_captions(tmp_path), [tag]))
    assert read_pruned(tmp_path) == {"long hair": 3, "red": 3}
    journal.undo(tmp_path)
    assert read_pruned(tmp_path) == {"long hair": 3}
    journal.apply_changes(tmp_path, plan_append(scan_captions(tmp_path)[:1], ["long hair"]))
    assert read_pruned(tmp_path) == {}
