"""The folder of encoded pictures: whole files, a bound, and no failure that ends a run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from torch import Tensor

from lib_lora_cook.training import latent_files
from lib_lora_cook.training.latent_files import LatentFiles


def tensors(value: float = 0.0) -> dict[str, Tensor]:
    return {"latents": torch.full((4, 2, 2), value), "mask": torch.ones(2, 2)}


def files(folder: Path | None, told: list[str] | None = None) -> LatentFiles:
    return LatentFiles(folder, (told if told is not None else []).append)


def test_what_is_written_is_read_by_the_next_run(tmp_path: Path) -> None:
    files(tmp_path).write("ab/x.safetensors", tensors(3))
    found = files(tmp_path).read("ab/x.safetensors")
    assert found is not None and torch.equal(found["latents"], tensors(3)["latents"])
    assert files(tmp_path).read("ab/y.safetensors") is None


def test_without_a_folder_nothing_is_kept(tmp_path: Path) -> None:
    nowhere = files(None)
    nowhere.write("ab/x.safetensors", tensors())
    nowhere.trim(0)
    assert nowhere.read("ab/x.safetensors") is None


@pytest.mark.parametrize("bad", [torch.full((4, 2, 2), torch.nan), torch.zeros(4, 2)])
def test_what_is_no_latents_is_not_taken_for_them(tmp_path: Path, bad: Tensor) -> None:
    files(tmp_path).write("ab/x.safetensors", {"latents": bad})
    assert files(tmp_path).read("ab/x.safetensors") is None


@pytest.mark.parametrize("length", [0, 7, 40, -8])
def test_a_file_that_breaks_off_is_as_good_as_none(tmp_path: Path, length: int) -> None:
    files(tmp_path).write("ab/x.safetensors", tensors())
    path = tmp_path / "ab" / "x.safetensors"
    path.write_bytes(path.read_bytes()[:length])
    assert files(tmp_path).read("ab/x.safetensors") is None


def test_a_full_disk_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(latent_files, "write_atomically", full)
    told = list[str]()
    kept = files(tmp_path, told)
    for name in ("ab/x.safetensors", "ab/y.safetensors"):
        kept.write(name, tensors())
    assert len(told) == 1 and "No space left on device" in told[0] and str(tmp_path) in told[0]


def test_what_was_not_used_for_longest_goes_first_and_this_run_s_own_stays(tmp_path: Path) -> None:
    names = [f"a{index}/x.safetensors" for index in range(4)]
    for age, name in enumerate(names):
        files(tmp_path).write(name, tensors(age))
        os.utime(tmp_path / name, (1000 + age, 1000 + age))
    size = (tmp_path / names[0]).stat().st_size
    kept = files(tmp_path)
    kept.read(names[1])
    kept.trim(2 * size)
    assert [(tmp_path / name).exists() for name in names] == [False, True, False, True]
    kept.trim(0)
    assert [(tmp_path / name).exists() for name in names] == [False, True, False, False]
