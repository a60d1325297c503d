"""The whole way on the toy world: dirty pictures in; clean, tag, cook, taste; a pick out."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..captioning import onnx_tagger
from ..compare.render import render_cells
from ..compare.score import score_pictures
from ..compare.sweep import Sweep, Wanted, run_sweep, write_sweep
from ..config import (
    GROUPS,
    BucketConfig,
    LoopConfig,
    LossConfig,
    ModelConfig,
    NetworkConfig,
    OptimizerConfig,
    SaveConfig,
    SubsetConfig,
    SweepConfig,
    TrainingConfig,
    settings_of,
)
from ..cook import Cooked, cook
from ..dataset.changes import (
    Change,
    plan_convert,
    plan_flatten,
    plan_prune,
    plan_small,
    plan_tags,
    plan_trash,
    plan_trigger,
)
from ..dataset.duplicates import find_duplicates, plan_duplicates
from ..dataset.images import ImageFile, open_image, scan_subset
from ..dataset.journal import apply_changes
from ..dataset.tags import spaces_for_underscores
from ..errors import UserError
from ..hosts.base import Host
from ..jobs import Job
from .characters import NEW_CHARACTER_TAGS, TRIGGER
from .dirty_dataset import write_dirty_dataset

ASSETS = Path(__file__).parent / "assets"
CHECKPOINT, TAGGER = ASSETS / "checkpoint", ASSETS / "tagger"
MODEL = ModelConfig(pretrained_model_name_or_path=str(CHECKPOINT), max_token_length=75)
SIDE = 64
"""Pixels: the toy checkpoint's own size; smaller pictures are set aside."""
MEASURED = 32
"""Pictures drawn for each figure that the demo prints."""
CFG_SCALE = 3.0
DROPPED = 0.6
"""How many of the tags beside the trigger are left out: prompts have few of them, too."""
OWN_FEATURES = tuple(map(spaces_for_underscores, NEW_CHARACTER_TAGS))


@dataclass(frozen=True)
class Meal:
    """What the demo made and measured."""

    cooked: Cooked
    sheet: Path
    sweep: Sweep
    recall_without: float
    """Recall of the new character's own tags at weight 0, from the trigger alone."""
    recall_with: float
    """The same with the picked LoRA at the picked weight."""
    seconds: float


def serve(out: Path, host: Host, job: Job) -> Meal:
    """Run the demo into an empty or a former demo's folder; UserError for any other folder."""
    started = time.monotonic()
    dataset = make_room(out)
    with job.stage("1/6 gather"):
        write_dirty_dataset(dataset)
        drawn = len(scan_subset(dataset))
        job.report(drawn, drawn, "pictures drawn")
    with job.stage("2/6 clean"):
        clean(dataset, job)
    with job.stage("3/6 tag"):
        tag(dataset, job)
    with job.stage("4/6 cook"):
        cooked = cook(demo_run(dataset, out / "loras"), host, job)
    with job.stage("5/6 taste"):
        wanted = Wanted(OWN_FEATURES, onnx_tagger.load(TAGGER))
        config = demo_sweep(cooked.loras)
        sweep = run_sweep(config, MODEL, host, wanted, job)
        sheet = write_sweep(sweep, config, out / "taste", f"{TRIGGER}: epoch x weight")
    with job.stage("6/6 measure"):
        without, best = measure(sweep, host, wanted, job)
    return Meal(cooked, sheet, sweep, without, best, time.monotonic() - started)


def make_room(out: Path) -> Path:
    """The dataset's folder in `out`, new; only what a demo made is replaced."""
    mark = out / ".lora-cook-demo"
    if out.exists() and any(out.iterdir()) and not mark.exists():
        raise UserError("This folder holds something else", out, "Give a new folder with --out.")
    for name in ("dataset", "loras", "taste"):
        shutil.rmtree(out / name, ignore_errors=True)
    (out / "dataset").mkdir(parents=True)
    mark.touch()
    return out / "dataset"


def clean(folder: Path, job: Job) -> None:
    """PNG without transparency, one of each picture, none too small, none without a person."""
    steps: list[tuple[str, Callable[[list[ImageFile]], list[Change]]]] = [
        ("to PNG", plan_convert),
        ("flatten", plan_flatten),
        ("too small", lambda images: plan_small(images, SIDE)),
        ("duplicates", lambda images: plan_duplicates(find_duplicates(images))),
        ("nobody there", without_person),
    ]
    for done, (name, plan) in enumerate(steps, 1):
        change(folder, name, plan(scan_subset(folder)), job)
        job.report(done, len(steps), name)


def without_person(images: list[ImageFile]) -> list[Change]:
    """Pictures in which the tagger sees no girl, to be set aside."""
    tagger = onnx_tagger.load(TAGGER)
    seen = tagger.predict([open_image(image.path) for image in images])
    empty = [it.path for it, tags in zip(images, seen, strict=True) if "1girl" not in tags.names()]
    return plan_trash(empty, "the tagger sees nobody in it")


def tag(folder: Path, job: Job) -> None:
    """Captions from the tagger; the own features pruned, so that the trigger comes to mean them."""
    images = scan_subset(folder)
    tags = onnx_tagger.load(TAGGER).predict([open_image(image.path) for image in images])
    names = {image.path: found.names() for image, found in zip(images, tags, strict=True)}
    change(folder, "tag", plan_tags(images, names, when="append"), job)
    change(folder, "prune", plan_prune(scan_subset(folder), list(OWN_FEATURES)), job)
    change(folder, "trigger", plan_trigger(scan_subset(folder), TRIGGER), job)
    job.report(len(images), len(images), "tags")


def change(folder: Path, what: str, changes: list[Change], job: Job) -> None:
    """Apply planned changes, and tell how many."""
    if changes:
        applied = apply_changes(folder, changes, job, what)
        job.log(f"{what}: {len(applied.applied)} files" + "".join(map(str, applied.failed)))


def demo_run(dataset: Path, loras: Path) -> TrainingConfig:
    """The run: a LoRA of the UNet and the text encoder, small enough for two cores."""
    images = len(scan_subset(dataset))
    subset = SubsetConfig(
        image_dir=str(dataset), num_repeats=max(1, round(200 / images)), keep_tokens=1,
        shuffle_caption=True,
        caption_tag_dropout_rate=DROPPED,
    )  # fmt: skip
    return toy_run((subset,), SaveConfig(output_dir=str(loras), output_name=TRIGGER))


def toy_run(subsets: tuple[SubsetConfig, ...], save: SaveConfig) -> TrainingConfig:
    """What the toy checkpoint learns well with."""
    return TrainingConfig(
        model=MODEL,
        subsets=subsets,
        bucket=BucketConfig(resolution=(SIDE, SIDE)),
        network=NetworkConfig(network_dim=8, network_alpha=8.0),
        optimizer=OptimizerConfig(
            unet_lr=3e-3, text_encoder_lr=3e-3, lr_scheduler="cosine", lr_warmup_steps=0.05
        ),
        loss=LossConfig(min_snr_gamma=5.0),
        loop=LoopConfig(train_batch_size=4, max_train_epochs=8),
        save=save,
    )


def page_recipe() -> dict[str, Any]:
    """What the page shows at first where there is no WebUI: settings for the toy checkpoint."""
    run = toy_run((), SaveConfig())
    groups = (getattr(run, group) for group in GROUPS if group != "save")
    own = {name: value for group in groups for name, _, value in settings_of(group)}
    return {**own, "caption_tag_dropout_rate": DROPPED, "cfg_scale": CFG_SCALE}


def demo_sweep(loras: list[Path]) -> SweepConfig:
    """Every second epoch at five weights, four seeds a cell, from the trigger alone."""
    return SweepConfig(
        loras=tuple(str(path) for path in loras[1::2]), prompts=(TRIGGER,),
        weights=(0.0, 0.4, 0.6, 0.8, 1.0), seeds=(1, 2, 3, 4), cfg_scale=CFG_SCALE,
        width=SIDE, height=SIDE,
    )  # fmt: skip


def measure(sweep: Sweep, host: Host, wanted: Wanted, job: Job) -> tuple[float, float]:
    """Recall over seeds that the sweep did not use: (at weight 0, at the pick)."""
    assert sweep.pick is not None
    cell = sweep.pick.cell
    config = replace(
        demo_sweep([]), loras=(str(cell.lora),), weights=(0.0, cell.weight),
        seeds=tuple(range(1000, 1000 + MEASURED)),
    )  # fmt: skip
    drawn = render_cells(config, MODEL, host, job)
    recalls = [
        score_pictures(pictures, wanted.tags, wanted.tagger).tag_recall for _, pictures in drawn
    ]
    return recalls[0], recalls[1]


def as_json(meal: Meal) -> dict[str, Any]:
    """The demo's figures under the keys of the command."""
    pick = meal.sweep.pick
    assert pick is not None and pick.cell.lora is not None
    epoch = meal.cooked.loras.index(pick.cell.lora) + 1
    return {
        "loras": [str(path) for path in meal.cooked.loras],
        "sheet": str(meal.sheet),
        "tag_recall": {"weight_0": meal.recall_without, "best": meal.recall_with},
        "pick": {"epoch": epoch, "weight": pick.cell.weight, "why": pick.why},
        "seconds": round(meal.seconds, 1),
    }
