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

from ..config import TrainingConfig
from ..dataset.images import Failure, ImageFile, scan_subset
from ..dataset.thumbnails import read_thumbnail
from ..errors import UserError
from ..training.buckets import BucketFit, bucket_for, bucket_resolutions
from ..training.pictures import BucketUse, Picture, bucket_uses, smallest, with_repeats
from ..training.plan import (
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
from . import texts
from .gallery import data_uri
from .runner import short_home
from .show import note, plain

DRAWN, SIDE = 12, 176
"""Buckets that are drawn, and pixels of the longest side of a picture in one."""
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


@lru_cache(maxsize=4)
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
        images, _ = scanned(folder) if folder.strip() else ([], [])
    except UserError:
        return None
    return propose([len(images)], batch_size, rule) if images else None


def planned(config: TrainingConfig, rule: Rule, cache: Path) -> Planned:
    """The plan of a run of one folder."""
    subset = with_repeats(config.subsets[0])
    if not subset.image_dir.strip():
        return Planned(note(texts.PLAN_EMPTY))
    try:
        images, failed = scanned(subset.image_dir)
    except UserError as error:
        return Planned(note(short_home(str(error))))
    config = replace(config, subsets=(subset,))
    pictures, problem = fitted(config, images)
    told = [found_text(images, failed), *([problem] if problem else [])]
    batch = config.loop.train_batch_size
    own = own_plan(config, pictures)
    told.append(texts.PLAN_OWN.format(sum=sum_text(own, [len(images)], batch)))
    wanted = propose([len(images)], batch, rule)
    numbers = (str(wanted.num_repeats[0]), str(wanted.epochs))
    differs = numbers != (str(own.num_repeats[0]), str(own.epochs))
    if differs:
        told.append(texts.PLAN_GUIDE.format(sum=sum_text(wanted, [len(images)], batch)))
    extra = tuple(it.path for it in smallest(images))
    if extra:
        names = ", ".join(path.name for path in extra[:6])
        left = len(images) - len(extra)
        told.append(texts.LEAVE_OUT.format(count=len(extra), left=left, names=names))
    html = "".join(map(note, told)) + buckets(bucket_uses(pictures), pictures, cache)
    return Planned(html, numbers if differs else None, extra)


def found_text(images: Sequence[ImageFile], failed: Sequence[Failure]) -> str:
    """How many pictures there are, and what could not be read."""
    captions = sum(bool(it.caption.strip()) for it in images)
    text = texts.PLAN.format(images=f"{len(images):,}", captions=f"{captions:,}")
    if failed:
        path, why = failed[0]
        text += " " + texts.PLAN_UNREAD.format(count=len(failed), name=path.name, why=why)
    return text


def fitted(config: TrainingConfig, images: Sequence[ImageFile]) -> tuple[list[Picture], str]:
    """(the pictures in their buckets, what is wrong with the first that fits none)."""
    pictures, problem = [], ""
    try:
        sizes = bucket_resolutions(config.bucket)
    except UserError as error:
        return [], str(error)
    fits: dict[tuple[int, int], BucketFit] = {}
    for image in images:
        size = (image.width, image.height)
        try:
            fits[size] = fits.get(size) or bucket_for(size, config.bucket, sizes)
        except UserError as error:
            problem = problem or f"{image.path.name}: {error}"
            continue
        pictures.append(Picture(image, config.subsets[0], image.caption, fits[size]))
    return pictures, problem


def own_plan(config: TrainingConfig, pictures: Sequence[Picture]) -> Plan:
    """What the settings come to, counted bucket by bucket as the run counts."""
    repeats = config.subsets[0].num_repeats or 1
    sizes = Counter(picture.fit.bucket for picture in pictures)
    epoch = {size: repeats * count for size, count in sizes.items()}
    steps, epochs = steps_of(batches_per_epoch(epoch, config.loop.train_batch_size), config.loop)
    return Plan((repeats,), sum(epoch.values()), epochs, steps)


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
