"""Epochs: every picture exactly as often as it should, and the same again from the same seed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lib_lora_cook.config import (
    BucketConfig,
    LoopConfig,
    LossConfig,
    SubsetConfig,
    TrainingConfig,
)
from lib_lora_cook.dataset.images import ImageFile
from lib_lora_cook.training.batches import Batches, as_wanted, order, repeated
from lib_lora_cook.training.buckets import bucket_for
from lib_lora_cook.training.latents import Encoded, LatentStore
from lib_lora_cook.training.pictures import Picture
from lib_lora_cook.training.plan import batches_per_epoch

BUCKETS = BucketConfig(resolution=(64, 64), bucket_reso_steps=32, min_bucket_reso=32)
SIZES = ((64, 64), (96, 32), (32, 96))


def picture(name: str, size: tuple[int, int] = (64, 64), **subset: Any) -> Picture:
    subset = {"image_dir": "a", "num_repeats": 1, **subset}
    image = ImageFile(Path(name), *size)
    return Picture(image, SubsetConfig(**subset), f"{name}, b, c", bucket_for(size, BUCKETS))


class Given(LatentStore):
    """Latents that nobody has encoded."""

    def __init__(self) -> None:
        self.given: dict[tuple[Path, bool, bool], Encoded] = {}

    def put(self, picture: Picture, mirrored: bool, encoded: Encoded) -> None:
        self.given[picture.image.path, picture.subset.alpha_mask, mirrored] = encoded

    def of(self, picture: Picture, *, mirrored: bool = False) -> Encoded:
        return self.given[picture.image.path, picture.subset.alpha_mask, mirrored]


def store_of(pictures: list[Picture]) -> Given:
    """Latents whose first value is the picture's place, negative where it is mirrored."""
    store = Given()
    for index, it in enumerate(pictures, 1):
        width, height = it.fit.bucket
        for mirrored in (False, True):
            sign = -1.0 if mirrored else 1.0
            latents = torch.full((4, height // 8, width // 8), sign * index)
            store.put(it, mirrored, Encoded(latents))
    return store


def batches_of(
    pictures: list[Picture], size: int = 2, seed: int = 0, prior: float = 1.0
) -> Batches:
    loop = LoopConfig(train_batch_size=size, seed=seed, max_train_epochs=10)
    loss = LossConfig(prior_loss_weight=prior)
    return Batches(pictures, store_of(pictures), TrainingConfig(loop=loop, loss=loss))


@settings(max_examples=60, deadline=None)
@given(
    shapes=st.lists(st.tuples(st.sampled_from(SIZES), st.integers(1, 4)), min_size=1, max_size=12),
    size=st.integers(1, 5), epoch=st.integers(1, 9), seed=st.integers(0, 99),
)  # fmt: skip
def test_an_epoch_holds_every_picture_num_repeats_times(
    shapes: list[tuple[tuple[int, int], int]], size: int, epoch: int, seed: int
) -> None:
    pictures = [
        picture(f"{index}.png", size, num_repeats=repeats)
        for index, (size, repeats) in enumerate(shapes)
    ]
    batches = batches_of(pictures, size, seed)
    made = list(batches.epoch(epoch))
    found = Counter(int(row.flatten()[0]) for it in made for row in it.latents)
    assert found == {index: repeats for index, (_, repeats) in enumerate(shapes, 1)}
    assert len(made) == batches.per_epoch
    assert all(1 <= len(it.latents) <= size for it in made)
    buckets = Counter(it.fit.bucket for it in repeated(pictures))
    assert len(made) == batches_per_epoch(buckets, size)


def facts(batches: Batches, epoch: int) -> list[object]:
    return [(it.latents[:, 0, 0, 0].tolist(), it.captions, it.sizes) for it in batches.epoch(epoch)]


def many(**subset: Any) -> list[Picture]:
    return [picture(f"{index}.png", SIZES[index % 3], **subset) for index in range(12)]


def test_the_same_seed_gives_the_same_epochs_in_any_order() -> None:
    subset = {"shuffle_caption": True, "flip_aug": True, "caption_tag_dropout_rate": 0.3}
    one, two = (batches_of(many(**subset), seed=7) for _ in range(2))
    backwards = [facts(two, epoch) for epoch in (3, 2, 1)]
    assert [facts(one, epoch) for epoch in (1, 2, 3)] == backwards[::-1]


def test_epochs_and_seeds_differ() -> None:
    batches = batches_of(many())
    assert facts(batches, 1) != facts(batches, 2)
    assert facts(batches, 1) != facts(batches_of(many(), seed=1), 1)


def test_half_of_the_pictures_are_mirrored_where_asked_for_and_told_so() -> None:
    pictures = [picture("0.png", (70, 66), flip_aug=True, num_repeats=400)]
    signs = [
        (float(row.flatten()[0]), size == pictures[0].size(mirrored=True))
        for it in batches_of(pictures).epoch(1)
        for row, size in zip(it.latents, it.sizes, strict=True)
    ]
    mirrored = [sign < 0 for sign, _ in signs]
    assert 150 < sum(mirrored) < 250
    same = pictures[0].size() == pictures[0].size(mirrored=True)
    assert all(told == (was or same) for was, (_, told) in zip(mirrored, signs, strict=True))
    plain = [picture("0.png", num_repeats=40)]
    assert all((it.latents > 0).all() for it in batches_of(plain).epoch(1))


@pytest.mark.parametrize(("reg", "expected"), [(2, [3, 3]), (3, [2, 2, 2]), (9, [1] * 6 + [0] * 3)])
def test_regularisation_pictures_come_as_often_as_all_others_together(
    reg: int, expected: list[int]
) -> None:
    own = [picture(f"{index}.png", num_repeats=2) for index in range(3)]
    others = [picture(f"reg{index}.png", is_reg=True) for index in range(reg)]
    counts = Counter(it.image.path.name for it in repeated([*own, *others]))
    assert [counts[f"{index}.png"] for index in range(3)] == [2, 2, 2]
    assert [counts[f"reg{index}.png"] for index in range(reg)] == expected


def test_regularisation_pictures_are_weighed_by_the_prior() -> None:
    pictures = [picture("0.png"), picture("1.png", is_reg=True)]
    for it in batches_of(pictures, prior=0.25).epoch(1):
        by_place = dict(zip(it.latents[:, 0, 0, 0].tolist(), it.weights.tolist(), strict=True))
        assert by_place == {1.0: 1.0, 2.0: 0.25}


def test_captions_follow_the_subset_and_the_epoch() -> None:
    dropped = [picture("0.png", caption_dropout_every_n_epochs=2)]
    captions = [next(batches_of(dropped).epoch(epoch)).captions for epoch in (1, 2, 3)]
    assert captions == [["0.png, b, c"], [""], ["0.png, b, c"]]


def test_a_random_crop_takes_every_place_and_sdxl_is_told_which() -> None:
    cropped = picture("0.png", (107, 64), random_crop=True, flip_aug=True, num_repeats=400)
    bucket = cropped.fit.bucket
    assert bucket == (64, 64) and cropped.fit.resized == (107, 64)
    store, ramp = Given(), torch.arange(13.0).expand(4, 8, 13)
    store.put(cropped, False, Encoded(ramp, ramp[0]))
    store.put(cropped, True, Encoded(-ramp, -ramp[0]))
    config = TrainingConfig(loop=LoopConfig(train_batch_size=4))
    corners = set()
    for it in Batches([cropped], store, config).epoch(1):
        assert it.latents.shape[1:] == (4, 8, 8) and it.masks is not None
        assert torch.equal(it.masks, it.latents[:, 0])
        for row, size in zip(it.latents[:, 0, 0], it.sizes, strict=True):
            left, mirrored = int(row[0].abs()), bool((row < 0).any())
            # 107 pixels are 13 latent ones and 3 more, which stand at the left once mirrored.
            assert size.crop == (0, left * 8 + 3 * mirrored)
            assert (size.original, size.target) == ((64, 107), (64, 64))
            corners.add((left, mirrored))
    assert corners == {(left, mirrored) for left in range(6) for mirrored in (False, True)}


def test_an_epoch_goes_on_behind_what_is_done() -> None:
    batches = batches_of([picture(f"{index}.png") for index in range(7)])
    whole, rest = list(batches.epoch(3)), list(batches.epoch(3, 2))
    assert len(rest) == len(whole) - 2
    for one, other in zip(whole[2:], rest, strict=True):
        assert torch.equal(one.latents, other.latents) and one.captions == other.captions


def test_pictures_without_a_mask_beside_masked_ones_count_whole() -> None:
    masked, plain = picture("0.png", alpha_mask=True), picture("1.png")
    store = Given()
    store.put(masked, False, Encoded(torch.zeros(4, 8, 8), torch.full((8, 8), 0.25)))
    store.put(plain, False, Encoded(torch.ones(4, 8, 8)))
    loop = LoopConfig(train_batch_size=2)
    (batch,) = Batches([masked, plain], store, TrainingConfig(loop=loop)).epoch(1)
    assert batch.masks is not None
    for latents, mask in zip(batch.latents, batch.masks, strict=True):
        assert (mask == (0.25 if latents[0, 0, 0] == 0 else 1.0)).all()
    assert next(batches_of([plain]).epoch(1)).masks is None


@pytest.mark.parametrize(
    ("own", "repeats", "expected"),
    [(8, 2, [3, 3, 2]), (5, 2, [2, 2, 2]), (4, 2, [2, 2, 0]), (2, 5, [5, 0, 0]), (7, 1, [3, 2, 2])],
)
def test_regularisation_repeats_are_counted_as_sd_scripts_counts_them(
    own: int, repeats: int, expected: list[int]
) -> None:
    pictures = [picture(f"{index}.png") for index in range(own)]
    reg = [picture(f"reg{index}.png", is_reg=True, num_repeats=repeats) for index in range(3)]
    counts = Counter(it.image.path.name for it in repeated([*pictures, *reg]))
    assert [counts[f"reg{index}.png"] for index in range(3)] == expected


def test_steps_are_told_to_captions_that_warm_up() -> None:
    """8 batches an epoch, 4 of them a step: two steps an epoch, 20 in all."""
    pictures = [picture(f"{it}.png", token_warmup_min=0, token_warmup_step=4) for it in range(8)]
    loop = LoopConfig(train_batch_size=1, max_train_epochs=10, gradient_accumulation_steps=4)
    batches = Batches(pictures, store_of(pictures), TrainingConfig(loop=loop))
    counts = [
        [len([tag for tag in it.captions[0].split(", ") if tag]) for it in batches.epoch(epoch)]
        for epoch in (1, 2, 3)
    ]
    # floor(step * 3 / 4) of three tags
    assert counts == [[0] * 4 + [0] * 4, [1] * 4 + [2] * 4, [3] * 8]


@pytest.mark.parametrize("seed", range(6))
def test_pictures_are_encoded_in_the_order_in_which_the_first_epoch_wants_them(seed: int) -> None:
    pictures = [picture(f"{it}.png", SIZES[it % 3], num_repeats=1 + it % 2) for it in range(15)]
    pictures += [picture(f"r{it}.png", is_reg=True) for it in range(40)]  # more than are used
    config = TrainingConfig(loop=LoopConfig(train_batch_size=2, seed=seed))
    wanted = as_wanted(pictures, config)
    assert sorted(map(id, wanted)) == sorted(map(id, pictures))
    first = order(repeated(pictures), config, 1)[0]
    own = {id(it) for it in first}
    assert {id(it) for it in wanted[: len(own)]} == own
    assert wanted == as_wanted(pictures, config)
