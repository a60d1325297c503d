"""The verbs that write captions."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from lib_lora_cook.cli import main
from lib_lora_cook.dataset import journal
from tests.captioning.test_onnx_tagger import write_tagger
from tests.commands.test_pictures import Capture, refused, said
from tests.dataset.tree import save, snapshot, write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A red, a green and a blue picture; two captions."""
    folder = tmp_path / "set"
    for name, colour in (("a", "red"), ("b", "lime"), ("c", "blue")):
        save(folder / f"{name}.png", Image.new("RGB", (8, 8), colour))
    write(folder / "a.txt", "solo, long_hair, ^_^")
    write(folder / "b.txt", "long hair, smile")
    return folder


def texts(folder: Path) -> dict[str, str]:
    return {path.stem: path.read_text() for path in sorted(folder.glob("*.txt"))}


def test_tags_are_counted_the_most_frequent_first(folder: Path, capsys: Capture) -> None:
    write(folder / "c.txt", "smile, smile")
    result = said(capsys, "captions", folder, "stats")
    assert result["images"] == 3 and next(iter(result["tags"])) == "smile"
    assert result["tags"] == {"^_^": 1, "long hair": 1, "long_hair": 1, "smile": 2, "solo": 1}
    assert main(["captions", "--json", str(folder), "stats"]) == 0
    assert capsys.readouterr().out.startswith("{")
    assert main(["captions", str(folder), "stats"]) == 0
    assert "3 pictures, 5 different tags." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "a", "b", "c"),
    [
        ("prepend kafka|solo", "kafka, solo, long_hair, ^_^", "kafka, solo, long hair, smile",
         "kafka, solo"),
        ("append solo", None, "long hair, smile, solo", "solo"),
        ("remove long_hair", "solo, ^_^", "smile", None),
        ("replace _| ", "solo, long hair, ^_^", None, None),
        ("replace long|short", "solo, short_hair, ^_^", "short hair, smile", None),
        ("replace --regex|^(.)o(.+)$|\\1u\\2", "sulo, lung_hair, ^_^", "lung hair, smile", None),
        ("replace --scope|caption|, |,", "solo,long_hair,^_^", "long hair,smile", None),
        ("replace smile|", None, "long hair", None),
        ("sort --keep-tokens|1", "solo, ^_^, long_hair", None, None),
    ],
)  # fmt: skip
def test_captions_are_edited_and_undone(
    folder: Path, capsys: Capture, words: str, a: str | None, b: str | None, c: str | None
) -> None:
    before, old = snapshot(folder), texts(folder)
    action, _, rest = words.partition(" ")
    command = ["captions", folder, action, *rest.split("|")]
    planned = said(capsys, *command, "--dry-run")["changes"]
    assert snapshot(folder) == before
    assert said(capsys, *command)["changes"] == planned
    wanted = {"a": a, "b": b, "c": c}
    assert texts(folder) == {**old, **{name: text for name, text in wanted.items() if text}}
    assert {Path(it["path"]).stem: it["after"] for it in planned} == {
        name: text for name, text in wanted.items() if text
    }
    assert said(capsys, *command)["changes"] == []
    assert len(journal.history(folder)) == 1
    said(capsys, "undo", folder)
    assert snapshot(folder) == before


def test_doubles_go_in_every_spelling(folder: Path, capsys: Capture) -> None:
    write(folder / "c.txt", "long_hair, Long Hair, ^_^, ^_^")
    assert len(said(capsys, "captions", folder, "dedupe")["changes"]) == 1
    assert texts(folder)["c"] == "long_hair, ^_^"


def test_captions_are_cut_off_by_the_tokens_of_a_checkpoint(
    folder: Path, capsys: Capture, root: Path
) -> None:
    toy = root / "lib_lora_cook" / "demo" / "assets" / "checkpoint"
    write(folder / "a.txt", "blue hair, smile, hat, red eyes")
    command = ["captions", folder, "truncate", "--checkpoint"]
    assert "no CLIP tokenizer" in refused(capsys, *command, folder)
    result = said(capsys, *command, toy, "--max-tokens", 4)
    assert texts(folder)["a"] == "blue hair, smile" and len(result["changes"]) == 1
    assert "room for a token" in refused(capsys, *command, toy, "--max-tokens", 0)


def test_captions_may_lie_in_files_of_another_kind(folder: Path, capsys: Capture) -> None:
    write(folder / "b.caption", "a drawing")
    command = ["captions", folder, "--caption-extension", "caption"]
    assert said(capsys, *command, "stats")["tags"] == {"a drawing": 1}
    said(capsys, *command, "prepend", "kafka")
    assert (folder / "b.caption").read_text() == "kafka, a drawing"
    assert (folder / "a.caption").read_text() == "kafka" and "kafka" not in texts(folder)["a"]


def test_an_edit_that_makes_no_sense_changes_nothing(folder: Path, capsys: Capture) -> None:
    before = snapshot(folder)
    command = ["captions", folder]
    assert "regular expression" in refused(capsys, *command, "replace", "(", "x", "--regex")
    assert "regular expression" in refused(capsys, *command, "replace", "a", "\\2", "--regex")
    assert "nothing to look for" in refused(capsys, *command, "replace", "", "x")
    assert "no tag" in refused(capsys, *command, "prepend", " , ")
    assert "ACTION" in refused(capsys, *command)
    assert snapshot(folder) == before


def test_a_tagger_fills_empty_captions(folder: Path, tmp_path: Path, capsys: Capture) -> None:
    tagger = write_tagger(tmp_path / "taggers" / "means")
    words = ["tag", folder, "--tagger", tagger, "--threshold", 0.5]
    before = snapshot(folder)
    dry = said(capsys, *words, "--when", "overwrite", "--dry-run")
    assert snapshot(folder) == before and dry["tagged"] == 3
    (folder / "d.png").write_bytes(b"nothing")
    save(folder / "e.png", Image.new("RGB", (8, 8), "yellow"))
    result = said(capsys, *words)
    assert (result["tagged"], result["skipped"]) == (2, 2)
    assert [Path(it["path"]).name for it in result["failed"]] == ["d.png"]
    assert texts(folder)["e"] == "green hair, red (series)" and "c" not in texts(folder)
    assert texts(folder)["a"] == "solo, long_hair, ^_^"
    said(capsys, *words, "--when", "prepend")
    assert texts(folder)["a"] == "red (series), solo, long_hair, ^_^"


def test_a_tagger_is_found_by_its_name_and_a_misspelt_one_told(
    folder: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LORA_COOK_HOME", str(tmp_path / "home"))
    write_tagger(tmp_path / "home" / "taggers" / "means")
    before = snapshot(folder)
    assert "Did you mean means?" in refused(capsys, "tag", folder, "--tagger", "maens")
    assert "No such tagger" in refused(capsys, "tag", folder, "--tagger", tmp_path / "x")
    assert "0 to 1" in refused(capsys, "tag", folder, "--tagger", "means", "--threshold", 35)
    assert snapshot(folder) == before
    assert said(capsys, "tag", folder, "--tagger", "means")["tagged"] == 1


def test_the_command_line_chooses_among_the_tags(
    folder: Path, tmp_path: Path, capsys: Capture
) -> None:
    labels = "tag_id,name,category\n1,safe,9\n2,green_(series),4\n3,ruby,3\n"  # blue, green, red
    tagger = write_tagger(tmp_path / "taggers" / "means", labels=labels)
    save(folder / "a.png", Image.new("RGB", (8, 8), "yellow"))

    def tagged(*words: object) -> str:
        command = ["tag", folder, "--tagger", tagger, "--when", "overwrite", "--dry-run", *words]
        return str(said(capsys, *command)["changes"][0]["after"])

    assert tagged() == "green (series)"
    assert tagged("--underscores") == "green_(series)"
    assert tagged("--threshold-of", "copyright=0.5") == "green (series), ruby"
    assert tagged("--expand", "--rating", "first") == "safe, green, series"
    assert tagged("--expand", "--leave-out", "series, x") == "green"
    assert tagged("--no-characters", "--rating", "last") == "safe"
    assert tagged("--tagger", tagger) == "green (series)"
    for words, wrong in (("copyright", "no threshold"), ("hats=0.5", "No such category")):
        command = ["tag", folder, "--tagger", tagger, "--threshold-of", words]
        assert wrong in refused(capsys, *command)


def test_pruning_is_proposed_and_the_trigger_looked_at(
    folder: Path, capsys: Capture, root: Path
) -> None:
    assets = root / "lib_lora_cook" / "demo" / "assets"
    write(folder / "c.txt", "solo, long hair")
    before = snapshot(folder)
    command = ["captions", folder, "propose", "--kind", "character"]
    result = said(capsys, *command, "--trigger", "solo")
    assert [it["tag"] for it in result["proposals"] if it["prune"]] == ["long hair"]
    assert [it["name"] for it in result["trigger"]["doubts"]] == ["dataset"]
    toys = ["--tagger", assets / "tagger", "--checkpoint", assets / "checkpoint"]
    doubts = said(capsys, *command, "--trigger", "1girl", *toys)["trigger"]["doubts"]
    assert doubts[0]["name"] == "tag"
    style = said(capsys, "captions", folder, "propose", "--kind", "style", "--trigger", "zq")
    assert style["proposals"] == [] and style["trigger"]["doubts"][0]["name"] == "style"
    assert main(["captions", str(folder), "propose", "--kind", "character"]) == 0
    assert "prune  67% long hair" in capsys.readouterr().out
    assert "No such tagger" in refused(capsys, *command, "--trigger", "x", "--tagger", "wd-v9")
    assert snapshot(folder) == before


def test_captions_come_from_names_and_go_through_kohya_s_json(
    folder: Path, tmp_path: Path, capsys: Capture
) -> None:
    save(folder / "0001_red_hat, kafka.png", Image.new("RGB", (8, 8)))
    before = snapshot(folder)
    said(capsys, "captions", folder, "from-names")
    assert texts(folder)["0001_red_hat, kafka"] == "red hat, kafka" and texts(folder)["c"] == "c"
    meta = tmp_path / "meta.json"
    assert said(capsys, "captions", folder, "write-json", meta)["images"] == 4
    written = texts(folder)
    said(capsys, "undo", folder)
    assert snapshot(folder) == before
    assert len(said(capsys, "captions", folder, "read-json", meta, "--dry-run")["changes"]) == 2
    said(capsys, "captions", folder, "read-json", meta, "--when", "overwrite")
    assert texts(folder) == written


def test_subfolders_are_taken_along_where_asked_for(folder: Path, capsys: Capture) -> None:
    save(folder / "3_kafka" / "d.png", Image.new("RGB", (8, 8)))
    save(folder / ".hidden" / "e.png", Image.new("RGB", (8, 8)))
    before = snapshot(folder)
    assert said(capsys, "captions", folder, "stats")["images"] == 3
    assert said(capsys, "captions", folder, "--recursive", "stats")["images"] == 4
    said(capsys, "captions", folder, "--recursive", "prepend", "kafka")
    assert (folder / "3_kafka" / "d.txt").read_text() == "kafka"
    said(capsys, "undo", folder)
    assert snapshot(folder) == before
    assert said(capsys, "captions", folder / "3_kafka", "stats")["images"] == 1
    assert said(capsys, "captions", folder.parent, "--recursive", "stats")["images"] == 4
