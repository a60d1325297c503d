"""The verbs that clean a dataset, from the shell's side: what is printed, changed and refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lib_lora_cook.cli import main
from lib_lora_cook.dataset import journal
from lib_lora_cook.dataset.images import open_image
from tests.dataset.tree import dirty_folder, picture, save, snapshot, write

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return dirty_folder(tmp_path / "set")


def said(capsys: Capture, *words: object, code: int = 0) -> Any:
    """The JSON document of a verb."""
    assert main([*map(str, words), "--json"]) == code
    return json.loads(capsys.readouterr().out)


def refused(capsys: Capture, *words: object) -> str:
    """The one line of a refusal."""
    try:
        code = main([str(word) for word in words])
    except SystemExit as exit:  # of argparse
        code = exit.code
    captured = capsys.readouterr()
    assert (code, captured.out) == (2, "")
    assert captured.err.count("\n") == 1
    return captured.err


def test_convert_changes_and_undo_brings_back(folder: Path, capsys: Capture) -> None:
    before = snapshot(folder)
    planned = said(capsys, "convert", folder, "--dry-run")
    assert snapshot(folder) == before and planned["dry_run"] is True
    done = said(capsys, "convert", folder)
    assert done == {"changes": planned["changes"], "failed": []}
    assert done["changes"][1] == {
        "path": str(folder / "b.webp"), "to": str(folder / "b.png"), "why": "WEBP to PNG",
    }  # fmt: skip
    assert said(capsys, "convert", folder)["changes"] == []
    assert len(journal.history(folder)) == 1, "one operation is one entry"
    said(capsys, "undo", folder)
    assert snapshot(folder) == before


def test_what_cannot_be_read_is_named_and_the_rest_done(folder: Path, capsys: Capture) -> None:
    (folder / "z.webp").write_bytes((folder / "b.webp").read_bytes()[:40])
    assert main(["convert", str(folder), "--json"]) == 0
    captured = capsys.readouterr()
    result = json.loads(captured.out)
    assert [Path(failure["path"]).name for failure in result["failed"]] == ["z.webp"]
    assert "z.webp" in captured.err and len(result["changes"]) == 2


def test_a_format_or_a_colour_that_is_none_changes_nothing(folder: Path, capsys: Capture) -> None:
    before = snapshot(folder)
    assert "jxl" in refused(capsys, "convert", folder, "--to", "jxl")
    assert "blurple" in refused(capsys, "flatten", folder, "--background", "blurple")
    assert "Hardness" in refused(capsys, "duplicates", folder, "--hardness", 0, "--apply")
    assert snapshot(folder) == before


@pytest.mark.parametrize(
    "words",
    ["convert", "flatten", "sizes", "duplicates", "doctor", "captions {} stats",
     "captions {} sort", "tag {} --tagger nowhere/x"],
)  # fmt: skip
def test_an_empty_and_a_missing_folder_are_refused(
    words: str, tmp_path: Path, capsys: Capture
) -> None:
    def ask(folder: Path) -> str:
        return refused(
            capsys, *(words if "{}" in words else f"{words} {{}}").format(folder).split()
        )

    empty = tmp_path / "empty"
    empty.mkdir()
    assert "No pictures in this folder" in ask(empty)
    assert "missing" in ask(tmp_path / "missing")
    assert list(tmp_path.rglob("*")) == [empty]


def test_flatten_puts_transparency_onto_a_colour(folder: Path, capsys: Capture) -> None:
    save(folder / "t.png", Image.new("RGBA", (4, 4), (0, 0, 0, 0)))
    result = said(capsys, "flatten", folder, "--background", "red")
    assert [Path(it["path"]).name for it in result["changes"]] == ["b.webp", "t.png"]
    assert open_image(folder / "t.png").getpixel((0, 0)) == (255, 0, 0)
    assert (folder / "b.txt").exists()


def test_small_pictures_are_set_aside_with_their_captions(folder: Path, capsys: Capture) -> None:
    write(folder / "c.txt", "tiny")
    result = said(capsys, "sizes", folder, "--below", 5)
    assert [it["to"] for it in result["changes"]] == [str(folder / "small" / "c.png")]
    assert (folder / "small" / "c.txt").read_text() == "tiny"


def test_small_pictures_are_enlarged_just_as_far_or_by_a_factor(
    folder: Path, capsys: Capture
) -> None:
    result = said(capsys, "sizes", folder, "--below", 5, "--upscale", "Lanczos")
    assert result["changes"][0]["to"] == str(folder / "c.png")
    assert open_image(folder / "c.png").size == (5, 5)
    words = ["sizes", folder, "--below", 7, "--upscale", "Nearest", "--scale", 1.5]
    assert len(said(capsys, *words)["changes"]) == 5
    assert {open_image(path).size for path in folder.glob("*.png")} == {(8, 8), (12, 9)}
    assert open_image(folder / "b.webp").mode == "RGBA"
    assert said(capsys, *words)["changes"] == []


def test_an_upscaler_that_is_not_there_is_told_with_those_that_are(
    folder: Path, capsys: Capture
) -> None:
    before = snapshot(folder)
    assert "Lanczos, Bicubic" in refused(capsys, "sizes", folder, "--upscale", "Lancos")
    words = ["sizes", folder, "--upscale", "Lanczos", "--scale", 1]
    assert "--scale 1" in refused(capsys, *words)
    assert snapshot(folder) == before


def test_crop_cuts_or_makes_a_second_picture(folder: Path, capsys: Capture) -> None:
    result = said(capsys, "crop", folder / "d.jpg", "--box", "0,0,4,6", "--copy")
    assert result["changes"][0]["to"] == str(folder / "d_2.jpg")
    assert open_image(folder / "d_2.jpg").size == (4, 6)
    assert open_image(folder / "d.jpg").size == (8, 6)
    assert (folder / "d_2.caption").read_text() == "a drawing"
    said(capsys, "crop", folder / "a.png", "--box", "1,1,3,3")
    assert open_image(folder / "a.png").size == (2, 2)
    assert "does not fit" in refused(capsys, "crop", folder / "a.png", "--box", "0,0,9,9")
    assert "four whole numbers" in refused(capsys, "crop", folder / "a.png", "--box", "1,2,3")
    assert "not there" in refused(capsys, "crop", folder / "x.png", "--box", "0,0,1,1")


def test_several_boxes_of_one_picture_and_a_figure_flooded_away(
    folder: Path, capsys: Capture
) -> None:
    before = snapshot(folder)
    save(folder / "s.png", Image.new("RGB", (30, 10), "white"))
    write(folder / "s.txt", "three views")
    boxes = ["--box", "0,0,10,10", "--box", "10,0,20,10"]
    result = said(capsys, "crop", folder / "s.png", *boxes, "--copy")
    names = [Path(it["to"]).name for it in result["changes"]]
    assert names == ["s_2.png", "s_3.png"] and open_image(folder / "s.png").size == (30, 10)
    assert (folder / "s_3.txt").read_text() == "three views"
    said(capsys, "crop", folder / "s.png", *boxes)
    assert open_image(folder / "s.png").size == open_image(folder / "s_4.png").size == (10, 10)
    said(capsys, "crop", folder / "s.png", "--flood", "3,3,8", "--fill", "red")
    assert open_image(folder / "s.png").getpixel((9, 9)) == (255, 0, 0)
    assert "not inside" in refused(capsys, "crop", folder / "s.png", "--flood", "10,0")
    assert "tolerance" in refused(capsys, "crop", folder / "s.png", "--flood", "1,2,900")
    assert (
        "no such colour"
        in refused(capsys, "crop", folder / "s.png", "--flood", "1,2", "--fill", "x").lower()
    )
    assert "Give --box or --flood" in refused(capsys, "crop", folder / "s.png")
    said(capsys, "undo", folder, "--to", "0")
    for name in ("s.png", "s.txt"):
        (folder / name).unlink()
    assert snapshot(folder) == before


def test_the_trash_is_shown_with_its_size_and_emptied_only_with_a_yes(
    folder: Path, capsys: Capture
) -> None:
    size = (folder / "d.jpg").stat().st_size + len("a drawing")
    said(capsys, "trash", folder / "d.jpg")
    shown = said(capsys, "trash", "--list", folder)
    assert shown["bytes"] == size and shown["kept"][0]["files"] == 2
    assert f"{size:,} bytes for good" in refused(capsys, "trash", "--empty", folder)
    assert said(capsys, "trash", "--empty", folder, "--dry-run", "--yes")["bytes"] == size
    assert "One thing at a time" in refused(capsys, "trash")
    assert said(capsys, "trash", "--empty", folder, "--yes")["deleted"] == size
    assert said(capsys, "trash", "--list", folder) == {"kept": [], "bytes": 0}
    assert "emptied" in refused(capsys, "undo", folder)
    assert main(["trash", "--list", str(folder)]) == 0
    assert "0 bytes are kept." in capsys.readouterr().out


def test_trash_takes_captions_along_and_undo_brings_both_back(
    folder: Path, capsys: Capture
) -> None:
    before = snapshot(folder)
    names = [folder / "b.webp", folder / "d.jpg", folder / "b.webp"]
    assert "no such file" in refused(capsys, "trash", *names, folder / "x.png")
    assert snapshot(folder) == before
    result = said(capsys, "trash", *names)
    assert [it["to"] for it in result["changes"]] == [None, None]
    assert not (folder / "b.txt").exists() and not (folder / "d.caption").exists()
    said(capsys, "undo", folder)
    assert snapshot(folder) == before


def test_what_was_set_aside_is_thrown_away_in_its_datasets_journal(
    folder: Path, capsys: Capture
) -> None:
    said(capsys, "sizes", folder, "--below", 5)
    said(capsys, "trash", folder / "small" / "c.png")
    assert [entry.what for entry in journal.history(folder)] == ["sizes", "trash"]
    assert not (folder / "small" / ".lora_cook").exists()


def test_a_group_cut_short_is_taken_back_before_anything_is_looked_at(
    folder: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Path] = []
    monkeypatch.setattr(journal, "recover", lambda folder: seen.append(folder) or ["1 cut short"])
    assert main(["convert", str(folder)]) == 0
    assert seen == [folder]
    captured = capsys.readouterr()
    assert "cut short" in captured.err and "2 files changed." in captured.out


def test_a_person_is_shown_the_changes(folder: Path, capsys: Capture) -> None:
    assert main(["trash", str(folder / "c.png"), "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "c.png -> trash: asked for" in out and "1 file would change." in out
    for number in range(30):
        save(folder / f"n{number}.png", picture((2, 2), seed=number))
    assert main(["sizes", str(folder), "--below", "3", "--dry-run"]) == 0
    assert "... and 10 more" in capsys.readouterr().out


@pytest.mark.parametrize("verb", ["convert", "flatten", "sizes", "crop", "trash", "tag",
                                  "captions", "duplicates", "doctor"])  # fmt: skip
def test_every_verb_has_help_with_an_example(verb: str, capsys: Capture) -> None:
    with pytest.raises(SystemExit):
        main([verb, "--help"])
    assert f"example: lora-cook {verb} " in capsys.readouterr().out
