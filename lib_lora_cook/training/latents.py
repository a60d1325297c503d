"""Pictures to latents: encoded once, kept on disk under a name made of all that they depend on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from ..dataset.images import content_hash
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


class LatentStore:
    """The latents of a run, by picture and mirroring."""

    def __init__(self) -> None:
        self._kept: dict[tuple[object, ...], Encoded] = {}

    def put(self, view: View, encoded: Encoded) -> None:
        """Keep one view."""
        self._kept[_place(*view)] = encoded

    def of(self, picture: Picture, *, mirrored: bool = False) -> Encoded:
        """What was kept of one view."""
        return self._kept[_place(picture, mirrored)]


def _place(picture: Picture, mirrored: bool) -> tuple[object, ...]:
    """Two subsets may hold the same picture and treat it differently."""
    subset = picture.subset
    return picture.image.path, mirrored, subset.random_crop, subset.alpha_mask, picture.mask


def encode_latents(
    pictures: Sequence[Picture], model: TrainableModel, folder: Path | None, batch_size: int,
    job: Job,
) -> LatentStore:  # fmt: skip
    """The latents of every picture; `folder` keeps them for the next run, None does not.

    UserError where a picture cannot be read, or is encoded to something that is no number.
    """
    store, vae, files = LatentStore(), model.vae_fingerprint(), LatentFiles(folder, job.log)
    views = [(it, mirror) for it in pictures for mirror in _mirrorings(it)]
    names = {id(view): latent_name(view, vae) for view in views}
    missing = []
    for view in views:
        known = files.read(names[id(view)])
        if known is None:
            missing.append(view)
        else:
            store.put(view, Encoded(known["latents"], known.get("mask")))
    done = len(views) - len(missing)
    with model.encoding() if missing else nullcontext():
        for batch, pixels, masks in _read_ahead(_batched(missing, batch_size)):
            latents = _encode(batch, pixels, model, names)
            for view, row, mask in zip(batch, latents, masks, strict=True):
                store.put(view, Encoded(row, mask))
                files.write(
                    names[id(view)], {"latents": row} | ({} if mask is None else {"mask": mask})
                )
            done += len(batch)
            job.report(done, len(views), "encoding pictures")
    files.trim()
    return store


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


def _encode(
    batch: Sequence[View], pixels: Tensor, model: TrainableModel, names: dict[int, str]
) -> Tensor:
    """[B, 4, h, w] on the CPU. The posterior is sampled by a seed from each view's own name.

    Where memory runs out, each half by itself: SDXL's VAE takes 2.5 GiB a picture in fp32.
    """
    seeds = [int(names[id(view)].split("/")[1][:15], 16) for view in batch]
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    half, latents = len(batch) // 2, None
    try:
        latents = model.encode_images(pixels, generators).float().cpu().contiguous()
    except OUT_OF_MEMORY:
        if not half:
            raise
    if latents is None:  # Out of the except clause: the error holds on to what was computed.
        parts = ((batch[:half], pixels[:half]), (batch[half:], pixels[half:]))
        return torch.cat([_encode(*it, model, names) for it in parts])
    for (picture, _), row in zip(batch, latents, strict=True):
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


def _read_ahead(batches: Iterator[list[View]]) -> Iterator[Read]:
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
