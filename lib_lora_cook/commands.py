"""The verbs of the command line: their options, and a few lines over the functions they call."""

from __future__ import annotations

import argparse
import json
import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from . import config_file
from .config import SweepConfig, TrainingConfig, out_of_bounds
from .errors import UserError
from .jobs import ConsoleJob

Verb = Callable[[argparse.Namespace, ConsoleJob], dict[str, Any]]
Number = TypeVar("Number", int, float)
Verbs = Any
"""What argparse's add_subparsers returns."""


def add_verb(verbs: Verbs, name: str, verb: Verb, what: str, example: str) -> Any:
    """A verb with its help and an example; `tell` says its result to a person."""
    parser = verbs.add_parser(
        name, help=what, description=what, epilog=f"example: {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON document on stdout")
    parser.set_defaults(verb=verb, tell=lambda result: json.dumps(result, indent=2))
    return parser


def add_demo(verbs: Verbs) -> None:
    """`demo`."""
    parser = add_verb(
        verbs, "demo", demo, "The whole way on the toy world that ships with the package.",
        "lora-cook demo --out demo",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, default=Path("lora-cook-demo"), help="folder for it all"
    )
    parser.set_defaults(tell=tell_demo)


def demo(options: argparse.Namespace, job: ConsoleJob) -> dict[str, Any]:
    """Cook and taste the toy world's new character."""
    from .demo import meal
    from .hosts.standalone import StandaloneHost

    out = options.out.resolve()
    host = StandaloneHost(out, cancelled=lambda: job.cancelled)
    return meal.as_json(meal.serve(out, host, job))


def tell_demo(result: dict[str, Any]) -> str:
    """The demo's end for a person."""
    recall, pick = result["tag_recall"], result["pick"]
    return (
        f"The sheet: {result['sheet']}\n"
        f"The pick: epoch {pick['epoch']} at weight {pick['weight']:g} ({pick['why']})\n"
        f"The new character's own tags seen, of the trigger alone: {recall['best']:.2f} with the "
        f"LoRA, {recall['weight_0']:.2f} without\n"
        f"It took {result['seconds']:.0f} seconds."
    )


def add_train(verbs: Verbs) -> None:
    """`train`."""
    parser = add_verb(
        verbs, "train", train, "One training run, a LoRA file an epoch.",
        "lora-cook train run.toml --events run.jsonl",
    )  # fmt: skip
    parser.add_argument("run", type=Path, metavar="RUN.toml", help="the run file")
    parser.add_argument("--resume", action="store_true", help="go on where the run was stopped")
    parser.add_argument("--events", type=Path, help="write one JSON line an event to this file")


def train(options: argparse.Namespace, job: ConsoleJob) -> dict[str, Any]:
    """Cook the run of a file."""
    from .cook import Options, cook
    from .training.memory import peak_bytes

    config = config_file.read_run(options.run)
    host = make_host(job)
    watch = events_to(options.events) if options.events else Options().watch
    cooked = cook(embedded(config), host, job, Options(options.resume, watch))
    return {
        "loras": [str(path) for path in cooked.loras], "steps": cooked.steps,
        "seconds": round(cooked.seconds, 2), "peak_bytes": peak_bytes(), "stopped": cooked.stopped,
    }  # fmt: skip


def events_to(path: Path) -> Callable[[Any], None]:
    """A watcher that adds one JSON line an event; the file is made with the first one."""
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise UserError("Events cannot be written here", path, "Give a file in a folder there is.")

    def watch(event: Any) -> None:
        line = {"event": type(event).__name__, **vars(event)}
        if not math.isfinite(line.get("loss", 0.0)):
            line["loss"] = None  # JSON has no NaN
        with open(path, "a", encoding="utf-8") as events:
            events.write(json.dumps(line) + "\n")

    return watch


def add_sweep(verbs: Verbs) -> None:
    """`sweep`."""
    parser = add_verb(
        verbs, "sweep", sweep, "A sheet of epoch x weight x prompt, with scores and a pick.",
        "lora-cook sweep --lora loras/*.safetensors --weights 0,0.5,1 --prompt kafka --out taste",
    )  # fmt: skip
    parser.add_argument("--lora", type=Path, nargs="+", required=True, help="LoRA files")
    parser.add_argument("--weights", default="0.5,0.6,0.7,0.8,0.9,1.0", help="separated by commas")
    parser.add_argument("--prompt", nargs="+", required=True, help="one or more prompts")
    parser.add_argument("--out", type=Path, required=True, help="folder for sheet and cells")
    parser.add_argument("--model", default="", help="checkpoint; the embedded one if left out")
    parser.add_argument("--tags", default="", help="tags that should show, separated by commas")
    parser.add_argument(
        "--tagger", default="", help="a tagger's folder; the embedded one if left out"
    )
    parser.add_argument("--seeds", default="1,2", help="one picture a seed in every cell")
    parser.add_argument("--steps", type=int, default=20, help="sampling steps")
    parser.add_argument("--cfg", type=float, default=0.0, help="how closely to follow the prompt")


def sweep(options: argparse.Namespace, job: ConsoleJob) -> dict[str, Any]:
    """Draw, score and lay out the cells."""
    from .captioning import onnx_tagger
    from .compare.sweep import Wanted, cell_path, run_sweep, write_sweep
    from .config import ModelConfig
    from .dataset.captions import split_tags
    from .demo import meal

    model = ModelConfig(pretrained_model_name_or_path=options.model or str(meal.CHECKPOINT))
    config = SweepConfig(
        loras=tuple(str(path.resolve()) for path in options.lora),
        weights=tuple(numbers(options.weights, "--weights", float)),
        prompts=tuple(options.prompt), seeds=tuple(numbers(options.seeds, "--seeds", int)),
        steps=options.steps, cfg_scale=options.cfg or (7.0 if options.model else meal.CFG_SCALE),
    )  # fmt: skip
    check_sweep(config, options.out)
    tagger = onnx_tagger.load(Path(options.tagger) if options.tagger else meal.TAGGER)
    wanted = Wanted(split_tags(options.tags), tagger) if options.tags else None
    done = run_sweep(config, model, make_host(job), wanted, job)
    sheet = write_sweep(done, config, options.out, " | ".join(config.prompts))
    cells = [
        {
            "lora": str(cell.lora or ""), "weight": cell.weight, "prompt": cell.prompt,
            "image": str(cell_path(options.out, index)),
            "score": {"tag_recall": score.tag_recall, "tags": score.tags} if score else {},
        }
        for index, (cell, score) in enumerate(done.cells, 1)
    ]  # fmt: skip
    pick = done.pick and {
        "lora": str(done.pick.cell.lora),
        "weight": done.pick.cell.weight,
        "why": done.pick.why,
    }
    return {"sheet": str(sheet), "cells": cells, "pick": pick}


def check_sweep(config: SweepConfig, out: Path) -> None:
    """UserError for settings that no sheet can be drawn with."""
    if not (config.weights and config.seeds):
        raise UserError("There is nothing to draw", "--weights and --seeds", "Give one or more.")
    if wrong := out_of_bounds(config):
        raise UserError("; ".join(wrong), "the sweep's settings", "Correct them.")
    if out.exists() and not out.is_dir():
        raise UserError("This is a file", out, "Give a folder with --out.")


def add_plan(verbs: Verbs) -> None:
    """`plan`."""
    parser = add_verb(
        verbs, "plan", plan, "Repeats, epochs and steps for a folder or a run file.",
        "lora-cook plan datasets/kafka --batch 2",
    )  # fmt: skip
    parser.add_argument("what", type=Path, metavar="DIR|RUN.toml", help="pictures, or a run file")
    parser.add_argument("--batch", type=int, default=2, help="pictures a step (for a folder)")


def plan(options: argparse.Namespace, job: ConsoleJob) -> dict[str, Any]:
    """Propose for a folder, or count what a run file will do."""
    if options.what.is_dir():
        return plan_folder(options.what, options.batch)
    if not options.what.is_file():
        raise UserError("There is no such folder or run file", options.what, "Check the name.")
    return plan_run(config_file.read_run(options.what), job)


def plan_folder(folder: Path, batch: int) -> dict[str, Any]:
    """The guide's proposal for one folder, or for its subfolders if it holds no picture itself."""
    from .dataset.images import is_picture_name, scan_subset
    from .training.plan import propose

    holds = any(is_picture_name(path.name) for path in folder.iterdir() if path.is_file())
    subfolders = [it for it in sorted(folder.iterdir()) if it.is_dir() and it.name[0] != "."]
    folders = [folder] if holds or not subfolders else subfolders
    counts = [len(scan_subset(path, [])) for path in folders]
    proposed = propose(counts, batch)
    subsets = [
        {"image_dir": str(path), "images": count, "num_repeats": repeats}
        for path, count, repeats in zip(folders, counts, proposed.num_repeats, strict=True)
    ]
    return {
        "subsets": subsets, "total": proposed.total, "epochs": proposed.epochs,
        "steps": proposed.steps,
    }  # fmt: skip


def plan_run(config: TrainingConfig, job: ConsoleJob) -> dict[str, Any]:
    """What a run file will do: its own repeats and epochs, counted bucket by bucket."""
    from .cook import problems_of
    from .training.batches import repeated
    from .training.pictures import read_pictures
    from .training.plan import batches_per_epoch, steps_of

    if problems := problems_of(config):
        raise UserError("; ".join(problems), "the run's settings", "Correct them.")
    pictures = read_pictures(config)
    epoch = repeated(pictures)
    buckets = Counter(picture.fit.bucket for picture in epoch)
    steps, epochs = steps_of(batches_per_epoch(buckets, config.loop.train_batch_size), config.loop)
    images = Counter(picture.subset.image_dir for picture in pictures)
    repeats = {it.subset.image_dir: it.subset.num_repeats for it in pictures}
    subsets = [
        {"image_dir": name, "images": count, "num_repeats": repeats[name]}
        for name, count in images.items()
    ]
    return {"subsets": subsets, "total": len(epoch), "epochs": epochs, "steps": steps}


def add_undo(verbs: Verbs) -> None:
    """`undo`."""
    parser = add_verb(
        verbs, "undo", undo, "Take back the last change of a dataset, or all after one.",
        "lora-cook undo datasets/kafka --list",
    )  # fmt: skip
    parser.add_argument("folder", type=Path, metavar="DIR", help="the dataset")
    parser.add_argument("--list", action="store_true", help="show the changes, take none back")
    parser.add_argument("--to", metavar="ID", help="take back all changes after this one")


def undo(options: argparse.Namespace, job: ConsoleJob) -> dict[str, Any]:
    """Undo through the journal."""
    from .dataset import journal

    if not options.folder.is_dir():
        raise UserError("There is no such folder", options.folder, "Check the name.")
    if options.list:
        return {"history": [vars(entry) for entry in journal.history(options.folder)]}
    return {"undone": journal.undo(options.folder, options.to, job)}


def make_host(job: ConsoleJob) -> Any:
    """The standalone host in the person's own folder."""
    from .hosts.standalone import StandaloneHost, default_home

    return StandaloneHost(default_home(), cancelled=lambda: job.cancelled)


def embedded(config: TrainingConfig) -> TrainingConfig:
    """The run, refused where it asks for a WebUI's model and there is no WebUI."""
    if config.model.pretrained_model_name_or_path == "host":
        raise UserError(
            "No WebUI is running here, so it has no loaded model",
            "pretrained_model_name_or_path", "Give a checkpoint file or a diffusers folder.",
        )  # fmt: skip
    return config


def numbers(text: str, option: str, kind: type[Number]) -> list[Number]:
    """`0.5,1` as numbers of a kind; UserError where one is not."""
    try:
        return [kind(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise UserError("These are not numbers", f"{option} {text}", "Write 0.5,0.8,1.") from None
