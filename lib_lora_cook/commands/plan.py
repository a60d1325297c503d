"""`plan`: repeats, epochs and steps."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import Any

from .. import config_file
from ..config import TrainingConfig
from ..errors import UserError
from ..jobs import ConsoleJob
from .base import Verbs, add_verb


def add_verbs(verbs: Verbs) -> None:
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
    from ..dataset.images import is_picture_name, scan_subset
    from ..training.plan import propose

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
    from ..cook import problems_of
    from ..training.batches import repeated
    from ..training.pictures import read_pictures
    from ..training.plan import batches_per_epoch, steps_of

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
