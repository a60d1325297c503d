"""`runs` and `queue`: what runs were and told, one again with a change, several in a row."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .. import config_file
from ..config_file import parse_toml
from ..errors import UserError
from ..jobs import ConsoleJob
from ..runs import queue
from ..runs.compare import changed, differences
from ..runs.history import (
    GUIDE_STEP,
    Point,
    epoch_near,
    history_path,
    lowest_near,
    read_history,
    smoothed,
)
from .base import Verbs, add_verb, make_host
from .formats import write_new
from .train import embedded


def add_verbs(verbs: Verbs) -> None:
    """`runs compare`, `runs history`, `runs again`, and the `queue`."""
    parser = add_verb(
        verbs, "runs", compare_runs, "What two runs do not share; a run again with a change.",
        "lora-cook runs compare kafka.toml kafka-2.toml",
    )  # fmt: skip
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    compare = action(actions, "compare", "every setting that two runs do not share")
    compare.add_argument("one", type=Path, metavar="RUN.toml")
    compare.add_argument("other", type=Path, metavar="RUN.toml")
    compare.set_defaults(verb=compare_runs, tell=tell_differences)
    history = action(actions, "history", "the curves, marks and scores of a run, going on even")
    history.add_argument("run", type=Path, metavar="RUN.toml|RUN.jsonl", help="beside its files")
    history.add_argument("--near", type=int, default=GUIDE_STEP, help="step of the lowest loss")
    history.set_defaults(verb=show_history, tell=tell_history)
    again = action(actions, "again", "a run file with some settings otherwise")
    again.add_argument("run", type=Path, metavar="RUN.toml")
    again.add_argument("--set", nargs="+", required=True, metavar="NAME=VALUE", help="as in TOML")
    again.add_argument("--out", type=Path, required=True, metavar="RUN.toml")
    again.set_defaults(verb=run_again, tell=lambda result: f"Written: {result['run']}")
    add_queue(verbs)


def action(actions: Any, name: str, what: str) -> Any:
    """One action of a verb."""
    parser = actions.add_parser(name, help=what, description=what)
    parser.add_argument("--json", action="store_true", help="print one JSON document on stdout")
    return parser


def add_queue(verbs: Verbs) -> None:
    """`queue list`, `add`, `remove`, `move` and `start`."""
    parser = add_verb(
        verbs, "queue", change_queue, "Runs that are cooked one after another.",
        "lora-cook queue add kafka.toml himeko.toml",
    )  # fmt: skip
    parser.set_defaults(tell=tell_queue)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    action(actions, "list", "what waits, and what became of the rest")
    add = action(actions, "add", "runs at the end")
    add.add_argument("runs", type=Path, nargs="+", metavar="RUN.toml")
    remove = action(actions, "remove", "take one out")
    remove.add_argument("number", type=int)
    move = action(actions, "move", "put one at another place")
    move.add_argument("number", type=int)
    move.add_argument("place", type=int, help="counted from 1")
    action(actions, "start", "cook what waits")


def compare_runs(options: argparse.Namespace, job: ConsoleJob) -> dict[str, Any]:
    """Read both, and list what differs."""
    one, other = (config_file.read_run(path) for path in (options.one, options.other))
    found = differences(one, other)
    names = ("setting", "one", "other")
    return {"differences": [dict(zip(names, it, strict=True)) for it in found]}


def tell_differences(result: dict[str, Any]) -> str:
    """One line a setting."""
    lines = [f"{it['setting']}: {it['one']} | {it['other']}" for it in result["differences"]]
    return "\n".join(lines) or "The two runs are the same."


def show_history(options: argparse.Namespace, job: ConsoleJob) -> dict[str, Any]:
    """What a run told, and the step near which the guide looks for the lowest loss."""
    history = read_history(history_path(options.run))
    steps = [step for step, _ in history.losses]
    smooth = smoothed([loss for _, loss in history.losses])
    lowest = lowest_near(history.losses, options.near) if steps else None
    return {
        "loss": {"steps": steps, "raw": [it for _, it in history.losses], "smoothed": smooth},
        "learning_rates": {name: columns(points) for name, points in history.rates.items()},
        "lowest": lowest and {
            "step": lowest[0], "loss": lowest[1], "epoch": epoch_near(history, lowest[0])
        },
        "samples": [str(path) for it in history.samples for path in it.paths],
        "scores": [vars(it) for it in history.scores],
    }  # fmt: skip


def columns(points: list[Point]) -> dict[str, list[Any]]:
    """Points as a column of steps and one of values."""
    return {"steps": [step for step, _ in points], "values": [value for _, value in points]}


def tell_history(result: dict[str, Any]) -> str:
    """Where the loss was lowest, and a line an epoch that was scored."""
    lowest, loss = result["lowest"], result["loss"]
    if not lowest:
        return "The run has not done a step."
    epoch = f" (the nearest file is that of epoch {lowest['epoch']})" if lowest["epoch"] else ""
    lines = [
        f"{loss['steps'][-1]} steps, loss {loss['smoothed'][-1]:.4f} smoothed",
        f"lowest near: {lowest['loss']:.4f} at step {lowest['step']}{epoch}",
    ]
    for it in result["scores"]:
        facts = ", ".join(f"{name} {value:.2f}" for name, value in it["measures"].items())
        lines.append(f"epoch {it['epoch']}: merit {it['merit']:.2f} ± {it['spread']:.2f}: {facts}")
    return "\n".join(lines)


def run_again(options: argparse.Namespace, job: ConsoleJob) -> dict[str, Any]:
    """Write the run with its changes."""
    config = config_file.read_run(options.run)
    pairs = parse_toml("\n".join(option_line(it) for it in options.set), "--set")
    write_new(options.out, config_file.run_text(changed(config, pairs)))
    return {"run": str(options.out)}


def option_line(text: str) -> str:
    """`network_dim=32` as a line of TOML; a bare word counts as text."""
    name, mark, value = (part.strip() for part in text.partition("="))
    if not mark:
        raise UserError("A change is a name and a value", f"--set {text}", "Write network_dim=32.")
    try:
        parse_toml(f"{name} = {value}", "--set")
    except UserError:
        value = '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{name} = {value}"


def queue_path() -> Path:
    """The queue of this person."""
    from ..hosts.standalone import default_home

    return default_home() / "queue.json"


def change_queue(options: argparse.Namespace, job: ConsoleJob) -> dict[str, Any]:
    """Do what was asked, and tell the queue."""
    path = queue_path()
    if options.action == "start":
        return told(queue.cook_queue(path, lambda run: cook_one(run, job)))
    entries = queue.read_queue(path)
    if options.action == "add":
        for run in options.runs:
            config_file.read_run(run)  # a broken one is told now, not at night
            entries = queue.add(entries, run)
    elif options.action == "remove":
        entries = queue.remove(entries, options.number)
    elif options.action == "move":
        entries = queue.move(entries, options.number, options.place)
    if options.action != "list":
        queue.write_queue(path, entries)
    return told(entries)


def cook_one(run: Path, job: ConsoleJob) -> str:
    """Cook one run of the queue, going on where it was stopped; returns why it stopped, or ""."""
    from ..cook import Options, cook

    job.log(f"queue: {run}")
    config = embedded(config_file.read_run(run))
    return cook(config, make_host(job), job, Options(resume=True)).stopped or ""


def told(entries: list[queue.Entry]) -> dict[str, Any]:
    """The queue as JSON; stopped says that a run was."""
    return {"queue": [vars(entry) for entry in entries]}


def tell_queue(result: dict[str, Any]) -> str:
    """One line a run."""
    lines = [f"{it['id']}  {it['state']}  {it['run']}  {it['why']}" for it in result["queue"]]
    return "\n".join(lines) or "The queue is empty."
