"""Captions under another ending: what is there once more, and nothing where it is there already."""

from __future__ import annotations

from pathlib import Path

from lib_lora_cook.dataset import journal
from lib_lora_cook.dataset.caption_copies import plan_copies
from lib_lora_cook.dataset.images import scan_captions
from tests.tiny_runs import write_pictures


def test_each_caption_is_copied_once_and_the_copies_can_be_undone(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "set", 3)
    next(iter(folder.glob("*.txt"))).unlink()
    changes = plan_copies(scan_captions(folder, []), "copied")
    assert len(changes) == 2
    journal.apply_changes(folder, changes)
    copies = sorted(folder.glob("*.caption"))
    assert [it.read_text() for it in copies] == [
        it.with_suffix(".txt").read_text() for it in copies
    ]
    assert plan_copies(scan_captions(folder, []), "copied") == []
    journal.undo(folder)
    assert list(folder.glob("*.caption")) == []
