"""Encoding: once for each picture, bucket, mirroring and VAE, and never from a stale file."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lib_lora_cook.config import (
    BucketConfig,
    LossConfig,
    ModelConfig,
    SubsetConfig,
    TrainingConfig,
)
from lib_lora_cook.errors import UserError
from lib_lora_cook.jobs import Job, null_job
from lib_lora_cook.models.diffusers import DiffusersModel
from lib_lora_cook.training.latents import LatentStore
from lib_lora_cook.training.memory import OUT_OF_MEMORY
from lib_lora_cook.training.pictures import Picture, read_pictures
from tests.tiny_models import tiny_sd1
from tests.tiny_runs import write_pictures


class Encoder:
    """A model that only encodes, and counts the pictures."""

    def __init__(self, vae: str = "vae") -> None:
        self.vae, self.batches = vae, list[int]()

    def encoding(self) -> AbstractContextManager[None]:
        return nullcontext()

    def vae_fingerprint(self) -> str:
        return self.vae

    def encode_images(self, pixels: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
        self.batches.append(len(pixels))
        noise = torch.stack([torch.randn(4, 1, 1, generator=it) for it in generators])
        small = torch.nn.functional.avg_pool2d(pixels.mean(1, keepdim=True), 8)
        return small + noise * 0.1


def pictures_of(folder: Path, resolution: int = 64, **subset: Any) -> list[Picture]:
    return read_pictures(
        TrainingConfig(
            subsets=(SubsetConfig(image_dir=str(folder), **subset),),
            bucket=BucketConfig(
                resolution=(resolution, resolution), bucket_reso_steps=32, min_bucket_reso=32
            ),
        )
    )


class Found:
    """The latents of a run."""

    def __init__(self, *asked: Any) -> None:
        self.store = LatentStore(*asked)
        self.store.fill()

    def of(self, picture: Picture, *, mirrored: bool = False) -> Tensor:
        return self.store.of(picture, mirrored=mirrored).latents


def encode(pictures: list[Picture], model: Any, folder: Path | None, batch_size: int = 4) -> Found:
    return Found(pictures, model, folder, batch_size, null_job)


def test_the_second_run_encodes_nothing_and_finds_the_same(tmp_path: Path) -> None:
    pictures = pictures_of(write_pictures(tmp_path / "a"))
    first, second = Encoder(), Encoder()
    before = encode(pictures, first, tmp_path / "cache")
    after = encode(pictures, second, tmp_path / "cache")
    assert sum(first.batches) == 5
    assert second.batches == []
    assert all(torch.equal(before.of(it), after.of(it)) for it in pictures)


def test_only_a_picture_that_changed_is_encoded_again(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "a")
    before = encode(pictures_of(folder), Encoder(), tmp_path / "cache")
    changed = write_pictures(tmp_path / "b", seed=1) / "2.png"
    (folder / "2.png").write_bytes(changed.read_bytes())
    model = Encoder()
    pictures = pictures_of(folder)
    after = encode(pictures, model, tmp_path / "cache")
    assert model.batches == [1]
    assert [torch.equal(before.of(it), after.of(it)) for it in pictures] == [
        True, True, False, True, True,
    ]  # fmt: skip


def test_a_copy_of_a_picture_is_not_encoded_again(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "a")
    encode(pictures_of(folder), Encoder(), tmp_path / "cache")
    folder.rename(tmp_path / "moved")
    model = Encoder()
    encode(pictures_of(tmp_path / "moved"), model, tmp_path / "cache")
    assert model.batches == []


def test_another_bucket_or_vae_encodes_anew(tmp_path: Path) -> None:
    folder, cache = write_pictures(tmp_path / "a"), tmp_path / "cache"
    encode(pictures_of(folder), Encoder(), cache)
    larger, other = Encoder(), Encoder("another vae")
    store = encode(pictures_of(folder, 96), larger, cache)
    encode(pictures_of(folder), other, cache)
    assert sum(larger.batches) == sum(other.batches) == 5
    assert store.of(pictures_of(folder)[0]).shape == (4, 12, 12)


def test_mirrored_pictures_are_kept_beside_the_others(tmp_path: Path) -> None:
    folder, cache = write_pictures(tmp_path / "a", 2), tmp_path / "cache"
    encode(pictures_of(folder), Encoder(), cache)
    model = Encoder()
    pictures = pictures_of(folder, flip_aug=True)
    store = encode(pictures, model, cache)
    assert sum(model.batches) == 2
    for picture in pictures:
        assert not torch.equal(store.of(picture), store.of(picture, mirrored=True))


@pytest.mark.parametrize("data", [b"", b"rubbish", b"\x00" * 400])
def test_a_broken_file_is_encoded_again(tmp_path: Path, data: bytes) -> None:
    pictures = pictures_of(write_pictures(tmp_path / "a", 2))
    before = encode(pictures, Encoder(), tmp_path / "cache")
    broken, *_ = (tmp_path / "cache").rglob("*.safetensors")
    broken.write_bytes(data)
    model = Encoder()
    after = encode(pictures, model, tmp_path / "cache")
    assert model.batches == [1]
    assert all(torch.equal(before.of(it), after.of(it)) for it in pictures)
    assert broken.read_bytes() != data


def test_without_a_folder_nothing_is_written(tmp_path: Path) -> None:
    pictures = pictures_of(write_pictures(tmp_path / "a"))
    before = sorted(tmp_path.rglob("*"))
    for _ in range(2):
        model = Encoder()
        encode(pictures, model, None)
        assert sum(model.batches) == 5
    assert sorted(tmp_path.rglob("*")) == before


def test_batches_hold_one_bucket_and_no_more_than_asked_for(tmp_path: Path) -> None:
    pictures = pictures_of(write_pictures(tmp_path / "a"))
    model = Encoder()
    encode(pictures, model, None, batch_size=2)
    assert sorted(model.batches) == [1, 1, 1, 2]


def test_the_sample_of_a_picture_does_not_depend_on_what_is_beside_it(tmp_path: Path) -> None:
    pictures = pictures_of(write_pictures(tmp_path / "a"))
    whole = encode(pictures, Encoder(), None)
    alone = encode(pictures[2:3], Encoder(), None, batch_size=1)
    assert torch.equal(whole.of(pictures[2]), alone.of(pictures[2]))


def test_a_picture_that_breaks_off_is_named_and_nothing_of_it_is_kept(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "a", 1)
    data = (folder / "0.png").read_bytes()
    (folder / "0.png").write_bytes(data[: len(data) - 60])
    with pytest.raises(UserError, match="0.png"):
        encode(pictures_of(folder), Encoder(), tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_a_broken_file_is_named_before_anything_is_encoded(tmp_path: Path) -> None:
    folder, masks = write_pictures(tmp_path / "a", 2), write_pictures(tmp_path / "m", 2, "", 5)
    pictures, model = masked(folder, masks), Encoder()
    for path in (masks / "1.png", folder / "0.png"):
        data = path.read_bytes()
        LatentStore(pictures, model, None, 4, null_job).check()  # type: ignore[arg-type]
        path.write_bytes(data[: len(data) - 60])
        with pytest.raises(UserError, match=path.name):
            LatentStore(pictures, model, None, 4, null_job).check()  # type: ignore[arg-type]
        path.write_bytes(data)
    assert model.batches == []


class Grouped(Encoder):
    """What it makes of a picture depends on how many come with it, as rounding does."""

    def encode_images(self, pixels: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
        return super().encode_images(pixels, generators) + len(pixels)


@pytest.mark.parametrize("first", range(5))
def test_what_is_asked_for_first_is_encoded_first_and_to_the_same_bits(
    tmp_path: Path, first: int
) -> None:
    pictures = pictures_of(write_pictures(tmp_path / "a"), flip_aug=True)
    whole = encode(pictures, Grouped(), None)
    model: Any = Grouped()
    store = LatentStore(pictures, model, None, 2, null_job)
    assert model.batches == []
    for _ in range(2):
        store.of(pictures[first])
        assert len(model.batches) == 1
    store = LatentStore(pictures, model, None, 4, null_job)
    store.of(pictures[first], mirrored=True)
    store.fill()
    for picture in pictures:
        for mirrored in (False, True):
            latents = store.of(picture, mirrored=mirrored).latents
            assert torch.equal(latents, whole.of(picture, mirrored=mirrored))


def test_one_picture_in_two_subsets_is_two_pictures(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "a", 1)
    plain, masked = pictures_of(folder)[0], pictures_of(folder, alpha_mask=True)[0]
    store = encode([plain, masked], Encoder(), None).store
    assert store.of(plain).mask is None and store.of(masked).mask is not None


def test_progress_counts_every_picture(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []

    class Told(Job):
        def report(self, done: int, total: int, text: str = "") -> None:
            told.append((done, total))

    pictures = pictures_of(write_pictures(tmp_path / "a"))
    LatentStore(pictures, Encoder(), None, 2, Told()).fill()  # type: ignore[arg-type]
    assert told[-1] == (5, 5)


def test_a_real_vae_gives_scaled_samples_and_its_name_follows_its_weights(tmp_path: Path) -> None:
    pipeline = tiny_sd1(tmp_path)
    model = DiffusersModel(pipeline, ModelConfig())
    pictures = pictures_of(write_pictures(tmp_path / "a", 1))
    latents = encode(pictures, model, None).of(pictures[0])
    assert latents.shape == (4, 8, 8)
    assert latents.dtype == torch.float32

    before = model.vae_fingerprint()
    assert DiffusersModel(pipeline, ModelConfig()).vae_fingerprint() == before
    next(pipeline.vae.encoder.parameters()).data += 1
    assert model.vae_fingerprint() != before
    pipeline.vae.register_to_config(scaling_factor=2 * pipeline.vae.config.scaling_factor)
    generators = [torch.Generator().manual_seed(0)]
    twice = model.encode_images(torch.zeros(1, 3, 64, 64), generators)
    pipeline.vae.register_to_config(scaling_factor=pipeline.vae.config.scaling_factor / 2)
    generators = [torch.Generator().manual_seed(0)]
    torch.testing.assert_close(
        twice, 2 * model.encode_images(torch.zeros(1, 3, 64, 64), generators)
    )


def test_sizes_of_latents_follow_the_bucket(tmp_path: Path) -> None:
    pictures = pictures_of(write_pictures(tmp_path / "a"))
    store = encode([replace(it) for it in pictures], Encoder(), None)
    assert [tuple(store.of(it).shape[1:]) for it in pictures] == [
        (8, 8), (4, 12), (8, 8), (12, 4), (8, 8),
    ]  # fmt: skip


def test_one_folder_may_be_cropped_in_two_ways(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "a")
    model, cache = Encoder(), tmp_path / "cache"
    encode(pictures_of(folder), model, cache)
    whole = Encoder()
    pictures = pictures_of(folder, random_crop=True)
    store = encode(pictures, whole, cache)
    assert sum(whole.batches) == 1  # The others fill their buckets to the pixel.
    assert [tuple(store.of(it).shape[1:]) for it in pictures] == [
        (8, 8), (4, 12), (8, 8), (12, 4), (8, 8),
    ]  # fmt: skip
    fixed = TrainingConfig(
        subsets=(SubsetConfig(image_dir=str(folder), random_crop=True),),
        bucket=BucketConfig(resolution=(64, 64), enable_bucket=False),
    )
    pictures = read_pictures(fixed)
    assert tuple(encode(pictures, Encoder(), cache).of(pictures[1]).shape) == (4, 8, 24)


def masked(folder: Path, masks: Path) -> list[Picture]:
    return read_pictures(
        TrainingConfig(
            subsets=(SubsetConfig(image_dir=str(folder), conditioning_data_dir=str(masks)),),
            bucket=BucketConfig(resolution=(64, 64), bucket_reso_steps=32, min_bucket_reso=32),
            loss=LossConfig(masked_loss=True),
        )
    )


def test_masks_are_kept_with_the_latents_and_a_changed_one_is_read_again(tmp_path: Path) -> None:
    folder, masks = write_pictures(tmp_path / "a", 2), write_pictures(tmp_path / "m", 2, "", 5)
    cache, models = tmp_path / "cache", [Encoder() for _ in range(4)]
    first = encode(masked(folder, masks), models[0], cache).store
    again = encode(masked(folder, masks), models[1], cache).store
    encode(pictures_of(folder), models[2], cache)
    (masks / "1.png").write_bytes((write_pictures(tmp_path / "n", 2, "", 6) / "1.png").read_bytes())
    other = encode(masked(folder, masks), models[3], cache).store
    assert [sum(it.batches) for it in models] == [2, 0, 2, 1]
    for index, picture in enumerate(masked(folder, masks)):
        mask, same, new = (it.of(picture).mask for it in (first, again, other))
        assert mask is not None and same is not None and new is not None
        assert torch.equal(mask, same) and torch.equal(mask, new) == (index == 0)


def test_latents_that_are_no_numbers_stop_the_run_and_name_the_picture(tmp_path: Path) -> None:
    class Broken(Encoder):
        def encode_images(self, pixels: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
            latents = super().encode_images(pixels, generators)
            latents[1, 0, 0, 0] = torch.nan
            return latents

    pictures = pictures_of(write_pictures(tmp_path / "a"))
    with pytest.raises(UserError, match=r"no number.*2\.png"):
        encode(pictures, Broken(), tmp_path / "cache")


def test_a_batch_that_memory_does_not_hold_is_encoded_in_parts(tmp_path: Path) -> None:
    class Small(Encoder):
        def encode_images(self, pixels: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
            if len(pixels) > 1:
                raise OUT_OF_MEMORY("not enough")
            return super().encode_images(pixels, generators)

    pictures = pictures_of(write_pictures(tmp_path / "a"))
    whole, small = encode(pictures, Encoder(), None), encode(pictures, Small(), None)
    assert all(torch.equal(whole.of(it), small.of(it)) for it in pictures)

    class Smallest(Encoder):
        def encode_images(self, pixels: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
            raise OUT_OF_MEMORY("not enough")

    with pytest.raises(OUT_OF_MEMORY):
        encode(pictures, Smallest(), None)


def test_a_disk_that_refuses_is_told_once_and_the_run_goes_on(tmp_path: Path) -> None:
    told = list[str]()

    class Told(Job):
        def log(self, text: str) -> None:
            told.append(text)

    pictures = pictures_of(write_pictures(tmp_path / "a"))
    (tmp_path / "cache").write_text("a file stands where the folder should")
    job: Any = Told()
    store = LatentStore(pictures, Encoder(), tmp_path / "cache", 1, job)  # type: ignore[arg-type]
    store.fill()
    plain = encode(pictures, Encoder(), None)
    assert all(torch.equal(store.of(it).latents, plain.of(it)) for it in pictures)
    assert len(told) == 1 and "not kept for the next run" in told[0]
