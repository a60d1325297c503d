"""The caption editor behind its widgets: which captions are meant, and what is done with them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from lib_lora_cook.errors import UserError
from lib_lora_cook.ui import texts
from lib_lora_cook.ui.bench import Bench, desk_of
from lib_lora_cook.ui.runner import Runner
from lib_lora_cook.ui.tag import editing
from lib_lora_cook.ui.tag.editing import Form, found

from ..fake_host import FakeHost

PLAIN = Form()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    for name, text in (("a", "kafka, smile"), ("b", "kafka, frown"), ("c", "")):
        Image.new("RGB", (8, 8)).save(tmp_path / f"{name}.png")
        (tmp_path / f"{name}.txt").write_text(text, encoding="utf-8")
    return Bench(FakeHost(tmp_path / "home"), Runner())


@pytest.mark.parametrize(
    ("form", "rows"),
    [
        (PLAIN, [0, 1, 2]),
        (Form(having="kafka, smile"), [0]),
        (Form(any_of="smile, frown"), [0, 1]),
        (Form(lacking="kafka"), [2]),
        (Form(having="kafka", lacking="smile"), [1]),
        (Form(pattern="^s", where="in a tag"), [0]),
        (Form(pattern="^s", where="in no tag"), [1, 2]),
        (Form(pattern="kafka, f", where="in the caption"), [1]),
        (Form(only=True), [1]),
        (Form(only=True, having="smile"), []),
    ],
)
def test_what_the_form_says_is_what_is_meant(
    bench: Bench, tmp_path: Path, form: Form, rows: list[int]
) -> None:
    desk = desk_of(tmp_path, bench)
    desk.selected = {1}
    assert found(desk, form) == rows


@pytest.mark.parametrize(
    ("operation", "first", "second", "after"),
    [
        (texts.DO_APPEND, "x", "", "kafka, smile, x"),
        (texts.DO_PREPEND, "x", "", "x, kafka, smile"),
        (texts.DO_REMOVE, "smile", "", "kafka"),
        (texts.DO_RENAME, "smile", "grin", "kafka, grin"),
        (texts.DO_REPLACE, "mil", "pac", "kafka, space"),
        (texts.DO_REPLACE_ALL, "a, s", "a s", "kafka smile"),
        (texts.DO_SORT, "", "", "kafka, smile"),
        (texts.DO_DEDUPE, "", "", "kafka, smile"),
        (texts.DO_TRUNCATE, "2", "", "kafka"),
    ],
)
def test_every_operation_does_what_it_says(
    bench: Bench, tmp_path: Path, operation: str, first: str, second: str, after: str
) -> None:
    desk = desk_of(tmp_path, bench)
    form = Form(having="smile", operation=operation, first=first, second=second)
    editing.apply(desk, form, editing.tokenizer_for(bench, form))
    assert desk.editor.text(0) == after
    assert desk.editor.text(1) == "kafka, frown"
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "kafka, smile"


def test_every_operation_of_the_list_has_been_tried() -> None:
    assert len(editing.OPERATIONS) == 9


def test_an_expression_replaces_in_tags_and_captions(bench: Bench, tmp_path: Path) -> None:
    desk = desk_of(tmp_path, bench)
    form = Form(operation=texts.DO_REPLACE, first="^(s)", second=r"\1\1", regex=True)
    editing.apply(desk, form, editing.estimated_pieces)
    assert desk.editor.text(0) == "kafka, ssmile"
    with pytest.raises(UserError, match="no regular expression"):
        editing.apply(desk, replace(form, first="("), editing.estimated_pieces)


@pytest.mark.parametrize(
    ("form", "words"),
    [
        (Form(operation=texts.DO_REMOVE, first=" "), texts.NO_TEXT),
        (Form(operation=texts.DO_TRUNCATE, first="many"), texts.EDIT_FIRST),
        (Form(operation="fly", first="x"), texts.NO_OPERATION),
        (Form(pattern="(", operation=texts.DO_SORT), "no regular expression"),
    ],
)
def test_what_makes_no_sense_is_refused(
    bench: Bench, tmp_path: Path, form: Form, words: str
) -> None:
    desk = desk_of(tmp_path, bench)
    with pytest.raises(UserError, match=words):
        editing.apply(desk, form, editing.estimated_pieces)
    assert desk.editor.unsaved() == []


def test_a_second_look_sees_what_has_changed_but_loses_nothing(
    bench: Bench, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("other", encoding="utf-8")
    desk_of(tmp_path, bench)
    (tmp_path / "a.txt").write_text("newer", encoding="utf-8")
    assert desk_of(tmp_path, bench, fresh=True).editor.text(0) == "newer"
    Image.new("RGB", (8, 8)).save(tmp_path / "d.png")
    desk = desk_of(tmp_path, bench, fresh=True)
    assert len(desk.editor) == 4
    desk.editor.write(0, "mine")
    (tmp_path / "e.png").write_bytes((tmp_path / "d.png").read_bytes())
    assert desk_of(tmp_path, bench, fresh=True).editor.text(0) == "mine"


def test_the_form_takes_what_widgets_hold() -> None:
    assert editing.form_of(["a", None, "", "b", "c", True]) == Form("a", "", "", "b", "c", True)
