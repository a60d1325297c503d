"""Names of files, which of them are kept, and folders that do not take them."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from lib_lora_cook.config import SaveConfig
from lib_lora_cook.cook.files import (
    LoraFile,
    Shelf,
    epochs_between,
    expired,
    find_state,
    run_name,
    scan_loras,
    step_name,
)


def touch(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"")


def test_the_files_of_one_run_are_told_from_another_s(tmp_path: Path) -> None:
    touch(tmp_path, "a.safetensors", "a-000002.safetensors", "a-step00000005.safetensors")
    touch(tmp_path, "a-2.safetensors", "ab.safetensors", "a-000002.png", "a-02.safetensors")
    assert sorted(it.path.name for it in scan_loras(tmp_path, "a")) == [
        "a-000002.safetensors", step_name("a", 5), "a.safetensors",
    ]  # fmt: skip
    places = {(it.epoch, it.step) for it in scan_loras(tmp_path, "a")}
    assert places == {(2, None), (None, 5), (None, None)}
    assert list(scan_loras(tmp_path / "nowhere", "a")) == []


@pytest.mark.parametrize("left", ["a.safetensors", "a-000001.safetensors", "a.state"])
def test_a_new_run_never_takes_an_earlier_one_s_name(tmp_path: Path, left: str) -> None:
    save = SaveConfig(output_dir=str(tmp_path / "one"), output_name="a")
    assert run_name(save, resume=False) == "a"
    touch(tmp_path / "one", left, "a.toml")
    assert run_name(save, resume=False) == "a-2"
    touch(tmp_path / "one", "a-2.safetensors", "a-3.state")
    assert run_name(save, resume=False) == "a-4"


def test_a_name_is_taken_in_the_other_folder_too(tmp_path: Path) -> None:
    save = SaveConfig(
        output_dir=str(tmp_path / "one"), output_dir_fallback=str(tmp_path / "two"), output_name="a"
    )
    touch(tmp_path / "two", "a.safetensors")
    assert run_name(save, resume=False) == "a-2"


def test_a_resume_goes_on_with_the_newest_run_that_has_a_state(tmp_path: Path) -> None:
    save = SaveConfig(output_dir=str(tmp_path), output_name="a")
    assert run_name(save, resume=True) == "a"
    touch(tmp_path, "a.state", "a-2.state", "a-3.safetensors")
    assert run_name(save, resume=True) == "a-2"
    (tmp_path / "a-2.state").rename(tmp_path / "kept")
    assert find_state(save, "a-2") is None


@pytest.mark.parametrize(
    ("save", "now", "gone"),
    [
        (SaveConfig(), LoraFile(Path("e4"), epoch=4), []),
        (SaveConfig(save_last_n_epochs=2), LoraFile(Path("e4"), epoch=4), ["e1", "e2"]),
        (SaveConfig(save_last_n_epochs=2), LoraFile(Path("s50"), step=50), []),
        (SaveConfig(save_last_n_steps=30), LoraFile(Path("s50"), step=50), ["s10"]),
        (SaveConfig(save_last_n_steps=30), LoraFile(Path("e4"), epoch=4), []),
        (SaveConfig(save_last_n_epochs=1, save_last_n_steps=1), LoraFile(Path("last")), []),
    ],
)
def test_what_is_too_old_is_dropped_as_sd_scripts_drops_it(
    save: SaveConfig, now: LoraFile, gone: list[str]
) -> None:
    """Its own example: every 10 steps, the last 30; at step 50 step 10 goes."""
    files = [LoraFile(Path(f"e{n}"), epoch=n) for n in (1, 2, 3, 4)]
    files += [LoraFile(Path(f"s{n}"), step=n) for n in (10, 20, 30, 40, 50)]
    assert [str(it) for it in expired(files, save, 1, now)] == gone


def test_a_ratio_is_at_least_so_many_files() -> None:
    assert [epochs_between(SaveConfig(save_n_epoch_ratio=n), 10) for n in (3, 10, 99)] == [3, 1, 1]
    assert epochs_between(SaveConfig(save_every_n_epochs=4), 10) == 4


def test_a_full_disk_is_told_and_the_other_folder_tried(tmp_path: Path) -> None:
    told: list[str] = []
    full = {tmp_path / "one"}

    def write(path: Path) -> None:
        if path.parent in full:
            raise OSError(errno.ENOSPC, "No space left on device")
        touch(path.parent, path.name)

    shelf = Shelf([tmp_path / "one", tmp_path / "two"], told.append)
    assert shelf.put("a.safetensors", write) == tmp_path / "two" / "a.safetensors"
    assert "No space left on device" in told[0]
    assert str(tmp_path / "two") in told[1]
    full.add(tmp_path / "two")
    assert shelf.put("b.safetensors", write) is None
    full.clear()
    assert shelf.put("c.safetensors", write) == tmp_path / "one" / "c.safetensors"
