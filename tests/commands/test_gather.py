"""The verb, as a program of its own: killed in the middle, and started again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from lib_lora_cook import cli
from tests.commands.test_pictures import Capture, refused, said
from tests.gather.board import KEY, USER, Board, Entry, picture, serving, troubled

QUERY = "kafka_(honkai:_star_rail)"


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The person's folder, empty and elsewhere."""
    monkeypatch.setenv("LORA_COOK_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def command(board: Board, out: Path) -> list[str]:
    verb = [sys.executable, "-m", "lib_lora_cook", "gather", QUERY, "--site", board.root]
    return [*verb, "--out", str(out), "--max-megabytes", "1", "--json"]


@pytest.mark.parametrize("software", ["gelbooru", "danbooru", "moebooru"])
@pytest.mark.skipif(os.name != "posix", reason="kills with SIGKILL")
def test_killed_in_the_middle_and_started_again_gives_the_same_folder(
    software: str, tmp_path: Path
) -> None:
    board = troubled(software, 40)
    for entry in board.entries:
        entry.troubles = []  # the waits would only make this slow
        entry.always = ""
    with serving(board):
        whole = subprocess.run(command(board, tmp_path / "whole"), capture_output=True, check=True)
        board.slow = 0.03
        for wanted in (12, 8):
            before = sum("/images/" in it for it in board.asked)
            run = subprocess.Popen(command(board, tmp_path / "killed"), stderr=subprocess.PIPE)
            while sum("/images/" in it for it in board.asked) - before < wanted:
                time.sleep(0.01)
                if run.poll() is not None:
                    break
            run.send_signal(signal.SIGKILL)
            run.communicate()
        again = subprocess.run(command(board, tmp_path / "killed"), capture_output=True, check=True)
    assert files(tmp_path / "killed") == files(tmp_path / "whole")
    first, second = json.loads(whole.stdout), json.loads(again.stdout)
    assert first["found"] == second["found"] == 40
    assert second["failed"] == first["failed"]
    assert 0 < second["saved"] < first["saved"]
    assert not (tmp_path / "killed" / ".lora_cook" / "incoming").exists()


def test_the_json_is_as_it_is_written_down(tmp_path: Path, capsys: Capture) -> None:
    posts = [Entry(1, picture(1)), Entry(2, picture(2), always="404")]
    with serving(Board("danbooru", posts)) as board:
        done = said(capsys, "gather", QUERY, "--site", board.root, "--out", tmp_path / "set")
        assert done.keys() == {"found", "saved", "skipped", "failed"}
        assert (done["found"], done["saved"], done["skipped"]) == (2, 1, 0)
        assert [it["post"] for it in done["failed"]] == [2]
        assert "404" in done["failed"][0]["why"]
        said(capsys, "undo", tmp_path / "set")
        assert files(tmp_path / "set") == {}


def test_a_preview_and_a_dry_run(tmp_path: Path, capsys: Capture) -> None:
    with serving(Board("gelbooru", [Entry(1, picture(1))])) as board:
        where = ("--site", board.root, "--out", tmp_path / "set")
        seen = said(capsys, "gather", QUERY, *where, "--preview")
        assert (seen["total"], [it["post"] for it in seen["posts"]]) == (1, [1])
        dry = said(capsys, "gather", QUERY, *where, "--dry-run")
        assert [Path(it["path"]).name for it in dry["changes"]] == ["127-0-0-1_1.png"]
    assert not (tmp_path / "set").exists()


def test_a_site_cannot_send_us_elsewhere_on_this_computer(tmp_path: Path, capsys: Capture) -> None:
    secret = Entry(1, picture(9))
    posts = [Entry(id, picture(id)) for id in (1, 2, 3, 4)]
    with serving(Board("danbooru", [secret])) as other, serving(Board("danbooru", posts)) as board:
        posts[0].url = f"{other.root}/images/1/1.png"
        posts[1].url = "file:///etc/passwd"
        board.redirects["/images/3/3.png"] = f"{other.root}/images/1/1.png"
        where = ("--site", board.root, "--out", tmp_path / "set")
        done = said(capsys, "gather", QUERY, *where)
        assert other.asked == []
        assert (done["saved"], [it["post"] for it in done["failed"]]) == (1, [3, 2, 1])
        whys = [it["why"] for it in done["failed"]]
        assert "leads to this computer" in whys[0]
        assert "http://" in whys[1]
        server = other.root.removeprefix("http://")
        posts[2].data, posts[2].md5 = secret.data, secret.md5
        done = said(capsys, "gather", QUERY, *where, "--allow", server)
        assert (done["saved"], [it["post"] for it in done["failed"]]) == (1, [2, 1])
        assert len(other.asked) > 0


def test_a_site_that_goes_away_is_told_in_the_json(tmp_path: Path, capsys: Capture) -> None:
    posts = [Entry(id, picture(id), always="429") for id in range(1, 6)]
    with serving(Board("danbooru", posts, retry_after="3600")) as board:
        done = said(capsys, "gather", QUERY, "--site", board.root, "--out", tmp_path / "set")
    assert "does not answer" in done["stopped"]
    assert len(done["failed"]) == 3
    assert all("60 minutes" in it["why"] for it in done["failed"])


def test_login_keeps_a_key_and_says_it_to_the_site_alone(
    tmp_path: Path, home: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    import io

    with serving(Board("danbooru", [Entry(1, picture(1))], needs_keys=True)) as board:
        where = ("--site", board.root, "--out", tmp_path / "set")
        assert "API key" in refused(capsys, "gather", QUERY, *where)
        monkeypatch.setattr(sys, "stdin", io.StringIO(f"{USER}\n{KEY}\n"))
        assert KEY not in str(said(capsys, "gather", "--login", board.root))
        assert (home / "keys.json").stat().st_mode & 0o077 == 0 or os.name != "posix"
        assert said(capsys, "gather", QUERY, *where)["saved"] == 1
        assert not any(KEY in it for it in board.asked)


def test_a_folder_and_tags_for_it_again(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.png").write_bytes(picture(1))
    out = tmp_path / "set"
    done = said(capsys, "gather", "--from", tmp_path / "mine", "--out", out)
    assert (done["found"], done["saved"]) == (1, 1)
    with serving(Board("danbooru", [Entry(1, picture(1))])) as board:
        dry = said(capsys, "gather", "--refetch", out, "--site", board.root, "--dry-run")
        assert not (out / "a.txt").exists()
        again = said(capsys, "gather", "--refetch", out, "--site", board.root)
    assert again["changes"] == dry["changes"]
    assert (out / "a.txt").read_text() == "kafka (honkai: star rail), 1girl, ^_^"
    said(capsys, "undo", out)
    assert not (out / "a.txt").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        (), (QUERY,), (QUERY, "--site", "danbooru"), (QUERY, "--site", "nowhere", "--out", "x"),
        (QUERY, "--site", "ftp://x", "--out", "x"), ("--login", "nowhere"),
        ("--from", "nowhere", "--out", "x"), ("--refetch", "nowhere"),
        (QUERY, "--site", "danbooru", "--out", "x", "--limit", "-1"),
    ],
)  # fmt: skip
def test_mistakes_are_told_in_a_line(
    arguments: tuple[Any, ...], capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refused(capsys, "gather", *arguments)
    assert not (tmp_path / "x").exists()


def test_a_person_is_told_how_it_went(tmp_path: Path, capsys: Capture) -> None:
    with serving(Board("danbooru", [Entry(1, picture(1))])) as board:
        arguments = ["gather", QUERY, "--site", board.root, "--out", str(tmp_path / "set")]
        assert cli.main(arguments) == 0
        assert "1 found, 1 saved, 0 left out" in capsys.readouterr().out
        assert cli.main([*arguments, "--preview"]) == 0
        assert "1 posts in all" in capsys.readouterr().out
