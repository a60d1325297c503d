"""The caption editor behind its widgets."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from lib_lora_cook.errors import UserError
from lib_lora_cook.ui import editing
from lib_lora_cook.ui.bench import Bench
from lib_lora_cook.ui.editing import Batch
from lib_lora_cook.ui.runner import Runner

from .fake_host import FakeHost
from .hostile import HOSTILE, is_plain


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    for name, text in (("a", "kafka, smile"), ("b", "kafka, frown")):
        Image.new("RGB", (8, 8)).save(tmp_path / f"{name}.png")
        (tmp_path / f"{name}.txt").write_text(text, encoding="utf-8")
    return Bench(FakeHost(tmp_path / "home"), Runner())


def test_a_batch_is_looked_at_done_taken_back_and_saved(bench: Bench, tmp_path: Path) -> None:
    editor = editing.editor_of(tmp_path, bench)
    batch = Batch("smile", "and", "append", "outdoors", "")
    assert "<ins>outdoors</ins>" in editing.differences(editor, batch)
    assert editor.unsaved() == []
    editing.apply(editor, batch)
    assert "1 caption of 2; 1 not saved yet." in editing.shown(editor, batch)
    editor.undo()
    assert editor.unsaved() == []
    editor.redo()
    assert editing.save(editor) == "1 caption written."
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "kafka, smile, outdoors"
    assert (tmp_path / "b.txt").read_text(encoding="utf-8") == "kafka, frown"


@pytest.mark.parametrize(
    ("operation", "first", "second", "after"),
    [
        ("append", "x", "", "kafka, smile, x"),
        ("prepend", "x", "", "x, kafka, smile"),
        ("remove", "smile", "", "kafka"),
        ("rename", "smile", "grin", "kafka, grin"),
        ("replace", "mil", "pac", "kafka, space"),
        ("sort", "", "", "kafka, smile"),
        ("dedupe", "", "", "kafka, smile"),
    ],
)
def test_every_operation_does_what_it_says(
    bench: Bench, tmp_path: Path, operation: str, first: str, second: str, after: str
) -> None:
    editor = editing.editor_of(tmp_path, bench)
    editing.apply(editor, Batch("", "and", operation, first, second))
    assert editor.text(0) == after


def test_an_operation_without_a_text_is_refused(bench: Bench, tmp_path: Path) -> None:
    editor = editing.editor_of(tmp_path, bench)
    with pytest.raises(UserError, match="There is no tag in this"):
        editing.apply(editor, Batch("", "and", "remove", " ", ""))


@pytest.mark.parametrize("text", HOSTILE)
def test_no_tag_becomes_markup(bench: Bench, tmp_path: Path, text: str) -> None:
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    editor = editing.editor_of(tmp_path, bench)
    batch = Batch("", "and", "append", text + "x", "")
    assert is_plain(editing.shown(editor, batch) + editing.differences(editor, batch), text)
