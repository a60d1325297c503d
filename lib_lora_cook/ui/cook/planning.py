"""The plan of a run: its sum, what the guide proposes, its buckets. Values -> HTML.

Nothing here opens a picture but the few that are drawn; sizes come from the files' heads.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from ...config import TrainingConfig
from ...dataset.images import Failure, ImageFile, scan_subset
from ...dataset.thumbnails import read_thumbnail
from ...errors import UserError
from ...training.buckets import BucketFit, bucket_for, bucket_resolutions
from ...training.pictures import BucketUse, Picture, bucket_uses, smallest, with_repeats
from ...training.plan import (
    GUIDES,
    PRODIGY,
    SDXL,
    Plan,
    Rule,
    batches_per_epoch,
    propose,
    steps_of,
    sum_text,
)
from .. import texts
from ..bench import named
from ..pictures import data_uri
from ..runner import short_home
from ..show import note, plain, table
from ..subsets import folders_of
from ..work import is_folder

DRAWN, SIDE = 12, 176
"""Buckets that are drawn, and pixels of the longest side of a picture in one."""
Several = Sequence[Sequence[ImageFile]]
"""The pictures of each subset."""
LARGE_BASES = ("sdxl", "pdxl", "pony", "illustrious", "noob")


@dataclass(frozen=True)
class Planned:
    """What the page shows of a plan; no numbers where nothing can be proposed."""

    html: str
    numbers: tuple[str, str] | None = None
    """Proposed num_repeats and max_train_epochs, where they differ from those that are set."""
    leave_out: tuple[Path, ...] = ()


def scanned(folder: str) -> tuple[list[ImageFile], list[Failure]]:
    """The pictures of a folder; once, as long as nothing comes into it or goes. UserError."""
    path = Path(os.path.abspath(os.path.expanduser(folder.strip())))
    try:
        changed = path.stat().st_mtime_ns
    except OSError:
        changed = 0
    return _scanned(path, changed)


@lru_cache(maxsize=32)
def _scanned(folder: Path, changed: int) -> tuple[list[ImageFile], list[Failure]]:
    failed: list[Failure] = []
    return scan_subset(folder, failed), failed


def rule_for(base: str, optimizer_type: str) -> Rule:
    """The guide's rule for an optimizer and for what the checkpoint was made from."""
    if optimizer_type.lower().startswith("prodigy"):
        return PRODIGY
    return SDXL if any(name in base.lower() for name in LARGE_BASES) else GUIDES


def proposal(folder: str, batch_size: int, rule: Rule = GUIDES) -> Plan | None:
    """The guide's repeats and epochs for a folder; None where there is no picture."""
    try:
        counts = [len(scanned(it)[0]) for it in folders_of(folder, Path.cwd())]
    except UserError:
        return None
    return propose(counts, batch_size, rule) if any(counts) else None


def planned(config: TrainingConfig, rule: Rule, cache: Path) -> Planned:
    """The plan of a run."""
    config = replace(config, subsets=tuple(map(with_repeats, config.subsets)))
    if not config.subsets[0].image_dir.strip():
        return Planned(note(texts.PLAN_EMPTY))
    if not any(map(is_folder, config.subsets)):
        folder = short_home(config.subsets[0].image_dir)
        return Planned(note(texts.PLAN_NO_FOLDER.format(folder=folder)))
    try:
        found = [scanned(it.image_dir) for it in config.subsets]
    except UserError as error:
        return Planned(note(short_home(str(error))))
    several = [images for images, _ in found]
    counts = list(map(len, several))
    pictures, problem = fitted(config, several)
    everything = [it for images in several for it in images]
    failed = [it for _, missing in found for it in missing]
    told = [found_text(everything, failed), *([problem] if problem else [])]
    batch = config.loop.train_batch_size
    own, wanted = own_plan(config, pictures), propose(counts, batch, rule)
    told.append(texts.PLAN_OWN.format(sum=sum_text(own, counts, batch)))
    numbers = (repeats_of(wanted), str(wanted.epochs))
    differs = numbers != (repeats_of(own), str(own.epochs))
    if differs:
        told.append(texts.PLAN_GUIDE.format(sum=sum_text(wanted, counts, batch)))
    extra = [smallest(images) for images in several]
    rows = subset_table(config, several, wanted, extra) if len(several) > 1 else ""
    html = "".join(map(note, told)) + rows + "".join(map(note, leave_out(several, extra)))
    html += buckets(bucket_uses(pictures), pictures, cache)
    paths = tuple(it.path for images in extra for it in images)
    return Planned(html, numbers if differs else None, paths)


def repeats_of(plan: Plan) -> str:
    """What num_repeats would show."""
    same = len(set(plan.num_repeats)) == 1
    return ", ".join(map(str, plan.num_repeats[:1] if same else plan.num_repeats))


def subset_table(config: TrainingConfig, several: Several, wanted: Plan, extra: Several) -> str:
    """Each subset: its pictures, its repeats, those that even it out, how many to leave out."""
    rows = [
        (Path(subset.image_dir).name, len(images), subset.num_repeats, repeats,
         f"{len(images)} × {repeats} = {len(images) * repeats}", len(out) or "")
        for subset, images, repeats, out in zip(
            config.subsets, several, wanted.num_repeats, extra, strict=True
        )
    ]  # fmt: skip
    return table(texts.SUBSET_HEADS, [*rows, ("", "", "", "", f"T = {wanted.total}", "")])


def leave_out(several: Several, extra: Several) -> list[str]:
    """Which pictures bring each folder that is just over a row of the guide's down to it."""
    told = [
        texts.LEAVE_OUT.format(
            folder=out[0].path.parent.name, count=len(out), left=len(images) - len(out),
            names=named([it.path for it in out], 6),
        )
        for images, out in zip(several, extra, strict=True) if out
    ]  # fmt: skip
    return [*told, texts.LEAVE_OUT_WHICH] if told else []


def found_text(images: Sequence[ImageFile], failed: Sequence[Failure]) -> str:
    """How many pictures there are, and what could not be read."""
    captions = sum(bool(it.caption.strip()) for it in images)
    text = texts.PLAN.format(images=f"{len(images):,}", captions=f"{captions:,}")
    if failed:
        path, why = failed[0]
        text += " " + texts.PLAN_UNREAD.format(count=len(failed), name=path.name, why=why)
    return text


def fitted(config: TrainingConfig, several: Several) -> tuple[list[Picture], str]:
    """(the pictures in their buckets, what is wrong with the first that fits none)."""
    pictures, problem = [], ""
    try:
        sizes = bucket_resolutions(config.bucket)
    except UserError as error:
        return [], str(error)
    fits: dict[tuple[int, int], BucketFit] = {}
    pairs = zip(config.subsets, several, strict=True)
    for subset, image in ((subset, image) for subset, images in pairs for image in images):
        size = (image.width, image.height)
        try:
            fits[size] = fits.get(size) or bucket_for(size, config.bucket, sizes)
        except UserError as error:
            problem = problem or f"{image.path.name}: {error}"
            continue
        pictures.append(Picture(image, subset, image.caption, fits[size]))
    return pictures, problem


def own_plan(config: TrainingConfig, pictures: Sequence[Picture]) -> Plan:
    """What the settings come to, counted bucket by bucket as the run counts."""
    epoch: Counter[tuple[int, int]] = Counter()
    for picture in pictures:
        epoch[picture.fit.bucket] += picture.subset.num_repeats or 1
    steps, epochs = steps_of(batches_per_epoch(epoch, config.loop.train_batch_size), config.loop)
    repeats = tuple(it.num_repeats or 1 for it in config.subsets)
    return Plan(repeats, sum(epoch.values()), epochs, steps)


def buckets(uses: Sequence[BucketUse], pictures: Sequence[Picture], cache: Path) -> str:
    """Every bucket in its shape, with the picture that it cuts most of."""
    shown = sorted(uses, key=lambda it: -it.pictures)[:DRAWN]
    by_path = {it.image.path: it for it in pictures}
    longest = max((max(it.bucket) for it in shown), default=1)
    drawn = "".join(bucket(it, by_path[it.most_of], longest, cache) for it in shown)
    more = texts.MORE_BUCKETS.format(count=len(uses) - DRAWN) if len(uses) > DRAWN else ""
    return f'<div class="lora_cook_buckets">{drawn}</div>{note(more)}' if drawn else ""


def bucket(use: BucketUse, worst: Picture, longest: int, cache: Path) -> str:
    """One bucket: the picture that loses most in it, what is kept framed, and the figures."""
    told = texts.BUCKET_USE.format(
        width=use.bucket[0], height=use.bucket[1], count=f"{use.pictures:,}",
        mean=f"{use.mean_cut:.0%}", most=f"{use.most_cut:.0%}", name=use.most_of.name,
    )  # fmt: skip
    try:
        picture = data_uri(read_thumbnail(use.most_of, cache, SIDE)[0])
    except UserError:
        picture = ""
    size = (worst.image.width, worst.image.height)
    box = worst.fit.kept_box(size)
    edges = [100 * edge / side for edge, side in zip(box, size * 2, strict=True)]
    frame = (
        f"left:{edges[0]:.1f}%;top:{edges[1]:.1f}%;"
        f"width:{edges[2] - edges[0]:.1f}%;height:{edges[3] - edges[1]:.1f}%"
    )
    height = 7 * size[1] * use.bucket[0] / size[0] / longest
    height = max(height, 7 * use.bucket[1] / longest)
    return (
        f'<figure title="{plain(told)}"><div class="lora_cook_cut" style="height:{height:.1f}rem">'
        f'<img src="{picture}" alt="{plain(use.most_of.name)}">'
        f'<i class="lora_cook_kept" style="{frame}"></i></div>'
        f"<figcaption>{plain(told)}</figcaption></figure>"
    )
