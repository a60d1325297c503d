"""What belongs to a picture goes where it goes, whatever program has put it there."""

from pathlib import Path

import numpy as np
import pytest

from lib_lora_cook.dataset.changes import Change, plan_convert, plan_crops, plan_trash
from lib_lora_cook.dataset.images import open_image, read_image_file, scan_subset
from lib_lora_cook.dataset.journal import apply_changes, undo
from lib_lora_cook.dataset.sidecars import Sidecars

from .tree import picture, save, snapshot, write

OF_A = [
    "a.txt", "a.TXT", "a.caption", "a.cap", "a.tags", "a.json", "a.yaml", "a.xmp", "a.npz",
    "a_0064x0064_sd.npz", "a_0512x0768_flux.npz", "a_te_outputs.npz", "a_flux_te.npz",
    "a-masklabel.png", "a.webp.json", "a.webp.txt",
]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A picture with every kind of sidecar, and others with names that are nearly the same."""
    save(tmp_path / "a.webp", picture(seed=1), lossless=True)
    for name in (*OF_A, "ab.txt", "a.webp2.txt", "b_te.txt", "x_te.npz", "a.psd"):
        write(tmp_path / name, name)
    for name in ("ab.png", "b_te.png", "x.png", "x_te.png"):
        save(tmp_path / name, picture(seed=len(name)))
    return tmp_path


def test_a_picture_has_all_of_its_own_and_none_of_another_s(folder: Path) -> None:
    beside = Sidecars(folder)
    there = {path.name for path in folder.iterdir()}
    assert sorted(beside.of("a.webp")) == sorted(set(OF_A) & there)
    assert beside.of("ab.png") == ["ab.txt"]
    assert beside.of("x.png") == [] and beside.of("x_te.png") == ["x_te.npz"]


def test_all_of_it_follows_and_comes_back(folder: Path) -> None:
    before = snapshot(folder)
    own = Sidecars(folder).of("a.webp")
    apply_changes(folder, [Change("move", folder / "a.webp", "test", folder / "small" / "a.webp")])
    assert {path.name for path in (folder / "small").iterdir()} == {"a.webp", *own}
    undo(folder)
    assert snapshot(folder) == before


def test_what_is_named_by_the_whole_name_is_renamed_with_it_and_not_shared(tmp_path: Path) -> None:
    save(tmp_path / "a.webp", picture(seed=1), lossless=True)
    save(tmp_path / "b.png", picture(seed=2))
    save(tmp_path / "b.jpg", picture(seed=3))
    for name in ("a.webp.txt", "a.webp.json", "b.png.txt", "b.jpg.txt", "b.txt"):
        write(tmp_path / name, name)
    apply_changes(tmp_path, plan_convert(scan_subset(tmp_path)))
    assert (tmp_path / "a.png.txt").read_text() == "a.webp.txt"
    assert (tmp_path / "a.png.json").is_file() and not (tmp_path / "a.webp.txt").exists()
    apply_changes(tmp_path, plan_trash([tmp_path / "b.png"]))
    left = {path.name for path in tmp_path.iterdir() if path.name.startswith("b")}
    assert left == {"b.jpg", "b.jpg.txt", "b.txt"}


@pytest.mark.parametrize("copy", [True, False])
def test_a_mask_is_cut_where_its_picture_is(tmp_path: Path, copy: bool) -> None:
    path = save(tmp_path / "a.png", picture((40, 30), seed=1))
    mask = save(tmp_path / "a-masklabel.png", picture((40, 30), seed=2))
    before, whole = snapshot(tmp_path), np.asarray(open_image(mask))
    boxes = [(0, 0, 20, 30), (20, 5, 40, 30)]
    applied = apply_changes(tmp_path, plan_crops(read_image_file(path), boxes, copy))
    assert applied.failed == []
    places = dict(zip(["a_2", "a_3" if copy else "a"], boxes, strict=True))
    for stem, (left, top, right, bottom) in places.items():
        cut = np.asarray(open_image(tmp_path / f"{stem}-masklabel.png"))
        assert np.array_equal(cut, whole[top:bottom, left:right])
    if copy:
        assert np.array_equal(np.asarray(open_image(mask)), whole)
    undo(tmp_path)
    assert snapshot(tmp_path) == before


def test_a_mask_of_another_size_or_none_at_all_goes_along_as_it_is(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save(tmp_path / f"{name}.png", picture((40, 30), seed=1))
    save(tmp_path / "a-masklabel.png", picture((20, 15), seed=2))
    write(tmp_path / "b-masklabel.png", "broken")
    for name in ("a", "b"):
        image = read_image_file(tmp_path / f"{name}.png")
        apply_changes(tmp_path, plan_crops(image, [(0, 0, 9, 9)], copy=True))
        old, new = (tmp_path / f"{name}{it}-masklabel.png" for it in ("", "_2"))
        assert new.read_bytes() == old.read_bytes()
