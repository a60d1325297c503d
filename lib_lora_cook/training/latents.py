"""Pictures to latents: encoded once, kept on disk under a name made of all that they depend on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from ..dataset.images import content_hash, open_reduced
from ..errors import UserError
from ..jobs import Job
from ..models.trainable import TrainableModel
from .latent_files import LatentFiles
from .memory import OUT_OF_MEMORY
from .pictures import Picture
from .pixels import encoded_box, read_mask, read_pixels

FORM = 3
"""Goes up when a picture is turned into pixels in another way, so that no old latents are met."""
View = tuple[Picture, bool]
"""A picture, and whether it is mirrored."""


@dataclass(frozen=True)
class Encoded:
    """What is kept of a view, on the CPU in fp32."""

    latents: Tensor
    """[4, h, w], scaled; larger than the bucket under random_crop."""
    mask: Tensor | None = None
    """[h, w] in 0..1: how much each latent pixel counts."""


Place = tuple[object, ...]
"""What tells one view of a run from the others."""


@dataclass
class LatentStore:
    """The latents of a run: found in the folder, or encoded when one is first asked for.

    Which views are encoded together is settled here, so that the order in which they are asked for
    changes no bit of them.
    """

    pictures: Sequence[Picture]
    model: TrainableModel
    folder: Path | None
    """Keeps them for the next run; None does not."""
    batch_size: int
    job: Job

    def __post_init__(self) -> None:
        self.files = LatentFiles(self.folder, self.job.log)
        self._kept: dict[Place, Encoded] = {}
        vae = self.model.vae_fingerprint()
        views = [(it, mirror) for it in self.pictures for mirror in _mirrorings(it)]
        self._names = {_place(*view): latent_name(view, vae) for view in views}
        missing = [view for view in views if not self._find(_place(*view))]
        groups = _batched(missing, self.batch_size)
        self._waiting = {_place(*view): group for group in groups for view in group}

    def _find(self, place: Place) -> bool:
        """Take a view from the folder; whether it is there."""
        known = self.files.read(self._names[place])
        if known is not None:
            self._kept[place] = Encoded(known["latents"], known.get("mask"))
        return known is not None

    def of(self, picture: Picture, *, mirrored: bool = False) -> Encoded:
        """One view. UserError where its picture is encoded to something that is no number."""
        place = _place(picture, mirrored)
        if place in self._waiting:
            self._encode([self._waiting[place]])
        return self._kept[place]

    def check(self) -> None:
        """UserError where a file that is to be encoded, or the mask beside it, is not whole."""
        pictures = (picture for group in self._waiting.values() for picture, _ in group)
        paths = dict.fromkeys(it for own in pictures for it in (own.image.path, own.mask) if it)
        with ThreadPoolExecutor() as pool:
            for done, _ in enumerate(pool.map(partial(open_reduced, side=1), paths), 1):
                self.job.report(done, len(paths), "checking pictures")

    def fill(self, between: Callable[[], None] = lambda: None) -> None:
        """Encode all that was not asked for yet, and call `between` behind every few."""
        groups = {id(group): group for group in self._waiting.values()}
        self._encode(list(groups.values()), between)

    def _encode(self, groups: list[list[View]], between: Callable[[], None] | None = None) -> None:
        if not groups:
            return
        with self.model.encoding():
            for group, pixels, masks in _read_ahead(groups):
                names = [self._names[_place(*view)] for view in group]
                latents = _encoded(group, pixels, self.model, names)
                for view, name, row, mask in zip(group, names, latents, masks, strict=True):
                    kept = {"latents": row} | ({} if mask is None else {"mask": mask})
                    self.files.write(name, kept)
                    self._kept[_place(*view)] = Encoded(row, mask)
                    self._waiting.pop(_place(*view), None)
                if between:
                    done = len(self._names) - len(self._waiting)
                    self.job.report(done, len(self._names), "encoding pictures")
                    between()
        if not self._waiting:
            self.files.trim()


def _place(picture: Picture, mirrored: bool) -> Place:
    """Two subsets may hold the same picture and treat it differently."""
    subset = picture.subset
    return picture.image.path, mirrored, subset.random_crop, subset.alpha_mask, picture.mask


def latent_name(view: View, vae: str) -> str:
    """A file name made of all that the latents and their mask depend on: the bytes of the picture
    and of its mask, size, crop, mirroring and VAE."""
    picture, mirrored = view
    facts = (
        FORM,
        content_hash(picture.image.path),
        content_hash(picture.mask) if picture.mask else picture.subset.alpha_mask,
        picture.fit.resized,
        encoded_box(picture),
        mirrored,
        vae,
    )
    name = hashlib.sha256(repr(facts).encode()).hexdigest()
    return f"{name[:2]}/{name}.safetensors"


def _encoded(
    group: Sequence[View], pixels: Tensor, model: TrainableModel, names: Sequence[str]
) -> Tensor:
    """[B, 4, h, w] on the CPU. The posterior is sampled by a seed from each view's own name.

    Where memory runs out, each half by itself: SDXL's VAE takes 2.5 GiB a picture in fp32.
    """
    seeds = [int(name.split("/")[1][:15], 16) for name in names]
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    half, latents = len(group) // 2, None
    try:
        latents = model.encode_images(pixels, generators).float().cpu().contiguous()
    except OUT_OF_MEMORY:
        if not half:
            raise
    if latents is None:  # Out of the except clause: the error holds on to what was computed.
        parts = (slice(half), slice(half, None))
        return torch.cat([_encoded(group[it], pixels[it], model, names[it]) for it in parts])
    for (picture, _), row in zip(group, latents, strict=True):
        if not row.isfinite().all():
            raise UserError(
                "The VAE turns this picture into something that is no number", picture.image.path,
                "Choose another VAE (one that is made for fp16), or check the checkpoint's file.",
            )  # fmt: skip
    return latents


Read = tuple[list[View], Tensor, list[Tensor | None]]
"""Views with their pixels [B, 3, H, W] and masks."""


def _read(batch: list[View]) -> Read:
    pixels = torch.stack([read_pixels(picture, mirrored=mirror) for picture, mirror in batch])
    return batch, pixels, [read_mask(picture, mirrored=mirror) for picture, mirror in batch]


def _read_ahead(batches: Sequence[list[View]]) -> Iterator[Read]:
    """Each batch, read by another thread while the one before is encoded."""
    ahead: Future[Read] | None = None
    with ThreadPoolExecutor(1) as pool:
        for batch in batches:
            ahead, ready = pool.submit(_read, batch), ahead
            if ready:
                yield ready.result()
        if ahead:
            yield ahead.result()


def _batched(views: Sequence[View], size: int) -> Iterator[list[View]]:
    """Views that are encoded at equal size, at most `size` at a time."""
    by_size: dict[tuple[int, int], list[View]] = {}
    for view in views:
        left, top, right, bottom = encoded_box(view[0])
        by_size.setdefault((right - left, bottom - top), []).append(view)
    for group in by_size.values():
        rest = iter(group)
        while batch := list(islice(rest, size)):
            yield batch


def _mirrorings(picture: Picture) -> tuple[bool, ...]:
    return (False, True) if picture.subset.flip_aug else (False,)
