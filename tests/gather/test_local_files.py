"""Folders, archives and generations into a dataset."""

from __future__ import annotations

import json
import os
import tarfile
import zipfile
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from lib_lora_cook.config import ImportConfig
from lib_lora_cook.dataset import journal
from lib_lora_cook.errors import UserError
from lib_lora_cook.gather.intake import safe_stem
from lib_lora_cook.gather.local_files import bring, save_generation
from tests.dataset.tree import picture, save, write

INFOTEXT = "kafka, (smile:1.2) <lora:x:1>\nNegative prompt: bad\nSteps: 20, Seed: 7, Model: anime"


def drawn(path: Path, seed: int, infotext: str = INFOTEXT) -> Path:
    """A picture as a WebUI saves it."""
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", infotext)
    return save(path, picture(seed=seed), pnginfo=info)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_file()}


def packed(folder: Path, archive: Path) -> Path:
    """A folder as a zip or tar file."""
    files = sorted(folder.rglob("*.*"), key=lambda it: (len(it.parts), it.name))
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive, "w") as zipped:
            for file in files:
                zipped.write(file, file.relative_to(folder))
    else:
        with tarfile.open(archive, "w:gz") as tarred:
            for file in files:
                tarred.add(file, file.relative_to(folder))
    return archive


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two pictures of one name in two folders, a caption, a copy, and what is no picture."""
    folder = tmp_path / "mine"
    save(folder / "a.PNG", picture(seed=1))
    write(folder / "a.txt", "solo, blue hair")
    save(folder / "3_kafka" / "a.png", picture(seed=2))
    save(folder / "3_kafka" / "copy.png", picture(seed=1))
    write(folder / "notes.md", "no picture")
    (folder / "broken.png").write_bytes(b"no picture either")
    return folder


@pytest.mark.parametrize("kind", ["", ".zip", ".tgz"])
def test_a_folder_and_an_archive_come_in_alike(folder: Path, tmp_path: Path, kind: str) -> None:
    source = packed(folder, tmp_path / f"mine{kind}") if kind else folder
    out = tmp_path / "set"
    result = bring(ImportConfig(), [source], out)
    assert names(out) == {"a.png", "a.txt", "a.json", "a_2.png", "a_2.json"}
    assert (out / "a.png").read_bytes() == (folder / "a.PNG").read_bytes()
    assert (out / "a.txt").read_text() == "solo, blue hair"
    assert json.loads((out / "a_2.json").read_text())["file"] == "a.png"
    assert (result.found, result.saved, sum(result.skipped.values())) == (4, 2, 1)
    assert [Path(name).name for name, _ in result.failed] == ["broken.png"]
    assert bring(ImportConfig(), [source], out).saved == 0
    journal.undo(out)
    assert names(out) == set()


def test_an_archive_does_not_write_outside(tmp_path: Path) -> None:
    data = save(tmp_path / "x.png", picture(seed=1)).read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as zipped:
        zipped.writestr("../../evil.png", data)
        zipped.writestr("/evil.png", data)
        zipped.writestr("con.png", data)
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    result = bring(ImportConfig(), [tmp_path / "a.zip"], tmp_path / "set")
    assert {why for _, why in result.failed} == {"its name leads out of the folder"}
    assert names(tmp_path / "set") == {"_con.png", "_con.json"}
    new = {path for path in tmp_path.rglob("*") if path.is_file()} - before
    assert all(path.is_relative_to(tmp_path / "set") for path in new)


def test_a_broken_archive_gives_what_it_can(folder: Path, tmp_path: Path) -> None:
    path = packed(folder, tmp_path / "mine.tgz")
    path.write_bytes(path.read_bytes()[:-200])
    result = bring(ImportConfig(), [path], tmp_path / "set")
    assert "mine.tgz" in dict(result.failed)
    assert not list((tmp_path / "set" / ".lora_cook").glob("incoming"))


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="no links")
def test_links_in_a_folder_are_not_followed(folder: Path, tmp_path: Path) -> None:
    save(tmp_path / "secret.png", picture(seed=9))
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    (folder / "elsewhere").symlink_to(tmp_path, target_is_directory=True)
    result = bring(ImportConfig(), [folder], tmp_path / "set")
    assert "a link is not followed" in dict(result.failed).values()
    assert not (tmp_path / "set" / "link.png").exists()
    assert not (tmp_path / "set" / "secret.png").exists()


def test_own_generations_by_prompt_and_model(tmp_path: Path) -> None:
    outputs = tmp_path / "outputs"
    drawn(outputs / "00001.png", 1)
    drawn(outputs / "00002.png", 2, INFOTEXT.replace("kafka", "himeko"))
    drawn(outputs / "00003.png", 3, INFOTEXT.replace("anime", "photo"))
    save(outputs / "00004.png", picture(seed=4))
    config = ImportConfig(prompt="kafka, smile", model="anime")
    result = bring(config, [outputs], tmp_path / "set")
    assert names(tmp_path / "set") == {"00001.png", "00001.txt", "00001.json"}
    assert (tmp_path / "set" / "00001.txt").read_text() == "kafka, smile"
    origin = json.loads((tmp_path / "set" / "00001.json").read_text())
    assert (origin["seed"], origin["model"]) == ("7", "anime")
    assert origin["negative_prompt"] == "bad"
    assert dict(result.skipped) == {"another prompt or model": 2, "not a generation": 1}


def test_a_picture_that_was_just_drawn_is_sent_once(tmp_path: Path) -> None:
    image = Image.new("RGB", (16, 16), "red")
    assert save_generation(image, INFOTEXT, tmp_path / "set")
    assert not save_generation(image, INFOTEXT, tmp_path / "set")
    assert save_generation(Image.new("RGB", (16, 16), "blue"), INFOTEXT, tmp_path / "set")
    found = sorted(path.name for path in (tmp_path / "set").glob("*.png"))
    assert found == ["generation.png", "generation_2.png"]
    assert (tmp_path / "set" / "generation.txt").read_text() == "kafka, smile"
    journal.undo(tmp_path / "set")
    assert (tmp_path / "set" / "generation.png").exists()


def test_a_dry_run_leaves_no_trace(folder: Path, tmp_path: Path) -> None:
    result = bring(ImportConfig(), [folder], tmp_path / "set", dry_run=True)
    assert (result.saved, len(result.changes)) == (0, 2)
    assert not (tmp_path / "set").exists()


def test_where_a_picture_came_from_is_kept_through_an_archive(tmp_path: Path) -> None:
    source = tmp_path / "shared"
    save(source / "a.png", picture(seed=1))
    write(source / "a.json", json.dumps({"site": "https://x", "post": 5, "md5": "ab" * 16}))
    bring(ImportConfig(), [source], tmp_path / "set")
    assert json.loads((tmp_path / "set" / "a.json").read_text())["post"] == 5
    assert bring(ImportConfig(), [source], tmp_path / "set").saved == 0


def test_mistakes_change_nothing(folder: Path, tmp_path: Path) -> None:
    for source in (tmp_path / "nothing", folder / "notes.md"):
        with pytest.raises(UserError):
            bring(ImportConfig(), [source], tmp_path / "set")
    with pytest.raises(UserError, match="into itself"):
        bring(ImportConfig(), [folder], folder)
    assert not (tmp_path / "set").exists()
    assert not (folder / ".lora_cook").exists()


@pytest.mark.parametrize(
    ("stem", "safe"),
    [
        ("a/b\\c:d", "a_b_c_d"), ("con", "_con"), ("LPT1.x", "_LPT1.x"), ("..", "_"), ("", "_"),
        ("a. ", "a"), ("tab\there", "tab_here"), ("名前", "名前"), ("x" * 300, "x" * 120),
    ],
)  # fmt: skip
def test_names_that_every_system_takes(stem: str, safe: str) -> None:
    assert safe_stem(stem) == safe
