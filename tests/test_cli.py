"""The shell's side: exit codes, one line a mistake, JSON and nothing else."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lib_lora_cook import cli
from lib_lora_cook.commands import plan
from lib_lora_cook.errors import UserError
from lib_lora_cook.jobs import Cancelled, ConsoleJob
from tests.tiny_runs import snapshot, write_pictures

VERBS = ("demo", "ui", "train", "sweep", "plan", "undo")


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The person's folder, empty and elsewhere."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("LORA_COOK_HOME", str(folder))
    return folder


def run_verb(monkeypatch: pytest.MonkeyPatch, verb: Any, *arguments: str) -> int:
    monkeypatch.setattr(plan, "plan", verb)
    return cli.main(["plan", "anything", *arguments])


def test_json_is_one_document_on_stdout(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def verb(options: Any, job: ConsoleJob) -> dict[str, Any]:
        job.log("hello")
        return {"a": [1, "ä"]}

    assert run_verb(monkeypatch, verb, "--json") == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == {"a": [1, "ä"]}
    assert out.count("\n") == 1
    assert err == "hello\n"


def test_a_person_s_mistake_is_one_line_and_exit_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def verb(options: Any, job: ConsoleJob) -> dict[str, Any]:
        raise UserError("what\nis wrong", "where", "Do this")

    assert run_verb(monkeypatch, verb, "--json") == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "lora-cook: what is wrong: where. Do this\n"


def test_a_fault_of_the_program_is_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def verb(options: Any, job: ConsoleJob) -> dict[str, Any]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_verb(monkeypatch, verb)


@pytest.mark.parametrize("error", [Cancelled, KeyboardInterrupt])
def test_cancelled_work_is_exit_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: type[BaseException]
) -> None:
    def verb(options: Any, job: ConsoleJob) -> dict[str, Any]:
        raise error

    assert run_verb(monkeypatch, verb) == 130
    assert capsys.readouterr().err == "lora-cook: cancelled\n"


def test_a_run_that_was_stopped_tells_its_result_and_is_exit_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def verb(options: Any, job: ConsoleJob) -> dict[str, Any]:
        return {"stopped": "cancelled", "steps": 3}

    assert run_verb(monkeypatch, verb, "--json") == 130
    assert json.loads(capsys.readouterr().out)["steps"] == 3


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends itself no SIGINT")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_ctrl_c_asks_and_the_second_breaks_off(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[bool] = []

    def verb(options: Any, job: ConsoleJob) -> dict[str, Any]:
        for _ in range(2):
            os.kill(os.getpid(), number)
            seen.append(job.cancelled)
        return {}

    before = signal.getsignal(number)
    assert run_verb(monkeypatch, verb) == 130
    assert seen == [True]
    assert signal.getsignal(number) is before
    assert "press Ctrl-C again" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [[], ["bake"], ["train"], ["plan", "x", "--batch", "two"], ["sweep", "--lora", "a"],
     ["train", "a.toml", "--nonsense"]],
    ids=" ".join,
)  # fmt: skip
def test_a_wrong_call_is_one_line_and_exit_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("lora-cook: ") and "--help" in err


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_helps_with_an_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main([verb, "--help"])
    assert caught.value.code == 0
    assert f"example: lora-cook {verb}" in capsys.readouterr().out


def in_a_shell(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lib_lora_cook", *arguments],
        cwd=Path(__file__).parent.parent, capture_output=True, text=True, check=False, timeout=500,
    )  # fmt: skip


def test_a_real_shell_gets_the_one_line_and_nothing_of_the_libraries(
    tmp_path: Path, home: Path
) -> None:
    """With torch, diffusers and transformers really imported, which like to talk."""
    write_pictures(tmp_path / "pictures")
    checkpoint = tmp_path / "toy.safetensors"
    checkpoint.write_text("this is no checkpoint")
    run = tmp_path / "run.toml"
    run.write_text(
        'pretrained_model_name_or_path = "toy.safetensors"\nresolution = 64\n'
        'bucket_reso_steps = 32\n[[subsets]]\nimage_dir = "pictures"\n'
    )
    before = snapshot(tmp_path)
    done = in_a_shell("train", str(run), "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert str(checkpoint) in done.stderr
    assert snapshot(tmp_path) == before
    assert snapshot(home) == {}


def silent(parser: argparse.ArgumentParser, said: Any = None) -> Iterator[str]:
    """The verbs and actions whose result nothing says in words; an action may say its verb's."""
    said = parser.get_default("tell") or said
    below = [it for it in parser._actions if isinstance(it, argparse._SubParsersAction)]
    if not below and not said:
        yield parser.prog
    for choice in below:
        for inner in choice.choices.values():
            yield from silent(inner, said)


def test_every_verb_tells_a_person_its_result_in_words() -> None:
    assert list(silent(cli.make_parser())) == []


def test_a_plan_and_a_history_are_told_in_sentences(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_pictures(tmp_path / "kafka", 3)
    assert cli.main(["plan", str(folder)]) == 0
    assert cli.main(["undo", str(folder), "--list"]) == 0
    told = capsys.readouterr().out
    assert "epochs ÷ 2 batch =" in told
    assert "Nothing was changed here." in told
