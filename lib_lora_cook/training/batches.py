"""Epochs: repeats, shuffle, buckets and captions, all decided by the seed alone."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice

import torch
from torch import Tensor

from ..config import TrainingConfig
from ..models.trainable import PictureSize
from .buckets import LATENT
from .captions import Moment, training_caption
from .latents import LatentStore
from .pictures import Picture
from .plan import steps_of


@dataclass(frozen=True)
class Batch:
    """Pictures of one bucket: latents [B, 4, h, w], captions, sizes and loss weights [B]."""

    latents: Tensor
    captions: list[str]
    sizes: list[PictureSize]
    weights: Tensor
    masks: Tensor | None = None
    """[B, h, w] in 0..1: how much each latent pixel counts; None where no picture has a mask."""


@dataclass(frozen=True)
class Use:
    """One picture as it is used once: latents [4, h, w] of the bucket's size, mask [h, w]."""

    latents: Tensor
    mask: Tensor | None
    size: PictureSize


class Batches:
    """The batches of every epoch. Each picture comes `num_repeats` times in an epoch, exactly.

    sd-scripts reshuffles behind the first item of an epoch and so misses and doubles pictures;
    that is not followed.
    """

    def __init__(
        self, pictures: Sequence[Picture], latents: LatentStore, config: TrainingConfig
    ) -> None:
        self.pictures, self.latents, self.config = repeated(pictures), latents, config
        self.seed = config.loop.seed

    @property
    def per_epoch(self) -> int:
        """How many batches an epoch has."""
        return len(order(self.pictures, self.config, 0))

    def epoch(self, number: int, done: int = 0) -> Iterator[Batch]:
        """The batches of one epoch, counted from 1, but for those that are done already."""
        batches = order(self.pictures, self.config, number)
        summed = self.config.loop.gradient_accumulation_steps
        steps, _ = steps_of(len(batches), self.config.loop)
        before = (number - 1) * -(-len(batches) // summed)
        for index, chosen in islice(enumerate(batches), done, None):
            when = Moment(number, before + index // summed, steps)
            yield self._make(chosen, when, random.Random(f"{self.seed}:{number}:{index}"))

    def _make(self, chosen: Sequence[Picture], when: Moment, rng: random.Random) -> Batch:
        uses, captions, weights = [], [], []
        for picture in chosen:
            uses.append(self._use(picture, rng))
            captions.append(training_caption(picture.caption, picture.subset, when, rng))
            weights.append(self.config.loss.prior_loss_weight if picture.subset.is_reg else 1.0)
        latents = torch.stack([it.latents for it in uses])
        masks = _stacked([it.mask for it in uses], latents)
        return Batch(latents, captions, [it.size for it in uses], torch.tensor(weights), masks)

    def _use(self, picture: Picture, rng: random.Random) -> Use:
        mirrored = picture.subset.flip_aug and rng.random() < 0.5
        encoded = self.latents.of(picture, mirrored=mirrored)
        latents, mask = encoded.latents, encoded.mask
        if not picture.subset.random_crop:
            return Use(latents, mask, picture.size(mirrored=mirrored))
        width, height = (side // LATENT for side in picture.fit.bucket)
        left = rng.randint(0, latents.shape[-1] - width)
        top = rng.randint(0, latents.shape[-2] - height)
        rows, columns = slice(top, top + height), slice(left, left + width)
        cut_mask = None if mask is None else mask[rows, columns]
        # The picture was cut to whole latent pixels at its right, which is left once mirrored.
        beside = picture.fit.resized[0] % LATENT if mirrored else 0
        corner = (beside + left * LATENT, top * LATENT)
        return Use(latents[:, rows, columns], cut_mask, picture.size(corner=corner))


def order(pictures: Sequence[Picture], config: TrainingConfig, epoch: int) -> list[list[Picture]]:
    """Pictures, repeated already: shuffled within buckets, cut into batches, and these shuffled."""
    rng, size = random.Random(f"{config.loop.seed}:{epoch}"), config.loop.train_batch_size
    by_bucket: dict[tuple[int, int], list[Picture]] = {}
    for picture in pictures:
        by_bucket.setdefault(picture.fit.bucket, []).append(picture)
    batches = []
    for group in by_bucket.values():
        rng.shuffle(group)
        batches += [group[start : start + size] for start in range(0, len(group), size)]
    rng.shuffle(batches)
    return batches


def as_wanted(pictures: Sequence[Picture], config: TrainingConfig) -> list[Picture]:
    """All pictures once, in the order in which the first epoch wants them: those of its first
    batch are then encoded together."""
    wanted = [it for batch in order(repeated(pictures), config, 1) for it in batch]
    return list({id(it): it for it in (*wanted, *pictures)}.values())


def _stacked(masks: Sequence[Tensor | None], latents: Tensor) -> Tensor | None:
    """[B, h, w], all ones for a picture without a mask; None where none has one."""
    if all(mask is None for mask in masks):
        return None
    whole = torch.ones(latents.shape[-2:])
    return torch.stack([whole if mask is None else mask for mask in masks])


def repeated(pictures: Sequence[Picture]) -> list[Picture]:
    """Every picture as often as its subset says; regularisation up to as many as the others."""
    own = [it for it in pictures if not it.subset.is_reg for _ in range(_repeats(it))]
    reg = [it for it in pictures if it.subset.is_reg]
    return own + _balanced(reg, len(own))


def _balanced(reg: Sequence[Picture], wanted: int) -> list[Picture]:
    """Regularisation pictures as sd-scripts counts them: each by its repeats, then each once more
    in turn, until there are as many as wanted; those that then are left over are not used."""
    chosen: list[Picture] = []
    for picture in reg:
        if len(chosen) < wanted:
            chosen += [picture] * _repeats(picture)
    more = cycle(reg) if reg else iter(())
    return chosen + list(islice(more, max(0, wanted - len(chosen))))


def _repeats(picture: Picture) -> int:
    return picture.subset.num_repeats or 1
