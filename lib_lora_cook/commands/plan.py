"""`plan`: repeats, epochs and steps."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import config_file
from ..config import TrainingConfig
from ..dataset.images import ImageFile, picture_folders, scan_subset
from ..errors import UserError
from ..jobs import ConsoleJob, clock
from .base import Verbs, add_verb, make_host

if TYPE_CHECKING:
    from ..training.pictures import Picture
    from ..training.plan import Rule


def add_verbs(verbs: Verbs) -> None:
    """`plan`."""
    parser = add_verb(
        verbs, "plan", plan, "Repeats, epochs and steps for a folder or a run file.",
        "lora-cook plan datasets/kafka --batch 2",
    )  # fmt: skip
    parser.add_argument("what", type=Path, metavar="DIR|RUN.toml", help="pictures, or a run file")
    parser.add_argument("--batch", type=int, default=2, help="pictures a step (for a folder)")
    parser.set_defaults(tell=tell_plan)
    parser.add_argument(
        "--measure", action="store_true", help="try a few steps: time and memory (for a run)"
    )


def plan(options: argparse.Namespace, job: ConsoleJob) -> dict[str, Any]:
    """Propose for a folder, or count what a run file will do."""
    if options.what.is_dir():
        return plan_folder(options.what, options.batch)
    if not options.what.is_file():
        raise UserError("There is no such folder or run file", options.what, "Check the name.")
    config = config_file.read_run(options.what)
    told = plan_run(config, job)
    return {**told, "measured": measured(config, job)} if options.measure else told


def tell_plan(result: dict[str, Any]) -> str:
    """A line a folder, the sum, and what else was found."""
    lines = [
        f"{it['image_dir']}: {it['images']} images × {it['num_repeats']} repeats"
        for it in result["subsets"]
    ]
    lines.append(result.get("sum", f"{result['epochs']} epochs, {result['steps']} steps"))
    if leave_out := result.get("leave_out"):
        lines.append(f"Leave out, to come down to the table's row: {', '.join(leave_out)}")
    for it in result.get("buckets", []):
        width, height = it["bucket"]
        lines.append(
            f"bucket {width}×{height}: {it['images']} images, {it['cut_off']:.0%} cut off, "
            f"at most {it['most']:.0%} of {it['most_of']}"
        )
    if tried := result.get("measured"):
        lines.append(
            f"{tried['seconds_per_step']:.2f} s a step, {clock(tried['seconds'])} in all, "
            f"{tried['peak_bytes'] / 2**20:,.0f} MiB"
        )
    return "\n".join(lines)


def plan_folder(folder: Path, batch: int) -> dict[str, Any]:
    """The guide's proposal for one folder, or for its subfolders if it holds no picture itself."""
    return plan_of(counted_folders(folder), batch)


def counted_folders(folder: Path) -> dict[Path, list[ImageFile]]:
    """The pictures of a folder, or those of each subfolder if it holds none itself."""
    return {path: scan_subset(path, []) for path in picture_folders(folder)}


def plan_of(
    folders: dict[Path, list[ImageFile]], batch: int, rule: Rule | None = None
) -> dict[str, Any]:
    """Repeats, epochs, steps and the sum; what a folder just over a row might leave out."""
    from ..training.pictures import smallest
    from ..training.plan import GUIDES, propose, sum_text

    counts = [len(images) for images in folders.values()]
    proposed = propose(counts, batch, rule or GUIDES)
    subsets = [
        {"image_dir": str(path), "images": len(images), "num_repeats": repeats}
        for (path, images), repeats in zip(folders.items(), proposed.num_repeats, strict=True)
    ]  # fmt: skip
    return {
        "subsets": subsets, "total": proposed.total, "epochs": proposed.epochs,
        "steps": proposed.steps, "sum": sum_text(proposed, counts, batch),
        "leave_out": [str(it.path) for images in folders.values() for it in smallest(images)],
    }  # fmt: skip


def plan_run(config: TrainingConfig, job: ConsoleJob) -> dict[str, Any]:
    """What a run file will do: its own repeats and epochs, counted bucket by bucket."""
    from ..cook import problems_of
    from ..training.batches import repeated
    from ..training.pictures import read_pictures
    from ..training.plan import batches_per_epoch, steps_of

    # The steps can be counted where the checkpoint is not.
    model = replace(config.model, pretrained_model_name_or_path="host", vae="")
    if problems := problems_of(replace(config, model=model)):
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
    told = {"subsets": subsets, "total": len(epoch), "epochs": epochs, "steps": steps}
    return {**told, "buckets": bucket_shares(pictures)}


def bucket_shares(pictures: Sequence[Picture]) -> list[dict[str, Any]]:
    """Each bucket: its size, how many pictures, and what it cuts off of them, mean and most."""
    from ..training.pictures import bucket_uses

    return [
        {"bucket": list(it.bucket), "images": it.pictures, "cut_off": round(it.mean_cut, 4),
         "most": round(it.most_cut, 4), "most_of": str(it.most_of)}
        for it in bucket_uses(pictures)
    ]  # fmt: skip


def measured(config: TrainingConfig, job: ConsoleJob) -> dict[str, Any]:
    """Time and memory of a run, from a few of its own steps."""
    from ..cook.measure import measure_run
    from .train import embedded

    return vars(measure_run(embedded(config), make_host(job), job))
