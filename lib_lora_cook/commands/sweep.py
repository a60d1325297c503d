"""`sweep`: epoch x weight x prompt, scored."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import SweepConfig, out_of_bounds
from ..errors import UserError
from ..jobs import ConsoleJob
from .base import Verbs, add_verb, make_host, numbers

if TYPE_CHECKING:
    from ..compare.grid import Cell
    from ..compare.score import Score
    from ..compare.sweep import Sweep
    from ..dataset.images import ImageFile


def add_verbs(verbs: Verbs) -> None:
    """`sweep`."""
    parser = add_verb(
        verbs, "sweep", sweep, "A sheet of epoch x weight x prompt, with scores and a pick.",
        "lora-cook sweep --lora loras/*.safetensors --weights 0,0.5,1 --prompt kafka --out taste",
    )  # fmt: skip
    parser.add_argument("--lora", type=Path, nargs="+", required=True, help="LoRA files")
    parser.add_argument("--weights", default="0.5,0.6,0.7,0.8,0.9,1.0", help="separated by commas")
    parser.add_argument("--prompt", nargs="+", default=[], help="one or more prompts")
    parser.add_argument(
        "--dataset",
        type=Path,
        metavar="DIR|RUN.toml",
        help="what was trained on: makes the prompts if none are given, and tells what they test",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for sheet and cells")
    parser.add_argument("--model", default="", help="checkpoint; the embedded one if left out")
    parser.add_argument("--tags", default="", help="tags that should show, separated by commas")
    parser.add_argument(
        "--tagger", default="", help="a tagger's folder; the embedded one if left out"
    )
    parser.add_argument("--seeds", default="1,2", help="one picture a seed in every cell")
    parser.add_argument("--steps", type=int, default=20, help="sampling steps")
    parser.add_argument("--batch", type=int, default=8, help="pictures drawn at once")
    parser.add_argument("--cfg", type=float, default=0.0, help="how closely to follow the prompt")
    parser.set_defaults(tell=tell_sweep)


def sweep(options: argparse.Namespace, job: ConsoleJob) -> dict[str, Any]:
    """Draw, score and lay out the cells."""
    from ..captioning import onnx_tagger
    from ..compare.judge import Wanted
    from ..compare.sweep import growing_sweep, note_on_card, write_cell, write_sweep
    from ..compare.taught import wanted_of
    from ..config import ModelConfig
    from ..dataset.captions import split_tags
    from ..demo import meal

    if not (options.prompt or options.dataset):
        raise UserError("There is nothing to draw", "--prompt", "Give prompts or --dataset.")
    tagger = onnx_tagger.load(Path(options.tagger) if options.tagger else meal.TAGGER)
    tags = split_tags(options.tags) if options.tags else []
    wanted = Wanted(tags, tagger) if tags else None
    if options.dataset:
        wanted = wanted_of(taught_by(options.dataset), tags, tagger)
    model = ModelConfig(pretrained_model_name_or_path=options.model or str(meal.CHECKPOINT))
    weights = numbers(options.weights, "--weights", float)
    if options.dataset and weights and 0.0 not in weights:
        weights = [0.0, *weights]  # what the base gives is what the scores are held against
    config = SweepConfig(
        loras=tuple(str(path.resolve()) for path in options.lora), weights=tuple(weights),
        prompts=tuple(options.prompt or [it.text for it in (wanted.probes if wanted else ())]),
        seeds=tuple(numbers(options.seeds, "--seeds", int)),
        cfg_scale=options.cfg or (7.0 if options.model else meal.CFG_SCALE),
        steps=options.steps, batch_size=options.batch,
    )  # fmt: skip
    check_sweep(config, options.out)
    for done in growing_sweep(config, model, make_host(job), wanted, job):
        write_cell(done, config, len(done.cells), options.out)
    sheet = write_sweep(done, config, options.out, " | ".join(config.prompts))
    note_on_card(done)
    return {"sheet": str(sheet), **told(done, options.out), "stopped": done.stopped}


def tell_sweep(result: dict[str, Any]) -> str:
    """Where the sheet is, and what was picked, and why."""
    lines = [f"The sheet: {result['sheet']}"]
    if pick := result["pick"]:
        lines.append(
            f"The pick: {Path(pick['lora']).stem} at weight {pick['weight']:g}: {pick['why']}"
        )
    if result["stopped"]:
        lines.append(
            f"It was stopped: {result['stopped']}. {len(result['cells'])} cells are there."
        )
    return "\n".join(lines)


def taught_by(dataset: Path) -> dict[str, list[ImageFile]]:
    """Trigger -> pictures of a folder, its subfolders, or the subsets of a run file."""
    from ..compare.taught import by_trigger
    from ..config_file import read_run
    from ..dataset.images import scan_subset
    from .plan import counted_folders

    if dataset.is_dir():
        folders = [("", path.name, images) for path, images in counted_folders(dataset).items()]
    elif dataset.is_file():
        folders = [
            (it.class_tokens, Path(it.image_dir).name, scan_subset(Path(it.image_dir), []))
            for it in read_run(dataset).subsets if not it.is_reg
        ]  # fmt: skip
    else:
        raise UserError("There is no such folder or run file", dataset, "Check the name.")
    if not (found := by_trigger(folders)):
        raise UserError("No captions here begin with a trigger", dataset, "Give --prompt instead.")
    return found


def told(done: Sweep, out: Path) -> dict[str, Any]:
    """Cells and pick as JSON; each score with its spread over the seeds."""
    from ..compare.sweep import cell_path

    cells = [
        {
            "lora": str(cell.lora or ""), "weight": cell.weight, "prompt": cell.prompt,
            "image": str(cell_path(out, index)), "score": told_score(score) if score else {},
        }
        for index, (cell, score) in enumerate(done.cells, 1)
    ]  # fmt: skip
    pick = done.pick and {
        **place(done.pick.cell), "why": done.pick.why, "sure": done.pick.sure,
        "runner_up": done.pick.runner_up and place(done.pick.runner_up),
    }  # fmt: skip
    return {"cells": cells, "pick": pick}


def place(cell: Cell) -> dict[str, Any]:
    """Which LoRA at which weight."""
    return {"lora": str(cell.lora), "weight": cell.weight}


def told_score(score: Score) -> dict[str, Any]:
    """The measures by name, and the tags that were asked for with --tags."""
    found: dict[str, Any] = {
        name: {"value": it.value, "spread": it.spread}
        for name, it in score.measures.items() if name != "tag_recall"
    }  # fmt: skip
    if score.tags:
        found |= {"tag_recall": score.tag_recall, "tags": score.tags}
    return found | ({"nearest": score.nearest} if score.nearest else {})


def check_sweep(config: SweepConfig, out: Path) -> None:
    """UserError for settings that no sheet can be drawn with."""
    if not (config.weights and config.seeds):
        raise UserError("There is nothing to draw", "--weights and --seeds", "Give one or more.")
    if wrong := out_of_bounds(config):
        raise UserError("; ".join(wrong), "the sweep's settings", "Correct them.")
    if out.exists() and not out.is_dir():
        raise UserError("This is a file", out, "Give a folder with --out.")
