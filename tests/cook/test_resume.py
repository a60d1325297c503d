"""What a saved state belongs to: moved and made longer it goes on, else it says what differs."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lib_lora_cook.config import TrainingConfig
from lib_lora_cook.errors import UserError
from lib_lora_cook.networks.weights import read_file
from lib_lora_cook.training.train import Step
from tests.tiny_runs import Meal, cook_tiny, snapshot, tiny_run, write_pictures


def assert_same_tensors(one: Path, two: Path) -> None:
    first, second = read_file(one)[0], read_file(two)[0]
    assert first.keys() == second.keys()
    assert [key for key in first if not first[key].equal(second[key])] == []


def of_steps(config: TrainingConfig, steps: int) -> TrainingConfig:
    loop = replace(config.loop, max_train_epochs=None, max_train_steps=steps)
    return replace(config, loop=loop)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory, host: Any, sd1_folder: Path) -> Path:
    """The folder of a run that was made for one epoch."""
    folder = tmp_path_factory.mktemp("stopped")
    cook_tiny(tiny_run(folder, sd1_folder, max_train_epochs=1), host)
    return folder


@pytest.fixture
def moved(stopped: Path, tmp_path: Path) -> Path:
    """The same in another place."""
    return Path(shutil.copytree(stopped, tmp_path / "moved"))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"unet_lr": 0.5}, "unet_lr was 0.01 and is 0.5"),
        ({"min_snr_gamma": 5.0, "seed": 3}, "min_snr_gamma was None and is 5.0, seed was 42 and"),
        ({"shuffle_caption": True}, "shuffle_caption of subset 1 was False and is True"),
        ({"num_repeats": 2}, "repeats of 0.png is another"),
    ],
)
def test_what_differs_is_named(
    moved: Path, host: Any, sd1_folder: Path, changes: dict[str, Any], told: str
) -> None:
    subset = {"image_dir": str(moved / "pictures")}
    for name in ("shuffle_caption", "num_repeats"):
        if name in changes:
            subset[name] = changes.pop(name)
    before = snapshot(moved)
    with pytest.raises(UserError, match="other settings") as caught:
        config = tiny_run(moved, sd1_folder, max_train_epochs=2, subsets=[subset], **changes)
        cook_tiny(config, host, resume=True)
    assert told in str(caught.value)
    assert snapshot(moved) == before


def test_another_picture_under_the_same_name_is_named(
    moved: Path, host: Any, sd1_folder: Path
) -> None:
    Image.new("RGB", (64, 64), "red").save(moved / "pictures" / "2.png")
    with pytest.raises(UserError, match="the content of 2.png is another"):
        cook_tiny(tiny_run(moved, sd1_folder, max_train_epochs=2), host, resume=True)
    (moved / "pictures" / "2.png").unlink()
    with pytest.raises(UserError, match="it had 5 pictures and has 4"):
        cook_tiny(tiny_run(moved, sd1_folder, max_train_epochs=2), host, resume=True)


@pytest.mark.parametrize("steps", [7, 8])
def test_a_moved_run_is_made_longer_and_ends_as_if_it_had_been_so_long(
    moved: Path, tmp_path: Path, host: Any, sd1_folder: Path, steps: int
) -> None:
    """Paths, the number of steps, comments and what is saved may all differ."""
    changes = {"training_comment": "longer", "vae_batch_size": 1, "save_every_n_steps": 3}
    longer = cook_tiny(of_steps(tiny_run(moved, sd1_folder, **changes), steps), host, resume=True)
    straight = cook_tiny(of_steps(tiny_run(tmp_path, sd1_folder), steps), host)
    assert next(it.step for it in longer.events if isinstance(it, Step)) == 5
    assert_same_tensors(longer.cooked.loras[-1], straight.cooked.loras[-1])
    assert [it.stem for it in longer.cooked.loras] == [
        "tiny-000001", "tiny-step00000006", "tiny"
    ]  # fmt: skip
    assert_same_tensors(longer.cooked.loras[0], straight.cooked.loras[0])


def test_a_run_that_ended_inside_an_epoch_goes_on_inside_it(
    tmp_path: Path, host: Any, sd1_folder: Path
) -> None:
    def run(name: str, steps: int, *, resume: bool = False) -> Meal:
        config = of_steps(tiny_run(tmp_path, sd1_folder, output_name=name), steps)
        return cook_tiny(config, host, resume=resume)

    run("short", 6)
    assert run("short", 6, resume=True).events == []
    longer, straight = run("short", 9, resume=True), run("long", 9)
    assert_same_tensors(longer.cooked.loras[-1], straight.cooked.loras[-1])
    assert [it.stem for it in longer.cooked.loras] == [
        "short-000001", "short-step00000006", "short-000002", "short"
    ]  # fmt: skip


def test_a_longer_run_tells_what_its_learning_rate_does(
    tmp_path: Path, host: Any, sd1_folder: Path
) -> None:
    """As sd-scripts: the curve over all steps, from where the run stands."""
    told: list[str] = []
    cosine = {"lr_scheduler": "cosine"}
    cook_tiny(tiny_run(tmp_path, sd1_folder, max_train_epochs=1, **cosine), host)
    longer = tiny_run(tmp_path, sd1_folder, max_train_epochs=2, **cosine)
    meal = cook_tiny(longer, host, resume=True, log=told.append)
    first = next(it for it in meal.events if isinstance(it, Step))
    assert first.learning_rates["lr/unet"] == pytest.approx(0.01 * 0.5)  # cosine at half its way
    assert any("8 steps instead of 4" in line and "cosine" in line for line in told)


def test_a_run_that_is_further_than_it_is_to_go_is_refused(
    moved: Path, host: Any, sd1_folder: Path
) -> None:
    shorter = of_steps(tiny_run(moved, sd1_folder), 3)
    with pytest.raises(UserError, match="has done 4 steps already"):
        cook_tiny(shorter, host, resume=True)


def test_pictures_that_are_only_elsewhere_are_the_same(
    tmp_path: Path, host: Any, sd1_folder: Path
) -> None:
    write_pictures(tmp_path / "5_star")
    one = tiny_run(tmp_path, sd1_folder, max_train_epochs=1, subsets=[
        {"image_dir": str(tmp_path / "5_star"), "num_repeats": 1}])  # fmt: skip
    cook_tiny(one, host)
    two = tiny_run(tmp_path, sd1_folder, max_train_epochs=1, subsets=[
        {"image_dir": str(tmp_path / "pictures"), "num_repeats": 1}])  # fmt: skip
    assert cook_tiny(two, host, resume=True).events == []
