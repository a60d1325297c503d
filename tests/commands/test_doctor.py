"""The verbs that look a dataset over."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.captioning.test_onnx_tagger import write_tagger
from tests.commands.test_pictures import Capture, refused, said
from tests.dataset.tree import dirty_folder, picture, save, snapshot, write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two exact copies, one of them with a caption."""
    folder = dirty_folder(tmp_path / "set")
    save(folder / "e.bmp", picture(seed=2))
    return folder


def test_copies_are_told_and_thrown_away_only_when_asked(folder: Path, capsys: Capture) -> None:
    before = snapshot(folder)
    groups = [{"kind": "exact", "files": [str(folder / "a.png"), str(folder / "e.bmp")]}]
    assert said(capsys, "duplicates", folder) == {"groups": groups, "failed": []}
    dry = said(capsys, "duplicates", folder, "--apply", "--dry-run")
    assert snapshot(folder) == before
    done = said(capsys, "duplicates", folder, "--apply")
    assert done["changes"] == dry["changes"]
    assert [change["path"] for change in done["changes"]] == [str(folder / "e.bmp")]
    assert said(capsys, "duplicates", folder, "--apply")["groups"] == []
    said(capsys, "undo", folder)
    assert snapshot(folder) == before


def test_the_doctor_looks_and_mends_in_one_operation(folder: Path, capsys: Capture) -> None:
    write(folder / "b.txt", "solo, Solo")
    write(folder / "lost.txt", "x")
    before = snapshot(folder)
    found = said(capsys, "doctor", folder, "--below", 4)["findings"]
    names = [
        "ignored_caption",
        "orphaned_caption",
        "missing_caption",
        "double_tags",
        "transparency",
        "exact_copies",
    ]
    assert [finding["name"] for finding in found] == names
    assert set(found[0]) == {"name", "files", "why", "fix"} and found[2]["fix"] == ""
    assert found[1]["files"] == [str(folder / "lost.txt")]
    assert snapshot(folder) == before
    fixes = [finding["name"] for finding in found if finding["fix"]]
    assert len(said(capsys, "doctor", folder, "--below", 4, "--fix", *fixes)["changes"]) == 5
    again = said(capsys, "doctor", folder, "--below", 4)["findings"]
    assert [finding["name"] for finding in again] == ["missing_caption"]
    assert len(said(capsys, "undo", folder)["undone"]) == 1
    assert snapshot(folder) == before


def test_a_tagger_that_sees_several_people_takes_solo_away(tmp_path: Path, capsys: Capture) -> None:
    labels = "tag_id,name,category,count\n1,2girls,0,1\n2,hat,0,1\n3,solo,0,1\n"
    tagger = write_tagger(tmp_path / "tagger", labels=labels)
    for name, colour in (("two", "blue"), ("one", "red")):  # two girls, and one who is solo
        save(tmp_path / "set" / f"{name}.png", Image.new("RGB", (9, 9), colour))
        write(tmp_path / "set" / f"{name}.txt", "kafka, solo")
    doctor = "doctor", tmp_path / "set", "--below", 4, "--tagger", tagger
    found = {it["name"]: it for it in said(capsys, *doctor)["findings"]}
    assert found["several_people"]["files"] == [str(tmp_path / "set" / "two.png")]
    said(capsys, *doctor, "--fix", "several_people")
    assert (tmp_path / "set" / "two.txt").read_text(encoding="utf-8").strip() == "kafka"
    assert (tmp_path / "set" / "one.txt").read_text(encoding="utf-8").strip() == "kafka, solo"


def test_a_fix_that_is_none_changes_nothing(folder: Path, capsys: Capture) -> None:
    before = snapshot(folder)
    assert "no such finding: dubble" in refused(capsys, "doctor", folder, "--fix", "dubble")
    message = refused(capsys, "doctor", folder, "--fix", "missing_caption")
    assert "Only a person can mend this" in message
    assert snapshot(folder) == before
