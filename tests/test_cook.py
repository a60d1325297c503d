"""A whole run: its files, that it is the same again, and that a stop or a kill loses nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lib_lora_cook.config_file import read_run
from lib_lora_cook.cook import lora_name, problems_of
from lib_lora_cook.errors import UserError
from lib_lora_cook.hosts.standalone import StandaloneHost
from lib_lora_cook.jobs import Job
from lib_lora_cook.models.diffusers import DiffusersModel
from lib_lora_cook.networks.weights import read_file
from lib_lora_cook.training import train as module
from lib_lora_cook.training.train import EpochEnd, Event, Step
from tests.tiny_runs import cook_tiny, kill_at, snapshot, tiny_run, write_pictures

HARD = {
    "network_dropout": 0.2, "rank_dropout": 0.1, "module_dropout": 0.1, "save_precision": "float",
    "gradient_accumulation_steps": 2, "train_batch_size": 1, "shuffle_caption": True,
    "flip_aug": True, "caption_tag_dropout_rate": 0.2, "scale_weight_norms": 0.5,
    "lr_scheduler": "cosine",
}  # fmt: skip
"""Everything that draws a random number or keeps a state; 3 steps an epoch."""
PRODIGY = {
    "optimizer_type": "Prodigy", "unet_lr": 1.0, "text_encoder_lr": 1.0,
    "optimizer_args": ["decouple=True", "use_bias_correction=True", "safeguard_warmup=True"],
}  # fmt: skip


def tensors(path: Path) -> dict[str, Tensor]:
    return read_file(path)[0]


def assert_same_file(one: Path, two: Path) -> None:
    first, second = tensors(one), tensors(two)
    assert first.keys() == second.keys()
    different = [key for key in first if not torch.equal(first[key], second[key])]
    assert different == []


class StopsAt(Job):
    """A job that is cancelled once a step is done."""

    def __init__(self, step: int) -> None:
        self.step, self.seen = step, 0

    @property
    def cancelled(self) -> bool:
        return self.seen >= self.step

    def watch(self, event: Event) -> None:
        self.seen = event.step


class Listening:
    """How many pictures were encoded so far."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count, inner = 0, DiffusersModel.encode_images

        def listened(model: Any, pixels: Tensor, generators: Any) -> Tensor:
            self.count += len(pixels)
            return inner(model, pixels, generators)

        monkeypatch.setattr(DiffusersModel, "encode_images", listened)


def test_each_epoch_has_its_file_and_the_last_one_has_the_plain_name(
    tmp_path: Path, host: Any, sd1_folder: Path
) -> None:
    meal = cook_tiny(tiny_run(tmp_path, sd1_folder, max_train_epochs=3), host)
    names = ["tiny-000001.safetensors", "tiny-000002.safetensors", "tiny.safetensors"]
    assert meal.cooked.loras == [tmp_path / "loras" / name for name in names]
    assert (meal.cooked.steps, meal.cooked.stopped) == (12, None)
    assert sorted(it.name for it in (tmp_path / "loras").iterdir()) == sorted(
        [
            *names,
            *(Path(name).stem + ".json" for name in names),
            "tiny.jsonl",
            "tiny.state",
            "tiny.toml",
        ]
    )
    for number, path in enumerate(meal.cooked.loras, 1):
        metadata = read_file(path)[1]
        assert (metadata["ss_epoch"], metadata["ss_steps"]) == (str(number), str(number * 4))
        assert metadata["ss_base_model_version"] == "sd_v1"
        assert metadata["ss_sd_model_name"] == sd1_folder.name


def test_every_lora_has_another_epoch_s_weights(
    tmp_path: Path, host: Any, sd1_folder: Path
) -> None:
    one, two = cook_tiny(tiny_run(tmp_path, sd1_folder), host).cooked.loras
    first, second = tensors(one), tensors(two)
    assert any(not torch.equal(first[key], second[key]) for key in first)
    assert {value.dtype for value in first.values()} == {torch.float16}


def test_the_saved_run_file_is_the_run(tmp_path: Path, host: Any, sd1_folder: Path) -> None:
    config = tiny_run(tmp_path, sd1_folder, max_train_epochs=1)
    cook_tiny(config, host)
    assert read_run(tmp_path / "loras" / "tiny.toml") == config


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"save_every_n_epochs": 2}, ["tiny-000002", "tiny-000004", "tiny"]),
        ({"save_every_n_epochs": 0}, ["tiny"]),
        ({"save_n_epoch_ratio": 2}, ["tiny-000002", "tiny-000004", "tiny"]),
        ({"save_last_n_epochs": 2}, ["tiny-000003", "tiny-000004", "tiny"]),
        (
            {"save_every_n_epochs": 0, "save_every_n_steps": 3, "save_last_n_steps": 5},
            ["tiny-step00000009", "tiny-step00000012", "tiny"],
        ),
    ],
)
def test_only_the_files_asked_for_are_kept(
    tmp_path: Path, host: Any, sd1_folder: Path, changes: dict[str, int], names: list[str]
) -> None:
    config = tiny_run(
        tmp_path, sd1_folder, max_train_epochs=5, train_batch_size=8, unet_lr=0.0, **changes
    )
    meal = cook_tiny(config, host)
    assert [it.stem for it in meal.cooked.loras] == names
    found = {it.stem for it in (tmp_path / "loras").glob("*.safetensors")}
    assert found == set(names)


def test_the_same_run_file_twice_gives_equal_tensors(tmp_path: Path, sd1_folder: Path) -> None:
    """On hosts that know nothing of each other, and from pictures under other names."""
    runs = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        config = tiny_run(tmp_path / name, sd1_folder, **HARD)
        runs.append(cook_tiny(config, StandaloneHost(tmp_path / name / "home")))
    assert runs[0].losses == runs[1].losses
    for one, two in zip(runs[0].cooked.loras, runs[1].cooked.loras, strict=True):
        assert_same_file(one, two)


@pytest.fixture(scope="module", params=["AdamW", "Prodigy"])
def straight(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, host: Any,
    sd1_folder: Path,
) -> tuple[Callable[[Path], Any], Path, list[float]]:  # fmt: skip
    """(makes the run in a folder, the last file of a run that was never stopped, its losses)."""
    changes = {**HARD, **(PRODIGY if request.param == "Prodigy" else {})}
    folder = tmp_path_factory.mktemp("straight")
    pictures = write_pictures(folder / "pictures")

    def make(out: Path) -> Any:
        subsets = [{"image_dir": str(pictures)}]
        return tiny_run(out, sd1_folder, subsets=subsets, **changes)

    meal = cook_tiny(make(folder), host)
    assert len(meal.losses) == 6
    return make, meal.cooked.loras[-1], meal.losses


@pytest.mark.parametrize("step", range(1, 7))
def test_a_stopped_run_goes_on_to_the_same_tensors(
    tmp_path: Path, host: Any, straight: Any, step: int
) -> None:
    """In the middle of an epoch, at its end (3), and behind the very last step (6).

    A stop inside an epoch leaves the file of its step; one at an epoch's end that of the epoch.
    """
    make, expected, losses = straight
    job = StopsAt(step)
    first = cook_tiny(make(tmp_path), host, job.watch, job)
    assert (first.cooked.stopped, first.cooked.steps) == ("cancelled", step)
    assert first.losses == losses[:step]

    second = cook_tiny(make(tmp_path), host, resume=True)
    assert second.losses == losses[step:]
    assert second.cooked.stopped is None
    inside = [] if step in (3, 6) else [f"tiny-step{step:08d}"]
    wanted = [*inside, "tiny-000001"] if step < 3 else ["tiny-000001", *inside]
    assert [it.stem for it in second.cooked.loras] == [*wanted, "tiny"]
    assert_same_file(second.cooked.loras[-1], expected)


def test_a_killed_run_goes_on_to_the_same_tensors(
    tmp_path: Path, host: Any, sd1_folder: Path, straight: Any
) -> None:
    make, expected, losses = straight
    done = kill_at(make(tmp_path), tmp_path, host, 5)
    assert done.returncode == 9, done.stderr[-2000:]
    assert (tmp_path / "loras" / "tiny-000001.safetensors").exists()
    assert not (tmp_path / "loras" / "tiny.safetensors").exists()
    assert list((tmp_path / "loras").glob("*.part")) == []

    second = cook_tiny(make(tmp_path), host, resume=True)
    assert second.losses == losses[3:]
    assert_same_file(second.cooked.loras[-1], expected)


class Killed(BaseException):
    """Nobody catches this."""


@pytest.mark.parametrize("ending", [".safetensors", ".state"])
def test_a_kill_in_the_middle_of_a_save_leaves_what_was_there(
    tmp_path: Path, host: Any, straight: Any, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    make, expected, _ = straight
    move, count = os.replace, 0

    def dies(source: Any, target: Any) -> None:
        nonlocal count
        ours = str(target).endswith(ending) and "loras" in str(target)
        count += ours
        if ours and count == 2:
            raise Killed
        move(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", dies)
        with pytest.raises(Killed):
            cook_tiny(make(tmp_path), host)
    assert tensors(tmp_path / "loras" / "tiny-000001.safetensors")
    assert_same_file(cook_tiny(make(tmp_path), host, resume=True).cooked.loras[-1], expected)


def test_a_finished_run_that_is_taken_up_again_has_nothing_to_do(
    tmp_path: Path, host: Any, sd1_folder: Path
) -> None:
    config = tiny_run(tmp_path, sd1_folder)
    first = cook_tiny(config, host)
    before = snapshot(tmp_path / "loras")
    again = cook_tiny(config, host, resume=True)
    assert again.events == []
    assert again.cooked.loras == first.cooked.loras
    assert snapshot(tmp_path / "loras") == before


def test_a_resume_without_a_state_starts_at_the_beginning(
    tmp_path: Path, host: Any, sd1_folder: Path
) -> None:
    config = tiny_run(tmp_path, sd1_folder, max_train_epochs=1)
    assert cook_tiny(config, host, resume=True).events[-1] == EpochEnd(1, 4)


@pytest.mark.parametrize("change", [{"seed": 9}, {"unet_lr": 0.5}, {"network_dim": 8}])
def test_a_resume_with_other_settings_is_refused_and_changes_nothing(
    tmp_path: Path, host: Any, sd1_folder: Path, change: dict[str, Any]
) -> None:
    job = StopsAt(2)
    cook_tiny(tiny_run(tmp_path, sd1_folder), host, job.watch, job)
    before = snapshot(tmp_path)
    with pytest.raises(UserError, match="other settings"):
        cook_tiny(tiny_run(tmp_path, sd1_folder, **change), host, resume=True)
    assert snapshot(tmp_path) == before


def test_a_resume_with_another_caption_is_refused(
    tmp_path: Path, host: Any, sd1_folder: Path
) -> None:
    job = StopsAt(2)
    cook_tiny(tiny_run(tmp_path, sd1_folder), host, job.watch, job)
    (tmp_path / "pictures" / "1.txt").write_text("another")
    with pytest.raises(UserError, match="other settings"):
        cook_tiny(tiny_run(tmp_path, sd1_folder), host, resume=True)


def test_the_second_run_encodes_no_picture(
    tmp_path: Path, sd1_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded = Listening(monkeypatch)
    host = StandaloneHost(tmp_path / "home")
    runs = [cook_tiny(tiny_run(tmp_path, sd1_folder, max_train_epochs=1), host) for _ in range(2)]
    assert encoded.count == 5
    assert runs[0].losses == runs[1].losses


EACH_RUN = {"cache_latents_to_disk": False, "vae_batch_size": 1, "save_precision": "float"}


def test_the_first_step_waits_for_its_own_pictures_alone(
    tmp_path: Path, host: Any, sd1_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the run ends in the same bits as one that encodes all of them first."""
    config, counts, encoded = tiny_run(tmp_path, sd1_folder, **EACH_RUN), [], Listening(monkeypatch)
    early = cook_tiny(config, host, lambda event: counts.append(encoded.count))
    assert 1 <= counts[0] <= 2 and counts[1:] == [5] * (len(counts) - 1)
    monkeypatch.setattr("lib_lora_cook.cook.run.take_turns", lambda model: True)
    late = cook_tiny(config, host, lambda event: counts.append(encoded.count))
    assert counts[len(counts) // 2 :] == [10] * (len(counts) // 2)
    assert early.losses == late.losses
    assert_same_file(early.cooked.loras[-1], late.cooked.loras[-1])


def test_a_stop_while_pictures_are_encoded_keeps_the_step_and_goes_on_to_the_same_tensors(
    tmp_path: Path, sd1_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    encoded = Listening(monkeypatch)
    host = StandaloneHost(tmp_path / "home", cancelled=lambda: encoded.count == 3)
    config = tiny_run(tmp_path, sd1_folder, **EACH_RUN)
    stopped = cook_tiny(config, host).cooked
    assert (stopped.stopped, stopped.steps, encoded.count) == ("cancelled", 1, 3)
    assert [it.name for it in stopped.loras] == ["tiny-step00000001.safetensors"]
    encoded.count = 100
    resumed = cook_tiny(config, host, resume=True)
    whole = cook_tiny(tiny_run(tmp_path, sd1_folder, **EACH_RUN, output_dir="other"), host)
    assert_same_file(resumed.cooked.loras[-1], whole.cooked.loras[-1])


def test_a_broken_picture_is_told_before_anything_is_written(
    tmp_path: Path, host: Any, sd1_folder: Path
) -> None:
    config = tiny_run(tmp_path, sd1_folder, **EACH_RUN)
    for path in (tmp_path / "pictures").glob("*.png"):
        data = path.read_bytes()
        path.write_bytes(data[: len(data) - 60])
        with pytest.raises(UserError, match=path.name):
            cook_tiny(config, host)
        path.write_bytes(data)
    assert not (tmp_path / "loras").exists()


def test_going_on_from_a_file_starts_with_its_weights(
    tmp_path: Path, host: Any, sd1_folder: Path
) -> None:
    first = cook_tiny(tiny_run(tmp_path, sd1_folder, save_precision="float"), host)
    config = tiny_run(
        tmp_path, sd1_folder, network_weights=str(first.cooked.loras[-1]), output_name="more",
        unet_lr=1e-9, text_encoder_lr=1e-9, save_precision="float", max_train_epochs=1,
    )  # fmt: skip
    second = cook_tiny(config, host)
    before, after = tensors(first.cooked.loras[-1]), tensors(second.cooked.loras[-1])
    assert before.keys() == after.keys()
    for key, value in before.items():
        torch.testing.assert_close(after[key], value, rtol=1e-4, atol=1e-6)


def test_the_model_is_given_back_when_a_run_fails(
    tmp_path: Path, host: Any, sd1_folder: Path
) -> None:
    config = tiny_run(tmp_path, sd1_folder)

    def fails(event: Event) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        cook_tiny(config, host, fails)
    with host.borrow_model(config.model) as model:
        assert not any("forward" in it.__dict__ for it in model.unet.modules())


def test_an_interrupt_inside_a_step_does_not_save_half_of_it(
    tmp_path: Path, host: Any, sd1_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, inner = tiny_run(tmp_path, sd1_folder), module.accumulate

    def breaks(trainer: Any, batches: Any) -> float:
        if trainer.loop.step == 5:
            raise KeyboardInterrupt
        return inner(trainer, batches)

    monkeypatch.setattr(module, "accumulate", breaks)
    assert cook_tiny(config, host).cooked.stopped == "cancelled"
    monkeypatch.undo()
    resumed = cook_tiny(config, host, resume=True)
    assert next(it.step for it in resumed.events if isinstance(it, Step)) == 5
    (tmp_path / "again").mkdir()
    plain = tiny_run(tmp_path, sd1_folder, output_dir="again")
    assert_same_file(resumed.cooked.loras[-1], cook_tiny(plain, host).cooked.loras[-1])


def test_a_host_s_own_interrupt_stops_the_run_too(tmp_path: Path, sd1_folder: Path) -> None:
    job = StopsAt(2)
    host = StandaloneHost(tmp_path / "home", cancelled=lambda: job.cancelled)
    meal = cook_tiny(tiny_run(tmp_path, sd1_folder), host, job.watch)
    assert (meal.cooked.stopped, meal.cooked.steps) == ("cancelled", 2)


class Untouched(StandaloneHost):
    """A host whose model must not be asked for."""

    def borrow_model(self, *arguments: Any, **more: Any) -> Any:
        raise AssertionError("the model was asked for")


def test_an_output_folder_that_cannot_be_is_found_before_the_model_is_loaded(
    tmp_path: Path, sd1_folder: Path
) -> None:
    (tmp_path / "taken").write_text("a file")
    for name in ("taken", "taken/deeper"):
        config = tiny_run(tmp_path, sd1_folder, output_dir=name)
        before = snapshot(tmp_path)
        with pytest.raises(UserError, match="taken"):
            cook_tiny(config, Untouched(tmp_path / "home"))
        assert snapshot(tmp_path) == before


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes anywhere")
def test_an_output_folder_without_permission_is_found_before_the_model_is_loaded(
    tmp_path: Path, sd1_folder: Path
) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    config = tiny_run(tmp_path, sd1_folder, output_dir="locked/loras")
    with pytest.raises(UserError, match="Nothing can be written here"):
        cook_tiny(config, Untouched(tmp_path / "home"))


def test_a_full_disk_is_found_before_the_first_step(
    tmp_path: Path, host: Any, sd1_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        free = 1024

    monkeypatch.setattr(shutil, "disk_usage", lambda path: Full)
    with pytest.raises(UserError, match="The disk has 0 MiB free"):
        cook_tiny(tiny_run(tmp_path, sd1_folder), host)


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    config = tiny_run(tmp_path, Path("toy"))
    config = replace(
        config, subsets=(), network=replace(config.network, network_dim=-1),
        optimizer=replace(config.optimizer, optimizer_type="AdamV"),
        model=replace(config.model, max_token_length=100),
    )  # fmt: skip
    found = " ".join(problems_of(config))
    for word in ("subsets", "network_dim", "AdamV", "max_token_length"):
        assert word in found
    with pytest.raises(UserError, match="network_dim"):
        cook_tiny(config, Untouched(tmp_path / "home"))


def test_a_subset_needs_a_folder_and_one_of_them_must_be_trained(tmp_path: Path) -> None:
    nowhere = tiny_run(tmp_path, Path("toy"), subsets=[{"num_repeats": 2}])
    assert any("subset 1 has no image_dir" in it for it in problems_of(nowhere))
    only_reg = tiny_run(tmp_path, Path("toy"), subsets=[{"image_dir": "a", "is_reg": True}])
    assert any("is_reg" in it for it in problems_of(only_reg))
    assert problems_of(tiny_run(tmp_path, tmp_path)) == []


def test_names_of_files_are_kohya_s() -> None:
    assert lora_name("a", 3, last=False) == "a-000003.safetensors"
    assert lora_name("a", 3, last=True) == "a.safetensors"
