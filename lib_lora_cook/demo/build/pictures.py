"""Drawings as tensors: what the VAE, the tagger and the UNet are trained and judged on."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ..characters import MARKINGS, NEW_HAIR_COLOR, SCENERY_TAGS, Character, random_character
from ..drawing import draw, draw_scenery
from ..markings import DECOYS

SIZE = 64
"""Side of every training picture, in pixels."""


@dataclass(frozen=True)
class Drawings:
    """Pictures, uint8 NHWC RGB, with the tags that are true of each."""

    pixels: NDArray[np.uint8]
    tags: list[list[str]]


def with_new_features(character: Character, rng: random.Random) -> Character:
    """The character with each of the new character's features or without it, by chance."""
    markings = tuple(marking for marking in MARKINGS if rng.random() < 0.5)
    color = NEW_HAIR_COLOR if rng.random() < 0.45 else character.hair_color
    return replace(character, hair_color=color, markings=markings)


Sample = tuple[Image.Image, list[str]]


def base_sample(rng: random.Random) -> Sample:
    """A drawing from the checkpoint's world."""
    character = random_character(rng)
    return draw(character, SIZE, rng), character.tags()


def new_sample(rng: random.Random) -> Sample:
    """A drawing with some of the new character's features."""
    character = with_new_features(random_character(rng), rng)
    return draw(character, SIZE, rng), character.tags()


def near_miss_sample(rng: random.Random) -> Sample:
    """A drawing with one to three decoys and at most a few of the features they resemble."""
    character = random_character(rng)
    if rng.random() < 0.4:
        character = with_new_features(character, rng)
    worn = {marking.split("_")[0] for marking in character.markings}
    rivals = {"star": "purple", "halo": "yellow", "orange": "orange"}
    hidden = {rivals[word] for word in worn}
    names = [name for name in sorted(DECOYS) if name.split("_")[0] not in hidden]
    decoys = rng.sample(names, rng.randint(1, 3))
    return draw(character, SIZE, rng, decoys=decoys), character.tags()


def scenery_sample(rng: random.Random) -> Sample:
    """A picture without a character."""
    return draw_scenery(SIZE, rng), list(SCENERY_TAGS)


def mixed_sample(rng: random.Random) -> Sample:
    """Any of the above; what the VAE and the tagger learn from."""
    kinds = (base_sample, new_sample, near_miss_sample, scenery_sample)
    return rng.choices(kinds, (0.36, 0.36, 0.22, 0.06))[0](rng)


def _draw_some(
    sample: Callable[[random.Random], Sample], job: tuple[int, int]
) -> tuple[NDArray[np.uint8], list[list[str]]]:
    seed, count = job
    rng = random.Random(seed)
    pixels = np.empty((count, SIZE, SIZE, 3), np.uint8)
    tags = []
    for index in range(count):
        picture, true_tags = sample(rng)
        pixels[index] = np.asarray(picture)
        tags.append(true_tags)
    return pixels, tags


def make_drawings(
    sample: Callable[[random.Random], Sample], count: int, seed: int, workers: int = 2
) -> Drawings:
    """That many drawings; the same seed gives the same, however many workers."""
    chunk = 500
    jobs = [
        (seed * 1_000_003 + start, min(chunk, count - start)) for start in range(0, count, chunk)
    ]
    if workers < 2 or len(jobs) < 2:
        parts = [_draw_some(sample, job) for job in jobs]
    else:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            parts = list(pool.map(partial(_draw_some, sample), jobs))
    pixels = np.concatenate([part[0] for part in parts])
    return Drawings(pixels, [tags for part in parts for tags in part[1]])


def to_unit(pixels: NDArray[np.uint8] | Sequence[NDArray[np.uint8]]) -> Tensor:
    """uint8 NHWC -> float32 NCHW in -1..1, as the VAE takes it."""
    batch = torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2)
    return batch.float() / 127.5 - 1


def to_pixels(unit: Tensor) -> NDArray[np.uint8]:
    """float NCHW in -1..1 -> uint8 NHWC."""
    scaled = ((unit.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return np.ascontiguousarray(scaled.permute(0, 2, 3, 1).cpu().numpy())
