"""`sweep`: epoch x weight x prompt, scored."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..config import SweepConfig, out_of_bounds
from ..errors import UserError
from ..jobs import ConsoleJob
from .base import Verbs, add_verb, make_host, numbers


def add_verbs(verbs: Verbs) -> None:
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
    parser.add_argument("--batch", type=int, default=8, help="pictures drawn at once")
    parser.add_argument("--cfg", type=float, default=0.0, help="how closely to follow the prompt")


def sweep(options: argparse.Namespace, job: ConsoleJob) -> dict[str, Any]:
    """Draw, score and lay out the cells."""
    from ..captioning import onnx_tagger
    from ..compare.sweep import Wanted, cell_path, growing_sweep, write_cell, write_sweep
    from ..config import ModelConfig
    from ..dataset.captions import split_tags
    from ..demo import meal

    model = ModelConfig(pretrained_model_name_or_path=options.model or str(meal.CHECKPOINT))
    config = SweepConfig(
        loras=tuple(str(path.resolve()) for path in options.lora),
        weights=tuple(numbers(options.weights, "--weights", float)),
        prompts=tuple(options.prompt), seeds=tuple(numbers(options.seeds, "--seeds", int)),
        cfg_scale=options.cfg or (7.0 if options.model else meal.CFG_SCALE),
        steps=options.steps, batch_size=options.batch,
    )  # fmt: skip
    check_sweep(config, options.out)
    tagger = onnx_tagger.load(Path(options.tagger) if options.tagger else meal.TAGGER)
    wanted = Wanted(split_tags(options.tags), tagger) if options.tags else None
    for done in growing_sweep(config, model, make_host(job), wanted, job):
        write_cell(done, config, len(done.cells), options.out)
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
    return {"sheet": str(sheet), "cells": cells, "pick": pick, "stopped": done.stopped}


def check_sweep(config: SweepConfig, out: Path) -> None:
    """UserError for settings that no sheet can be drawn with."""
    if not (config.weights and config.seeds):
        raise UserError("There is nothing to draw", "--weights and --seeds", "Give one or more.")
    if wrong := out_of_bounds(config):
        raise UserError("; ".join(wrong), "the sweep's settings", "Correct them.")
    if out.exists() and not out.is_dir():
        raise UserError("This is a file", out, "Give a folder with --out.")
