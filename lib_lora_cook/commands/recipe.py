"""`recipe`: a run file whose every setting says why."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..jobs import ConsoleJob
from ..recipes.read import LARGE, Choice, choices, read_recipe, recipe_text
from .base import Verbs, add_verb
from .formats import write_new
from .plan import counted_folders, plan_of


def add_verbs(verbs: Verbs) -> None:
    """`recipe`."""
    parser = add_verb(
        verbs, "recipe", recipe, "A run file for a folder of pictures, a reason beside each line.",
        "lora-cook recipe datasets/kafka --kind character --base nai --out run.toml",
    )  # fmt: skip
    parser.add_argument("folder", type=Path, metavar="DIR", help="the pictures, or their folders")
    default = Choice()
    for part in ("kind", "base", "network", "optimizer"):
        parser.add_argument(
            f"--{part}", choices=choices(part), default=getattr(default, part),
            help=f"{getattr(default, part)} if left out",
        )  # fmt: skip
    parser.add_argument("--card", choices=choices("card"), default="", help="what the card holds")
    parser.add_argument("--model", default="host", help="checkpoint; the WebUI's if left out")
    parser.add_argument("--name", default="", help="of the LoRA; the folder's if left out")
    parser.add_argument("--trigger", default="", help="the caption of pictures that have none")
    parser.add_argument("--out", type=Path, required=True, metavar="RUN.toml", help="the run file")
    parser.set_defaults(tell=tell_recipe)


def recipe(options: argparse.Namespace, job: ConsoleJob) -> dict[str, Any]:
    """Put the recipe together, plan the folder, write the run."""
    from ..training.plan import GUIDES, PRODIGY, SDXL

    if not options.folder.is_dir():
        raise UserError("There is no such folder", options.folder, "Check the name.")
    choice = Choice(options.kind, options.base, options.network, options.optimizer, options.card)
    made = read_recipe(choice)
    rule = SDXL if options.base in LARGE else GUIDES
    rule = PRODIGY if options.optimizer == "prodigy" else rule
    folders = counted_folders(options.folder)
    plan = plan_of(folders, made.settings["train_batch_size"], rule)
    if not plan["total"]:
        raise UserError("No picture is in this folder", options.folder, "Choose another one.")
    given = {
        "pretrained_model_name_or_path": options.model,
        "output_name": options.name or options.folder.resolve().name,
        "max_train_epochs": plan["epochs"],
    }
    subsets = [
        {
            "image_dir": str(Path(it["image_dir"]).resolve()), "num_repeats": it["num_repeats"],
            **({"class_tokens": options.trigger} if options.trigger else {}),
        }
        for it in plan["subsets"] if it["images"]
    ]  # fmt: skip
    write_new(options.out, recipe_text(made, subsets, given))
    settings = {**made.settings, **given}
    return {"run": str(options.out), "settings": settings, "why": made.why, "plan": plan}


def tell_recipe(result: dict[str, Any]) -> str:
    """Where the run file is, and the sum."""
    return f"The run file: {result['run']}\n{result['plan']['sum']}"
