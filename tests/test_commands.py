"""The verbs over real parts: their JSON, and that a mistake changes nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import toml
import torch
from PIL import Image

from lib_lora_cook import cli
from lib_lora_cook.commands.base import numbers
from lib_lora_cook.commands.demo import tell_demo
from lib_lora_cook.commands.train import events_to
from lib_lora_cook.errors import UserError
from lib_lora_cook.hosts.standalone import StandaloneHost
from lib_lora_cook.networks.weights import read_file
from tests.tiny_runs import run_table, snapshot, write_pictures


@pytest.fixture(autouse=True)
def home(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory, host: Any
) -> Path:
    """The person's folder; the checkpoint that `host` has loaded is not loaded again."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("LORA_COOK_HOME", str(folder))
    return folder


@pytest.fixture
def kitchen(tmp_path: Path, sd1_folder: Path) -> Path:
    """A folder with pictures and a run file over the tiny checkpoint."""
    write_pictures(tmp_path / "pictures")
    write_run(tmp_path, sd1_folder)
    return tmp_path


def write_run(folder: Path, checkpoint: Path, **changes: Any) -> Path:
    table = run_table(checkpoint, Path("pictures"), **{"max_train_epochs": 1, **changes})
    path = folder / "run.toml"
    path.write_text(toml.dumps(table), encoding="utf-8")
    return path


Call = Callable[..., tuple[int, Any, str]]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Runs a verb with --json: (exit code, its document or None, stderr)."""

    def inner(*arguments: object) -> tuple[int, Any, str]:
        code = cli.main([*map(str, arguments), "--json"])
        out, err = capsys.readouterr()
        return code, json.loads(out) if out else None, err

    return inner


def refused(call: Call, folder: Path, home: Path, *arguments: object) -> str:
    """The one line of a mistake that changed nothing."""
    before = snapshot(folder)
    code, document, err = call(*arguments)
    assert (code, document) == (2, None), err
    assert err.startswith("lora-cook: ")
    assert err.count("\n") == 1, err
    assert snapshot(folder) == before
    assert snapshot(home) == {}
    return err


def test_train_writes_a_file_an_epoch_and_tells_of_it(kitchen: Path, call: Call) -> None:
    events = kitchen / "events.jsonl"
    code, told, _ = call("train", kitchen / "run.toml", "--events", events)
    assert code == 0
    assert told["loras"] == [str(kitchen / "loras" / "tiny.safetensors")]
    assert (told["steps"], told["stopped"]) == (4, None)
    assert told["seconds"] > 0 and told["peak_bytes"] > 1 << 20
    assert read_file(Path(told["loras"][0]))[1]["ss_output_name"].startswith("tiny")
    lines = [json.loads(line) for line in events.read_text().splitlines()]
    assert [it["event"] for it in lines] == ["Step"] * 4 + ["EpochEnd"]
    assert lines[0]["step"] == 1 and lines[0]["loss"] > 0
    assert "lr/unet" in lines[0]["learning_rates"]


def test_train_goes_on_with_resume(kitchen: Path, call: Call) -> None:
    run = kitchen / "run.toml"
    assert call("train", run)[0] == 0
    code, told, _ = call("train", run, "--resume")
    assert code == 0
    assert told["loras"] == [str(kitchen / "loras" / "tiny.safetensors")]


def test_a_stopped_train_is_exit_130_and_keeps_its_state(
    kitchen: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StandaloneHost, "interrupted", lambda self: True)
    code, told, _ = call("train", kitchen / "run.toml")
    assert code == 130
    assert (told["stopped"], told["steps"]) == ("cancelled", 1)
    assert [Path(it).name for it in told["loras"]] == ["tiny-step00000001.safetensors"]
    assert (kitchen / "loras" / "tiny.state").is_file()


def broken_png(path: Path, keep: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])


def spoil(what: str, kitchen: Path, checkpoint: Path) -> str:
    """Make one mistake in the kitchen; returns what the line must name."""
    pictures = kitchen / "pictures"
    if what == "unreadable picture":
        (pictures / "2.png").write_text("no picture")
        return "2.png"
    if what == "truncated picture":
        broken_png(pictures / "2.png", 0.6)
        return "2.png"
    if what == "empty folder":
        shutil.rmtree(pictures)
        pictures.mkdir()
        return str(pictures)
    if what == "no folder":
        shutil.rmtree(pictures)
        return str(pictures)
    if what == "missing caption":
        (pictures / "3.txt").unlink()
        return "3.png"
    if what == "not toml":
        (kitchen / "run.toml").write_text("this is = = no toml")
        return "run.toml"
    if what == "no run file":
        (kitchen / "run.toml").unlink()
        return "run.toml"
    changes: dict[str, tuple[dict[str, Any], str]] = {
        "unknown key": ({"netwrok_dim": 4}, "did you mean network_dim"),
        "wrong type": ({"network_dim": "4"}, "whole number"),
        "negative dim": ({"network_dim": -4}, "network_dim is -4"),
        "no such optimizer": ({"optimizer_type": "AdamV"}, "Did you mean Adam"),
        "unequal rates": ({"optimizer_type": "Prodigy", "unet_lr": 0.5}, "Prodigy"),
        "no subsets": ({"subsets": []}, "subsets"),
        "subset without a folder": ({"subsets": [{"num_repeats": 1}]}, "image_dir"),
        "nothing trained": ({"unet_lr": 0.0, "text_encoder_lr": 0.0}, "nothing is trained"),
        "no bucket": ({"resolution": 16}, "resolution"),
        "token length": ({"max_token_length": 100}, "max_token_length"),
        "host": ({"pretrained_model_name_or_path": "host"}, "WebUI"),
        "no checkpoint": ({"pretrained_model_name_or_path": "none"}, "none"),
        "folder without index": ({"pretrained_model_name_or_path": "pictures"}, "pictures"),
        "text as checkpoint": ({"pretrained_model_name_or_path": "a.safetensors"}, "a.safetensors"),
        "lora as checkpoint": ({"pretrained_model_name_or_path": "b.safetensors"}, "b.safetensors"),
        "output is a file": ({"output_dir": "a.safetensors"}, "a.safetensors"),
        "no network_weights": ({"network_weights": "c.safetensors"}, "c.safetensors"),
    }
    (kitchen / "a.safetensors").write_text("no checkpoint")
    tensors = {"lora_unet_a.lora_up.weight": torch.ones(2, 2)}
    safetensors.torch.save_file(tensors, kitchen / "b.safetensors")
    table, named = changes[what]
    write_run(kitchen, checkpoint, **table)
    return named


MISTAKES = (
    "unreadable picture", "empty folder", "no folder", "missing caption", "not toml", "no run file",
    "unknown key", "wrong type", "negative dim", "no such optimizer", "unequal rates", "no subsets",
    "subset without a folder", "nothing trained", "no bucket", "token length", "host",
    "no checkpoint", "folder without index", "text as checkpoint", "lora as checkpoint",
    "output is a file", "no network_weights",
)  # fmt: skip


@pytest.mark.parametrize("what", MISTAKES)
def test_a_mistake_before_train_is_one_line_and_changes_nothing(
    kitchen: Path, call: Call, home: Path, sd1_folder: Path, what: str
) -> None:
    named = spoil(what, kitchen, sd1_folder)
    events = kitchen / "events.jsonl"
    line = refused(call, kitchen, home, "train", kitchen / "run.toml", "--events", events)
    assert named in line


def test_a_truncated_picture_is_found_at_its_turn_and_leaves_encoded_ones_at_most(
    kitchen: Path, call: Call, home: Path, sd1_folder: Path
) -> None:
    named = spoil("truncated picture", kitchen, sd1_folder)
    before = snapshot(kitchen)
    code, document, err = call("train", kitchen / "run.toml")
    assert (code, document) == (2, None)
    lines = [line for line in err.splitlines() if not line.startswith("[")]  # a slow one's progress
    assert len(lines) == 1 and named in lines[0]
    assert snapshot(kitchen) == before
    assert all(it.startswith("cache") for it in snapshot(home))


@pytest.mark.parametrize("events", ["pictures", "none/events.jsonl"])
def test_events_that_cannot_be_written_are_found_at_once(
    kitchen: Path, call: Call, home: Path, events: str
) -> None:
    line = refused(call, kitchen, home, "train", kitchen / "run.toml", "--events", kitchen / events)
    assert events in line


def test_events_are_added_to_the_file(tmp_path: Path) -> None:
    from lib_lora_cook.training.train import EpochEnd

    path = tmp_path / "events.jsonl"
    watch = events_to(path)
    assert not path.exists()
    watch(EpochEnd(1, 4))
    events_to(path)(EpochEnd(2, 8))
    assert path.read_text() == (
        '{"event": "EpochEnd", "epoch": 1, "step": 4}\n'
        '{"event": "EpochEnd", "epoch": 2, "step": 8}\n'
    )


def test_plan_of_a_folder_proposes_the_guide_s_numbers(tmp_path: Path, call: Call) -> None:
    write_pictures(tmp_path / "kafka", 20)
    code, told, _ = call("plan", tmp_path / "kafka", "--batch", 2)
    assert code == 0
    assert told == {
        "subsets": [{"image_dir": str(tmp_path / "kafka"), "images": 20, "num_repeats": 10}],
        "total": 200, "epochs": 10, "steps": 1000, "leave_out": [],
        "sum": "20 images × 10 repeats × 10 epochs ÷ 2 batch = 1000 steps",
    }  # fmt: skip


def test_plan_of_a_run_tells_its_buckets_and_can_try_a_few_steps(kitchen: Path, call: Call) -> None:
    code, told, _ = call("plan", kitchen / "run.toml", "--measure")
    assert code == 0
    assert sum(it["images"] for it in told["buckets"]) == sum(
        it["images"] for it in told["subsets"]
    )
    assert all(0 <= it["cut_off"] <= it["most"] < 1 for it in told["buckets"])
    assert told["measured"]["steps"] == told["steps"]
    assert told["measured"]["seconds"] > 0


def test_plan_of_a_folder_of_folders_takes_each_but_hidden_ones(tmp_path: Path, call: Call) -> None:
    for name, count in (("a", 4), ("b", 2)):
        write_pictures(tmp_path / name, count)
    (tmp_path / ".lora_cook").mkdir()
    _, told, _ = call("plan", tmp_path)
    assert [(Path(it["image_dir"]).name, it["images"]) for it in told["subsets"]] == [
        ("a", 4), ("b", 2),
    ]  # fmt: skip
    repeats = [it["num_repeats"] for it in told["subsets"]]
    assert repeats[1] == 2 * repeats[0]


def test_plan_of_a_run_counts_what_train_does(kitchen: Path, call: Call, sd1_folder: Path) -> None:
    subsets = [{"image_dir": "pictures", "num_repeats": 3}]
    run = write_run(kitchen, sd1_folder, subsets=subsets, max_train_epochs=2, train_batch_size=4)
    code, told, _ = call("plan", run)
    assert code == 0
    assert told["subsets"] == [
        {"image_dir": str(kitchen / "pictures"), "images": 5, "num_repeats": 3}
    ]
    # 9 of the square bucket in 3 batches, 3 of each other one in 1: 5 an epoch.
    assert (told["total"], told["epochs"], told["steps"]) == (15, 2, 10)
    assert [(it["bucket"], it["images"]) for it in told["buckets"]] == [
        ([32, 96], 1), ([64, 64], 3), ([96, 32], 1),
    ]  # fmt: skip
    square = told["buckets"][1]
    assert square["most_of"].endswith("4.png") and square["cut_off"] > 0
    assert call("train", run)[1]["steps"] == 10


@pytest.mark.parametrize("what", ["no run file", "empty folder", "unknown key", "no subsets"])
def test_a_mistake_before_plan_is_one_line(
    kitchen: Path, call: Call, home: Path, sd1_folder: Path, what: str
) -> None:
    spoil(what, kitchen, sd1_folder)
    refused(call, kitchen, home, "plan", kitchen / "run.toml")


def test_plan_of_an_empty_folder_is_one_line(tmp_path: Path, call: Call, home: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "empty" in refused(call, tmp_path, home, "plan", tmp_path / "empty")


def test_undo_of_a_folder_without_a_history_is_one_line(
    kitchen: Path, call: Call, home: Path
) -> None:
    refused(call, kitchen, home, "undo", kitchen / "none")


def test_undo_takes_back_and_lists(kitchen: Path, call: Call) -> None:
    from lib_lora_cook.dataset.changes import plan_trigger
    from lib_lora_cook.dataset.images import scan_subset
    from lib_lora_cook.dataset.journal import apply_changes
    from lib_lora_cook.jobs import null_job

    folder = kitchen / "pictures"
    before = (folder / "0.txt").read_bytes()
    apply_changes(folder, plan_trigger(scan_subset(folder), "kafka"), null_job, "trigger")
    assert (folder / "0.txt").read_bytes() != before
    code, told, _ = call("undo", folder, "--list")
    assert code == 0 and len(told["history"]) == 1
    code, told, _ = call("undo", folder)
    assert code == 0 and len(told["undone"]) == 1
    assert (folder / "0.txt").read_bytes() == before


def sweep(lora: Path, checkpoint: Path, out: Path, *more: object) -> list[object]:
    return ["sweep", "--lora", lora, "--model", checkpoint, "--weights", "0,1", "--prompt", "star",
            "--out", out, "--seeds", "1", "--steps", 2, *more]  # fmt: skip


def test_sweep_draws_a_sheet(
    kitchen: Path, call: Call, sd1_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lib_lora_cook.captioning import onnx_tagger
    from tests.compare.test_sweep import Reddish

    monkeypatch.setattr(onnx_tagger, "load", lambda path: Reddish())
    lora = Path(call("train", kitchen / "run.toml")[1]["loras"][0])
    out = kitchen / "taste"
    code, told, _ = call(*sweep(lora, sd1_folder, out, "--tags", "red star, solo"))
    assert code == 0
    assert told["sheet"] == str(out / "sheet.png")
    assert [(it["lora"], it["weight"], it["prompt"]) for it in told["cells"]] == [
        ("", 0.0, "star"), (str(lora), 1.0, "star"),
    ]  # fmt: skip
    for cell in told["cells"]:
        assert Path(cell["image"]).is_file()
        assert set(cell["score"]["tags"]) == {"red star", "solo"}
    assert (told["pick"]["lora"], told["pick"]["weight"]) == (str(lora), 1.0)
    card = json.loads(lora.with_suffix(".json").read_text(encoding="utf-8"))
    assert card["preferred weight"] == 1.0
    with Image.open(lora.with_suffix(".png")) as preview:
        assert preview.size == (64, 64)


def test_sweep_makes_its_prompts_of_the_dataset(
    kitchen: Path, tmp_path: Path, call: Call, sd1_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lib_lora_cook.captioning import onnx_tagger
    from tests.compare.test_sweep import Reddish

    class Labelled(Reddish):
        labels = (("general", "solo"), ("general", "red_star"), ("general", "forest"))

    monkeypatch.setattr(onnx_tagger, "load", lambda path: Labelled())
    lora = Path(call("train", kitchen / "run.toml")[1]["loras"][0])
    folder = tmp_path / "3_kafka"
    folder.mkdir()
    for number in range(3):
        Image.new("RGB", (64, 64), (240, number, 0)).save(folder / f"{number}.png")
        (folder / f"{number}.txt").write_text("kafka, solo")
    code, told, _ = call(
        "sweep", "--lora", lora, "--model", sd1_folder, "--weights", "1", "--steps", 1, "--out",
        tmp_path / "taste", "--seeds", "1,2", "--dataset", folder,
    )  # fmt: skip
    assert code == 0
    worn = {it["prompt"]: set(it["score"]) for it in told["cells"] if it["lora"]}
    assert worn == {
        "kafka": {"recovery", "diversity", "copy_risk", "nearest"},
        "kafka, solo": {"obedience"},
        "kafka, solo, forest": {"obedience"},
        "solo": {"bleed", "leak"},
        "no humans, scenery, forest": {"bleed", "leak"},
    }
    score = next(it["score"] for it in told["cells"] if it["lora"] and it["prompt"] == "kafka")
    assert set(score["recovery"]) == {"value", "spread"}
    assert Path(score["nearest"]).parent == folder
    assert {it["weight"] for it in told["cells"]} == {0.0, 1.0}


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (["--weights", "a,b"], "--weights a,b"), (["--seeds", "1,x"], "--seeds 1,x"),
        (["--weights", ","], "--weights"), (["--steps", "0"], "steps"),
        (["--seeds", "inf"], "--seeds inf"), (["--weights", "nan"], "weights"),
        (["--tagger", "nowhere/wd", "--tags", "a"], "nowhere/wd"),
        (["--model", "nowhere"], "nowhere"), (["--lora", "nowhere.safetensors"], "nowhere.saf"),
        (["--out", "run.toml"], "run.toml"),
    ],
    ids=lambda it: " ".join(it) if isinstance(it, list) else "",
)  # fmt: skip
def test_a_mistake_before_sweep_is_one_line_and_changes_nothing(
    kitchen: Path, call: Call, home: Path, sd1_folder: Path, more: list[str], named: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from lib_lora_cook.captioning import onnx_tagger
    from tests.compare.test_sweep import Reddish

    if "--tagger" not in more:
        monkeypatch.setattr(onnx_tagger, "load", lambda path: Reddish())
    monkeypatch.chdir(kitchen)
    lora = kitchen / "b.safetensors"
    tensors = {"lora_unet_a.lora_up.weight": torch.ones(2, 2)}
    safetensors.torch.save_file(tensors, lora)
    line = refused(call, kitchen, home, *sweep(lora, sd1_folder, kitchen / "taste", *more))
    assert named in line


def test_a_misspelt_tagger_is_told_with_those_that_are_there(
    kitchen: Path, call: Call, home: Path, sd1_folder: Path
) -> None:
    there = kitchen / "taggers" / "wd-v3"
    there.mkdir(parents=True)
    (there / "model.onnx").touch()
    wrong = kitchen / "taggers" / "wd-v4"
    arguments = sweep(kitchen / "b", sd1_folder, kitchen / "out", "--tagger", wrong, "--tags", "a")
    line = refused(call, kitchen, home, *arguments)
    assert "wd-v4" in line and "wd-v3" in line


def test_numbers_are_read_with_or_without_spaces() -> None:
    assert numbers("0.5, 1,", "--weights", float) == [0.5, 1.0]
    assert numbers("1,2", "--seeds", int) == [1, 2]
    with pytest.raises(UserError, match="--weights x"):
        numbers("x", "--weights", float)


def test_the_demo_s_end_is_told_in_words() -> None:
    text = tell_demo({
        "sheet": "taste/sheet.png", "seconds": 61.4, "tag_recall": {"weight_0": 0.1, "best": 0.9},
        "pick": {"epoch": 7, "weight": 0.8, "why": "it is"},
    })  # fmt: skip
    for word in ("taste/sheet.png", "epoch 7", "0.8", "0.90", "0.10", "61 seconds"):
        assert word in text


def test_demo_goes_to_the_folder_asked_for(
    tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lib_lora_cook.demo import meal

    asked: list[Any] = []
    monkeypatch.setattr(meal, "serve", lambda out, host, job: asked.append((out, host.home)))
    monkeypatch.setattr(meal, "as_json", lambda served: {"seconds": 1})
    code, told, _ = call("demo", "--out", tmp_path / "demo")
    assert (code, told) == (0, {"seconds": 1})
    assert asked == [(tmp_path / "demo", tmp_path / "demo")]
