"""Epochs: repeats, shuffle, buckets and captions, all decided by the seed alone."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..models.trainable import PictureSize
from .captions import training_caption
from .latents import LatentStore
from .pictures import Picture


@dataclass(frozen=True)
class Batch:
    """Pictures of one bucket: latents [B, 4, h, w], captions, sizes and loss weights [B]."""

    latents: Tensor
    captions: list[str]
    sizes: list[PictureSize]
    weights: Tensor


class Batches:
    """The batches of every epoch. Each picture comes `num_repeats` times in an epoch, exactly.

    sd-scripts reshuffles behind the first item of an epoch and so misses and doubles pictures;
    that is not followed.
    """

    def __init__(
        self, pictures: Sequence[Picture], latents: LatentStore, batch_size: int, seed: int,
        prior_loss_weight: float = 1.0,
    ) -> None:  # fmt: skip
        self.pictures, self.latents = repeated(pictures), latents
        self.batch_size, self.seed, self.prior = batch_size, seed, prior_loss_weight

    @property
    def per_epoch(self) -> int:
        """How many batches an epoch has."""
        return len(self._order(0))

    def epoch(self, number: int) -> Iterator[Batch]:
        """The batches of one epoch, counted from 1."""
        for index, chosen in enumerate(self._order(number)):
            yield self._make(chosen, number, random.Random(f"{self.seed}:{number}:{index}"))

    def _order(self, epoch: int) -> list[list[Picture]]:
        """Shuffled within buckets, cut into batches, and the batches shuffled."""
        rng = random.Random(f"{self.seed}:{epoch}")
        by_bucket: dict[tuple[int, int], list[Picture]] = {}
        for picture in self.pictures:
            by_bucket.setdefault(picture.fit.bucket, []).append(picture)
        batches = []
        for group in by_bucket.values():
            rng.shuffle(group)
            size = self.batch_size
            batches += [group[start : start + size] for start in range(0, len(group), size)]
        rng.shuffle(batches)
        return batches

    def _make(self, chosen: Sequence[Picture], epoch: int, rng: random.Random) -> Batch:
        latents, captions, sizes, weights = [], [], [], []
        for picture in chosen:
            mirrored = picture.subset.flip_aug and rng.random() < 0.5
            latents.append(self.latents.of(picture, mirrored=mirrored))
            sizes.append(picture.size(mirrored=mirrored))
            captions.append(training_caption(picture.caption, picture.subset, epoch, rng))
            weights.append(self.prior if picture.subset.is_reg else 1.0)
        return Batch(torch.stack(latents), captions, sizes, torch.tensor(weights))


def repeated(pictures: Sequence[Picture]) -> list[Picture]:
    """Every picture as often as its subset says; regularisation up to as many as the others."""
    own = [it for it in pictures if not it.subset.is_reg for _ in range(_repeats(it))]
    reg = [it for it in pictures if it.subset.is_reg for _ in range(_repeats(it))]
    if not reg:
        return own
    return own + [reg[index % len(reg)] for index in range(len(own))]


def _repeats(picture: Picture) -> int:
    return picture.subset.num_repeats or 1
