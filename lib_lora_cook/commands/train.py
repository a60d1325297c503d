"""`train`: one run file, cooked."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .. import config_file
from ..config import TrainingConfig
from ..errors import UserError
from ..jobs import ConsoleJob, clock, null_job
from .base import Verbs, add_verb, make_host


def add_verbs(verbs: Verbs) -> None:
    """`train`."""
    parser = add_verb(
        verbs, "train", train, "One training run, a LoRA file an epoch.",
        "lora-cook train run.toml --events run.jsonl",
    )  # fmt: skip
    parser.add_argument("run", type=Path, metavar="RUN.toml", help="the run file")
    parser.add_argument("--resume", action="store_true", help="go on where the run was stopped")
    parser.add_argument("--events", type=Path, help="write one JSON line an event to this file")
    parser.set_defaults(tell=tell_trained)


def train(options: argparse.Namespace, job: ConsoleJob) -> dict[str, Any]:
    """Cook the run of a file."""
    from ..cook import Options, cook
    from ..training.distributed import crew_of
    from ..training.memory import peak_bytes

    config = config_file.read_run(options.run)
    host = make_host(job)
    if not crew_of(os.environ).leads:  # The first process alone tells what there is to tell.
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
        cooked = cook(embedded(config), host, null_job, Options(options.resume))
        return {"steps": cooked.steps, "stopped": cooked.stopped}
    watch = events_to(options.events) if options.events else Options().watch
    cooked = cook(embedded(config), host, job, Options(options.resume, watch))
    return {
        "loras": [str(path) for path in cooked.loras], "steps": cooked.steps,
        "seconds": round(cooked.seconds, 2), "peak_bytes": peak_bytes(), "stopped": cooked.stopped,
        "settled": cooked.settled,
    }  # fmt: skip


def tell_trained(result: dict[str, Any]) -> str:
    """The files, and what they took."""
    if "loras" not in result:
        return ""  # a process beside the first one
    took, peak = clock(result["seconds"]), result["peak_bytes"] / 2**20
    stopped = f" It was stopped: {result['stopped']}." if result["stopped"] else ""
    return "\n".join(
        [*result["loras"], f"{result['steps']} steps in {took}, {peak:,.0f} MiB at most.{stopped}"]
    )


def events_to(path: Path) -> Callable[[Any], None]:
    """A watcher that adds one JSON line an event; the file is made with the first one."""
    from ..cook.ledger import event_line

    if path.is_dir() or not path.absolute().parent.is_dir():
        raise UserError("Events cannot be written here", path, "Give a file in a folder there is.")

    def watch(event: Any) -> None:
        with open(path, "a", encoding="utf-8") as events:
            events.write(event_line(event))

    return watch


def embedded(config: TrainingConfig) -> TrainingConfig:
    """The run, refused where it asks for a WebUI's model and there is no WebUI."""
    if config.model.pretrained_model_name_or_path == "host":
        raise UserError(
            "No WebUI is running here, so it has no loaded model",
            "pretrained_model_name_or_path", "Give a checkpoint file or a diffusers folder.",
        )  # fmt: skip
    return config
