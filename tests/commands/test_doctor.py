"""The verbs that look a dataset over."""

from __future__ import annotations

from pathlib import Path

import pytest

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


def test_a_fix_that_is_none_changes_nothing(folder: Path, capsys: Capture) -> None:
    before = snapshot(folder)
    assert "no such finding: dubble" in refused(capsys, "doctor", folder, "--fix", "dubble")
    message = refused(capsys, "doctor", folder, "--fix", "missing_caption")
    assert "Only a person can mend this" in message
    assert snapshot(folder) == before
