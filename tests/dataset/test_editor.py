"""Captions in memory: every edit is undone, nothing is written unasked, nobody's is lost."""

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lib_lora_cook.dataset import caption_edits as edits
from lib_lora_cook.dataset import editor_history, journal
from lib_lora_cook.dataset.caption_edits import CaptionEdit
from lib_lora_cook.dataset.editor import Editor, open_editor
from lib_lora_cook.dataset.filters import RegexFilter, TagFilter
from lib_lora_cook.jobs import Cancelled, Job

from .tree import picture, save, snapshot, write

TEXTS = ["solo, long_hair, smile", "solo,hat", "", "a girl in\nthe rain", "hat, hat, smile"]
EDITS = {
    "prepend": edits.prepend("kafka"),
    "append": edits.append(["star", "solo"]),
    "remove": edits.remove(["smile"]),
    "replace": edits.replace("hat", "cap"),
    "text": edits.replace("a", "o", "caption"),
    "sort": edits.sort(),
    "dedupe": edits.dedupe(),
    "truncate": edits.truncate(3, str.split),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, text in enumerate(TEXTS):
        save(tmp_path / f"{number}.png", picture(seed=number))
        if text:
            write(tmp_path / f"{number}.txt", text)
    return tmp_path


def texts(editor: Editor) -> list[str]:
    return [editor.text(row) for row in range(len(editor))]


def test_captions_are_read_counted_and_found(folder: Path) -> None:
    editor = open_editor(folder)
    assert texts(editor) == TEXTS and len(editor) == 5
    assert [Path(path).name for path in editor.pictures] == [f"{n}.png" for n in range(5)]
    assert editor.counts()["hat"] == 2 and editor.counts()["solo"] == 2
    assert editor.counts([4]) == {"hat": 1, "smile": 1}
    assert editor.found([TagFilter(("smile",)), TagFilter(("solo",), "none")]) == [4]
    assert editor.found([RegexFilter("rain$")], [0, 3]) == [3]
    assert editor.found([], [2, 0, 2]) == [0, 2] and editor.found() == [0, 1, 2, 3, 4]
    assert editor.unsaved() == [] and editor.plan() == []


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_does_what_its_difference_shows_and_writes_nothing(folder: Path, name: str) -> None:
    before, editor = snapshot(folder), open_editor(folder)
    shown = {it.row: it.after for it in editor.difference(editor.edited(EDITS[name]))}
    assert texts(editor) == TEXTS
    assert editor.apply(EDITS[name]) == len(shown) > 0
    wanted = [shown.get(row, text) for row, text in enumerate(TEXTS)]
    assert texts(editor) == wanted == [EDITS[name].text(text) for text in TEXTS]
    assert editor.unsaved() == sorted(shown)
    assert snapshot(folder) == before


def test_an_edit_of_some_rows_leaves_the_others(folder: Path) -> None:
    editor = open_editor(folder)
    assert editor.apply(EDITS["prepend"], [1, 2]) == 2
    assert texts(editor) == [TEXTS[0], "kafka, solo, hat", "kafka", *TEXTS[3:]]
    editor.write(0, "by hand ")
    assert editor.text(0) == "by hand" and editor.tags(0) == ("by hand",)
    assert editor.apply(EDITS["remove"], [0]) == 0


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.tuples(st.sampled_from(sorted(EDITS)), st.sets(st.integers(0, 4))), max_size=8),
    st.sampled_from([0, 4, 10**6]),
)
def test_everything_is_undone_and_redone_step_by_step(
    folder: Path, steps: list[tuple[str, set[int]]], loose: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(editor_history, "_LOOSE", loose)  # packed early, or never
        editor = open_editor(folder)
        states, names = [texts(editor)], []
        for name, rows in steps:
            if editor.apply(EDITS[name], sorted(rows)):
                states.append(texts(editor))
                names.append(EDITS[name].what)
        for state, name in zip(reversed(states[:-1]), reversed(names), strict=True):
            assert editor.undo() == name
            assert texts(editor) == state
        assert editor.undo() == "" and editor.unsaved() == []
        for state, name in zip(states[1:], names, strict=True):
            assert editor.redo() == name
            assert texts(editor) == state
            assert sum(editor.counts().values()) == sum(
                len(set(editor.tags(row))) for row in range(5)
            )
        assert editor.redo() == ""


def test_a_new_edit_ends_what_could_be_redone(folder: Path) -> None:
    editor = open_editor(folder)
    editor.apply(EDITS["prepend"])
    editor.undo()
    editor.apply(EDITS["sort"])
    assert editor.redo() == ""


def test_saved_captions_are_on_disk_and_come_back_byte_for_byte(folder: Path) -> None:
    before, editor = snapshot(folder), open_editor(folder)
    editor.apply(EDITS["prepend"])
    editor.apply(EDITS["sort"])
    applied = editor.save()
    assert len(applied.applied) == 5 and not applied.failed and editor.unsaved() == []
    assert texts(open_editor(folder)) == texts(editor)
    assert (folder / "2.txt").read_text() == "kafka"
    assert editor.save().applied == [], "nothing is left to save"
    editor.undo()
    assert len(editor.unsaved()) == 4, "undo after a save can be saved too"
    journal.undo(folder)
    assert snapshot(folder) == before


def test_what_another_program_wrote_is_noticed_and_never_overwritten(folder: Path) -> None:
    editor = open_editor(folder)
    editor.apply(EDITS["prepend"])
    write(folder / "0.txt", "theirs")
    (folder / "1.txt").unlink()
    assert editor.changed_on_disk() == {0: "theirs", 1: ""}
    applied = editor.save()
    assert {path.name for path, _ in applied.failed} == {"0.txt", "1.txt"}
    assert (folder / "0.txt").read_text() == "theirs" and editor.unsaved() == [0, 1]
    assert editor.take_theirs([0]) == 1 and editor.text(0) == "theirs"
    assert editor.keep_ours() == 1
    assert [change.path.name for change in editor.save().applied] == ["1.txt"]
    assert editor.undo() == "read again" and editor.text(0) == "kafka, solo, long_hair, smile"
    assert editor.unsaved() == [0] and editor.save().applied


def test_a_second_look_reads_only_files_that_another_program_has_written(folder: Path) -> None:
    editor = open_editor(folder)
    assert editor.stale() == []
    write(folder / "0.txt", "theirs")
    (folder / "1.txt").unlink()
    write(folder / "2.txt", "new")
    assert editor.stale() == [0, 1, 2]
    assert editor.take_theirs([0, 1, 2]) == 3 and editor.stale() == []
    assert texts(editor)[:3] == ["theirs", "", "new"] and editor.unsaved() == []


def test_counts_and_what_is_unsaved_stay_true_while_rows_are_edited(folder: Path) -> None:
    editor = open_editor(folder)
    editor.counts()
    for row, text in [(0, "hat, hat"), (2, "solo"), (0, TEXTS[0]), (4, "")]:
        editor.write(row, text)
        shown = [set(editor.tags(row)) for row in range(len(editor))]
        assert editor.counts() == {
            tag: sum(tag in tags for tags in shown) for tag in set().union(*shown)
        }
        wanted = [row for row, text in enumerate(texts(editor)) if text != TEXTS[row]]
        assert editor.unsaved() == wanted


def test_a_save_that_is_stopped_half_way_knows_what_it_has_written(folder: Path) -> None:
    editor = open_editor(folder)
    editor.apply(EDITS["prepend"])

    class Impatient(Job):
        done = 0

        @property
        def cancelled(self) -> bool:
            return self.done >= 2

        def report(self, done: int, total: int, text: str = "") -> None:
            self.done = done

    with pytest.raises(Cancelled):
        editor.save(Impatient())
    assert editor.unsaved() == [2, 3, 4]
    assert len(editor.save().applied) == 3


def test_two_pictures_with_one_caption_are_one_row(folder: Path) -> None:
    save(folder / "0.webp", picture(seed=9))
    editor = open_editor(folder)
    assert len(editor) == 5
    editor.write(0, "both")
    assert len(editor.save().applied) == 1 and (folder / "0.txt").read_text() == "both"


def test_captions_of_another_extension(folder: Path) -> None:
    write(folder / "0.caption", "a drawing")
    editor = open_editor(folder, extension=".caption")
    assert texts(editor) == ["a drawing", "", "", "", ""]
    editor.apply(CaptionEdit("x", of_text=lambda text: text + "!"), [0, 1])
    editor.save()
    assert (folder / "1.caption").read_text() == "!" and (folder / "1.txt").read_text() == TEXTS[1]


def test_the_same_tag_is_one_string_in_memory(folder: Path) -> None:
    rng = random.Random(0)
    for number in range(40):
        save(folder / f"x{number}.png", picture(seed=number))
        write(folder / f"x{number}.txt", ", ".join(rng.sample(["a b", "c d", "e f"], 2)))
    editor = open_editor(folder)
    editor.apply(edits.replace("c d", "g h"))
    ids = {tag: {id(it) for row in range(len(editor)) for it in editor.tags(row) if it == tag}
           for tag in ("a b", "g h")}  # fmt: skip
    assert all(len(found) == 1 for found in ids.values())
