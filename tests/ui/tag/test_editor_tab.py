"""The caption editor's presses: differences first, writing in place, undo, save, and clashes."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lib_lora_cook.ui.runner import Runner

from ..fake_host import FakeHost
from ..hostile import HOSTILE, is_plain

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of gradio's own age
    pytest.importorskip("gradio")

from lib_lora_cook.ui import texts
from lib_lora_cook.ui.bench import Bench
from lib_lora_cook.ui.tag import editor_tab
from lib_lora_cook.ui.tag.editor_tab import EditorHandlers

WAIT = 60.0


@pytest.fixture
def editor(tmp_path: Path) -> EditorHandlers:
    (tmp_path / "set").mkdir()
    for name, text in (("a", "kafka, smile"), ("b", "kafka, frown")):
        Image.new("RGB", (8, 8)).save(tmp_path / "set" / f"{name}.png")
        (tmp_path / "set" / f"{name}.txt").write_text(text, encoding="utf-8")
    return EditorHandlers(Bench(FakeHost(tmp_path / "home"), Runner()))


def form(**wishes: Any) -> list[Any]:
    filled = {
        "having": "", "any_of": "", "lacking": "", "pattern": "", "where": "in a tag",
        "only": False, "order": "by name", "search": "", "operation": texts.DO_APPEND,
        "first": "", "second": "", "regex": False, **wishes,
    }  # fmt: skip
    return list(filled.values())


def test_a_batch_is_looked_at_done_taken_back_made_again_and_saved(
    editor: EditorHandlers, tmp_path: Path
) -> None:
    folder, wish = str(tmp_path / "set"), form(having="smile", first="outdoors")
    assert "<ins>outdoors</ins>" in editor.on_look(folder, *wish)[2]
    assert "0 not saved" in editor.on_open(folder, *wish)[1]
    assert "1 caption changed" in editor.on_apply(folder, *wish)[0]
    assert "1 not saved" in editor.on_open(folder, *wish)[1]
    assert "Taken back: add outdoors" in editor.on_undo(folder, *wish)[0]
    assert texts.NOTHING_MORE in editor.on_undo(folder, *wish)[0]
    assert "Made again" in editor.on_redo(folder, *wish)[0]
    assert (tmp_path / "set" / "a.txt").read_text(encoding="utf-8") == "kafka, smile"
    assert "1 caption written" in editor.on_save(folder, *wish)[0]
    read = (tmp_path / "set" / "a.txt").read_text(encoding="utf-8")
    assert read == "kafka, smile, outdoors"


def press(editor: EditorHandlers, folder: str, act: str, **facts: Any) -> list[Any]:
    return editor.on_press(json.dumps({"act": act, **facts}), folder, *form())


def test_a_caption_is_written_in_place_and_rows_are_picked_out(
    editor: EditorHandlers, tmp_path: Path
) -> None:
    folder = str(tmp_path / "set")
    told, head, rows = press(editor, folder, "write", row=1, text="new, <b>")
    assert (told, rows) == ("", editor_tab.KEEP)
    assert "1 not saved" in head
    assert "1 selected" in press(editor, folder, "choose", row=1)[1]
    assert "0 selected" in press(editor, folder, "choose", row=1)[1]
    assert "2 selected" in press(editor, folder, "all")[1]
    assert "0 selected" in press(editor, folder, "none")[1]
    assert "&lt;b&gt;" in press(editor, folder, "next")[2]
    assert texts.NO_PICTURE in press(editor, folder, "write", row=99, text="x")[0]


def test_what_another_program_has_written_is_told_before_it_is_lost(
    editor: EditorHandlers, tmp_path: Path
) -> None:
    folder, file = str(tmp_path / "set"), tmp_path / "set" / "a.txt"
    press(editor, folder, "write", row=0, text="mine")
    file.write_text("theirs", encoding="utf-8")
    assert "a.txt" in editor.on_save(folder, *form())[0]
    assert file.read_text(encoding="utf-8") == "theirs"
    press(editor, folder, "theirs")
    assert "0 not saved" in editor.on_open(folder, *form())[1]
    press(editor, folder, "write", row=0, text="mine again")
    file.write_text("theirs again", encoding="utf-8")
    editor.on_save(folder, *form())
    press(editor, folder, "ours")
    assert file.read_text(encoding="utf-8") == "mine again"


def test_many_captions_are_saved_with_a_bar(
    editor: EditorHandlers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(editor_tab, "LARGE", 2)
    folder = str(tmp_path / "set")
    editor.on_apply(folder, *form(first="x"))
    assert texts.SAVING in editor.on_save(folder, *form())[0]
    editor.bench.runner.wait(WAIT)
    outcome = editor.bench.runner.snapshot().outcome
    assert outcome is not None
    assert outcome.text == "2 captions written."


def test_tags_are_offered_from_the_dataset(editor: EditorHandlers, tmp_path: Path) -> None:
    said = json.dumps({"act": "complete", "typed": "ka", "others": "smile"})
    offered = editor.on_complete(said, str(tmp_path / "set"), ["toy"])
    assert 'data-complete="kafka" data-typed="ka"' in offered  # the script takes no older offer
    said = json.dumps({"act": "complete", "typed": "ka", "others": "kafka"})
    assert editor.on_complete(said, str(tmp_path / "set"), []) == ""


def test_mistakes_are_told(editor: EditorHandlers, tmp_path: Path) -> None:
    for handler in (editor.on_look, editor.on_apply):
        assert texts.NO_TEXT in handler(str(tmp_path / "set"), *form())[0]
    assert texts.NO_DATASET in editor.on_open("", *form())[0]
    assert editor.on_complete("{}", "", []) == ""


@pytest.mark.parametrize("text", HOSTILE)
def test_no_tag_becomes_markup(editor: EditorHandlers, tmp_path: Path, text: str) -> None:
    folder = str(tmp_path / "set")
    (tmp_path / "set" / "a.txt").write_text(text, encoding="utf-8")
    shown = [*editor.on_open(folder, *form()), *editor.on_look(folder, *form(first=text + "x"))]
    said = json.dumps({"typed": text, "others": ""})
    shown.append(editor.on_complete(said, folder, []))
    assert is_plain("".join(it for it in shown if isinstance(it, str)), text)
