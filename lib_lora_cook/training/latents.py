"""Pictures to latents: encoded once, kept on disk under a name made of all that they depend on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from ..dataset.images import content_hash
from ..jobs import Job
from ..models.trainable import TrainableModel
from ..networks.weights import write_atomically
from .pictures import Picture, read_pixels

FORM = 2
"""Goes up when a picture is turned into pixels in another way, so that no old latents are met."""
View = tuple[Picture, bool]
"""A picture, and whether it is mirrored."""


class LatentStore:
    """The latents of a run, by picture and mirroring, in fp32 on the CPU."""

    def __init__(self) -> None:
        self._latents: dict[tuple[Path, bool], Tensor] = {}

    def put(self, view: View, latents: Tensor) -> None:
        """Keep latents [4, h, w] of one view."""
        self._latents[view[0].image.path, view[1]] = latents

    def of(self, picture: Picture, *, mirrored: bool = False) -> Tensor:
        """The latents [4, h, w] of one picture."""
        return self._latents[picture.image.path, mirrored]


def encode_latents(
    pictures: Sequence[Picture], model: TrainableModel, folder: Path | None, batch_size: int,
    job: Job,
) -> LatentStore:  # fmt: skip
    """The latents of every picture; `folder` keeps them for the next run, None does not."""
    store, vae = LatentStore(), model.vae_fingerprint()
    views = [(it, mirror) for it in pictures for mirror in _mirrorings(it)]
    names = {id(view): latent_name(view, vae) for view in views}
    missing = []
    for view in views:
        known = read_latents(folder / names[id(view)]) if folder else None
        if known is None:
            missing.append(view)
        else:
            store.put(view, known)
    done = len(views) - len(missing)
    for batch in _batched(missing, batch_size):
        for view, latents in zip(batch, _encode(batch, model, names), strict=True):
            store.put(view, latents)
            if folder:
                data = safetensors.torch.save({"latents": latents})
                write_atomically(folder / names[id(view)], data)
        done += len(batch)
        job.report(done, len(views), "encoding pictures")
    return store


def latent_name(view: View, vae: str) -> str:
    """A file name made of the picture's bytes, bucket, crop, mirroring and VAE."""
    picture, mirrored = view
    fit = picture.fit
    facts = (
        FORM,
        content_hash(picture.image.path),
        fit.bucket,
        fit.resized,
        fit.crop_box,
        mirrored,
        vae,
    )
    name = hashlib.sha256(repr(facts).encode()).hexdigest()
    return f"{name[:2]}/{name}.safetensors"


def read_latents(path: Path) -> Tensor | None:
    """Latents [4, h, w] kept on disk; None where there are none or the file is broken."""
    try:
        return safetensors.torch.load(path.read_bytes())["latents"]
    except (OSError, SafetensorError, KeyError):
        return None


def _encode(batch: Sequence[View], model: TrainableModel, names: dict[int, str]) -> Tensor:
    """[B, 4, h, w] on the CPU. The posterior is sampled by a seed from each view's own name."""
    pixels = torch.stack([read_pixels(picture, mirrored=mirror) for picture, mirror in batch])
    seeds = [int(names[id(view)].split("/")[1][:15], 16) for view in batch]
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    return model.encode_images(pixels, generators).cpu().contiguous()


def _batched(views: Sequence[View], size: int) -> Iterator[list[View]]:
    """Views of equal bucket, at most `size` at a time."""
    by_bucket: dict[tuple[int, int], list[View]] = {}
    for view in views:
        by_bucket.setdefault(view[0].fit.bucket, []).append(view)
    for group in by_bucket.values():
        rest = iter(group)
        while batch := list(islice(rest, size)):
            yield batch


def _mirrorings(picture: Picture) -> tuple[bool, ...]:
    return (False, True) if picture.subset.flip_aug else (False,)
