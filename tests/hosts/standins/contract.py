"""What every host promises, whatever holds the model."""

from __future__ import annotations

import random
import shutil
import threading
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from PIL import Image, ImageChops

from lib_lora_cook import cook as cooking
from lib_lora_cook import jobs
from lib_lora_cook.config import (
    BucketConfig,
    LoopConfig,
    ModelConfig,
    NetworkConfig,
    OptimizerConfig,
    SaveConfig,
    SubsetConfig,
    TrainingConfig,
)
from lib_lora_cook.errors import UserError
from lib_lora_cook.hosts.base import GenerateRequest
from lib_lora_cook.networks.card import LoraCard, preview_path, read_card
from tests.models.shelf import Shelf

CONFIG = ModelConfig(max_token_length=75)
REQUEST = GenerateRequest(prompts=("a red star",), seeds=(7,), steps=2, width=64, height=64)


class Listening(jobs.Job):
    """Keeps what is logged."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines

    def log(self, message: str) -> None:
        self.lines.append(message)


def recipe(folder: Path, **loop: Any) -> TrainingConfig:
    """Two steps over two pictures: one an epoch."""
    pictures = folder / "pictures"
    pictures.mkdir(exist_ok=True)
    rng = random.Random(1)
    for index, caption in enumerate(("a red star", "a girl, red hair")):
        noise = bytes(rng.randrange(256) for _ in range(64 * 64 * 3))
        Image.frombytes("RGB", (64, 64), noise).save(pictures / f"{index}.png")
        (pictures / f"{index}.txt").write_text(caption)
    return TrainingConfig(
        model=CONFIG, subsets=(SubsetConfig(image_dir=str(pictures), num_repeats=1),),
        bucket=BucketConfig(resolution=(64, 64), enable_bucket=False),
        network=NetworkConfig(network_dim=2, network_alpha=2.0),
        optimizer=OptimizerConfig(learning_rate=1e-2),
        loop=LoopConfig(train_batch_size=2, max_train_epochs=2, **loop),
        save=SaveConfig(output_dir=str(folder / "Lora"), output_name="toy", save_precision="float"),
    )  # fmt: skip


def difference(first: Any, second: Any) -> float:
    """The mean difference of two pictures, in grey levels."""
    values = list(ImageChops.difference(first, second).tobytes())
    return sum(values) / len(values)


def test_a_loan_gives_everything_back(lent: Any) -> None:
    before = lent.snapshot()
    with lent.host.borrow_model(CONFIG) as model:
        model.train(checkpointing=True)
        assert len({layer.name for layer in model.layers()}) == len(model.layers())
        assert lent.changes(before) != []
    assert lent.changes(before) == []


def test_a_failure_inside_gives_everything_back_too(lent: Any) -> None:
    before = lent.snapshot()
    with pytest.raises(ZeroDivisionError), lent.host.borrow_model(CONFIG) as model:
        model.train(checkpointing=True)
        model.layers()
        raise ZeroDivisionError
    assert lent.changes(before) == []


@pytest.mark.parametrize("checkpointing", [False, True])
def test_two_steps_reach_every_layer(lent: Any, tmp_path: Path, checkpointing: bool) -> None:
    before, lent.shared.opts.lora_cook_try = lent.snapshot(), False
    config = recipe(tmp_path, gradient_checkpointing=checkpointing)
    cooked = cooking.cook(config, lent.host, jobs.null_job)
    assert [path.name for path in cooked.loras] == ["toy-000001.safetensors", "toy.safetensors"]
    tensors = safetensors.torch.load_file(cooked.loras[-1])
    ups = {name: value for name, value in tensors.items() if name.endswith("lora_up.weight")}
    idle = {name for name, value in ups.items() if not value.any()}
    # The last layer of SDXL's first text encoder is not read.
    assert all("_te1_text_model_encoder_layers_2_" in name for name in idle)
    assert any("lora_te" in name for name in ups.keys() - idle)
    assert lent.changes(before) == []


@pytest.mark.parametrize("stopped", [False, True])
def test_blocks_that_wait_train_the_same_and_are_back_in_place(
    lent: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stopped: bool
) -> None:
    before, lent.shared.opts.lora_cook_try = lent.snapshot(), False
    plain = recipe(tmp_path, gradient_checkpointing=True)
    expected = cooking.cook(plain, lent.host, jobs.null_job).loras[-1]
    shelf = Shelf(monkeypatch)
    config = replace(
        plain, model=replace(CONFIG, blocks_to_swap=70), save=replace(plain.save, output_name="b")
    )

    def watch(event: object) -> None:
        assert shelf.weights, "they wait all the time"
        if stopped:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) if stopped else nullcontext():
        loras = cooking.cook(config, lent.host, jobs.null_job, cooking.Options(watch=watch)).loras
        one, other = (safetensors.torch.load_file(it) for it in (expected, loras[-1]))
        assert all(torch.equal(one[name], other[name]) for name in one)
    assert shelf.copies > 0 and not shelf.weights
    assert lent.changes(before) == []


def test_training_after_a_picture_with_a_lora_trains_the_checkpoint(
    lent: Any, tmp_path: Path
) -> None:
    first = cooking.cook(recipe(tmp_path), lent.host, jobs.null_job).loras[-1]
    clean = safetensors.torch.load_file(first)
    lent.draw("a red star <lora:toy-000001:1>")
    lent.host.loras_changed = False
    again = cooking.cook(recipe(tmp_path), lent.host, jobs.null_job).loras[-1]
    worn = safetensors.torch.load_file(again)
    assert clean.keys() == worn.keys()
    assert all(torch.equal(clean[name], worn[name]) for name in clean)


def test_leftover_loras_are_drawn_again(lent: Any, tmp_path: Path) -> None:
    cooking.cook(recipe(tmp_path), lent.host, jobs.null_job)
    prompt = "a red star <lora:toy:1>"
    base, dressed = lent.draw("a red star"), lent.draw(prompt)
    assert difference(base, dressed) > 0
    with lent.host.borrow_model(CONFIG) as model:
        model.train(checkpointing=False)
    assert difference(lent.draw(prompt), dressed) == 0
    assert difference(lent.draw("a red star"), base) == 0


def test_a_wardrobe_draws_what_the_host_draws_of_the_file(lent: Any, tmp_path: Path) -> None:
    path = cooking.cook(recipe(tmp_path), lent.host, jobs.null_job).loras[-1]
    before = lent.snapshot()
    with lent.host.open_wardrobe([path], CONFIG) as wardrobe:
        (base,) = lent.host.generate(REQUEST)
        wardrobe.wear(path, 1.0)
        (worn,) = lent.host.generate(REQUEST)
        wardrobe.wear(path, 0.0)
        (nothing,) = lent.host.generate(REQUEST)
    assert lent.changes(before) == []
    assert difference(worn, base) > 0
    assert difference(nothing, base) == 0
    assert difference(lent.draw("a red star"), base) == 0


def test_several_weights_in_one_batch_are_as_one_after_the_other(lent: Any, tmp_path: Path) -> None:
    path = cooking.cook(recipe(tmp_path), lent.host, jobs.null_job).loras[-1]
    weights = [0.5, 1.0, 0.0]
    several = replace(REQUEST, prompts=("a red star",) * 3, seeds=(7, 7, 8))
    alone: list[Any] = []
    with lent.host.open_wardrobe([path], CONFIG) as wardrobe:
        for weight, seed in zip(weights, several.seeds, strict=True):
            wardrobe.wear(path, weight)
            alone += lent.host.generate(replace(REQUEST, seeds=(seed,)))
    lent.draw("a red star <lora:toy:1>")
    with lent.host.open_wardrobe([path], CONFIG) as wardrobe:
        assert wardrobe.wears_several(path)
        wardrobe.wear(path, weights)
        together = lent.host.generate(several)
    assert [difference(*both) < 0.01 for both in zip(alone, together, strict=True)] == [True] * 3
    assert difference(*together[:2]) > 0.01
    told = [it.info["parameters"] for it in together]
    assert told == [f"a red star\nSteps: 2, Sampler: Euler a, Seed: {it}" for it in (7, 7, 8)]


def test_a_sheet_is_saved_as_the_host_saves_its_grids(lent: Any, tmp_path: Path) -> None:
    sheet = Image.new("RGB", (30, 20), (200, 10, 10))
    saved = lent.host.save_grid(sheet, "star\nSteps: 4, Seed: 7")
    assert (saved.parent.name, saved.name) == ("grids", "lora_cook-0000.jpg")
    with Image.open(saved) as image:
        assert image.size == (30, 20)
        assert image.info["comment"] == b"star\nSteps: 4, Seed: 7"
    lent.shared.opts.grid_extended_filename, lent.shared.opts.grid_format = True, "png"
    assert lent.host.save_grid(sheet, "star\nSeed: 7").name == "lora_cook-0000-7-star.png"
    lent.shared.opts.grid_save = False
    assert lent.host.save_grid(sheet, "star") is None


def test_a_picture_during_a_loan_takes_no_second_lock(lent: Any) -> None:
    with lent.host.borrow_model(CONFIG) as model:
        model.train(checkpointing=False)
        assert lent.host.generate(REQUEST)[0].size == (64, 64)
        conditioning = model.encode_text(["a"], [_size()])
        model.predict(torch.zeros(1, 4, 8, 8), torch.tensor([1]), conditioning)


def test_a_picture_of_another_thread_waits_for_the_loan(lent: Any) -> None:
    drawn: list[Any] = []
    thread = threading.Thread(target=lambda: drawn.append(lent.draw("a red star")))
    with lent.host.borrow_model(CONFIG):
        thread.start()
        thread.join(0.2)
        assert drawn == []
    thread.join(30)
    assert len(drawn) == 1


def test_a_generation_is_served_between_two_steps_and_changes_no_loss(
    lent: Any, tmp_path: Path
) -> None:
    undisturbed, visited, threads = [], [], []
    pictures: list[Any] = []
    losses = cooking.Options(watch=lambda it: undisturbed.append(getattr(it, "loss", None)))
    cooking.cook(recipe(tmp_path), lent.host, jobs.null_job, losses)
    alone = lent.draw("a red star")

    def visit(event: Any) -> None:
        visited.append(getattr(event, "loss", None))
        if len(visited) == 1:
            draw = lambda: pictures.append(lent.draw("a red star"))  # noqa: E731
            threads.append(threading.Thread(target=draw))
            threads[0].start()
            threads[0].join(0.2)
            assert pictures == []
        elif getattr(event, "step", 0) == 2:
            threads[0].join(30)
            assert len(pictures) == 1

    cooking.cook(recipe(tmp_path), lent.host, jobs.null_job, cooking.Options(watch=visit))
    assert visited == undisturbed
    assert difference(pictures[0], alone) == 0


def test_interrupt_ends_a_run_and_keeps_its_state(lent: Any, tmp_path: Path) -> None:
    def press(event: Any) -> None:
        lent.shared.state.interrupted = True

    options = cooking.Options(watch=press)
    cooked = cooking.cook(recipe(tmp_path), lent.host, jobs.null_job, options)
    assert (cooked.stopped, cooked.steps) == ("cancelled", 1)
    assert (tmp_path / "Lora" / "toy.state").is_file()


def test_a_reload_of_the_page_ends_no_run(lent: Any, tmp_path: Path) -> None:
    def press(event: Any) -> None:
        lent.shared.state.request_restart()

    options = cooking.Options(watch=press)
    cooked = cooking.cook(recipe(tmp_path), lent.host, jobs.null_job, options)
    assert (cooked.stopped, cooked.steps) == (None, 2)
    assert "interrupt" not in vars(lent.shared.state)


def test_an_epoch_has_a_card_and_a_picture_by_the_host_itself(lent: Any, tmp_path: Path) -> None:
    before = lent.snapshot()
    cooked = cooking.cook(recipe(tmp_path), lent.host, jobs.null_job)
    assert lent.changes(before, values=True) == []
    for lora in cooked.loras:
        card = read_card(lora)
        assert card["sd version"] in ("SD1", "SD2", "SDXL")
        assert card["notes"].startswith(f"Epoch {2 if lora.stem == 'toy' else 1}, step")
        with Image.open(preview_path(lora)) as preview:
            assert preview.size == (64, 64)


def test_the_losses_with_and_without_trials_are_equal(lent: Any, tmp_path: Path) -> None:
    tried, untried = [], []
    for losses, on in ((tried, True), (untried, False)):
        lent.shared.opts.lora_cook_try = on
        watch = lambda it, losses=losses: losses.append(getattr(it, "loss", None))  # noqa: E731
        cooking.cook(recipe(tmp_path), lent.host, jobs.null_job, cooking.Options(watch=watch))
    assert tried == untried


def test_a_file_that_the_host_does_not_take_does_not_count(lent: Any, tmp_path: Path) -> None:
    logged: list[str] = []
    lent.host.unmatched = lambda lora: ["lora_unet_nowhere"]
    cooked = cooking.cook(recipe(tmp_path), lent.host, Listening(logged))
    assert cooked.loras == []
    assert "The WebUI leaves 1 of its layers aside, first lora_unet_nowhere." in logged[0]


def test_a_file_of_unknown_layers_is_seen_by_the_host_s_own_loader(
    lent: Any, tmp_path: Path
) -> None:
    path = tmp_path / "Lora" / "odd.safetensors"
    safetensors.torch.save_file({"lora_unet_nowhere.lora_up.weight": torch.zeros(1, 1)}, path)
    with lent.host.borrow_model(CONFIG):
        told = lent.host.accept_lora(path, LoraCard(), REQUEST)
    assert told in (
        "The WebUI leaves 1 of its layers aside, first lora_unet_nowhere.",
        "The WebUI draws the same picture with it and without it.",  # where keys are not told
    )


def test_a_file_that_changes_no_picture_is_seen(lent: Any, tmp_path: Path) -> None:
    trained = cooking.cook(recipe(tmp_path), lent.host, jobs.null_job).loras[-1]
    tensors = safetensors.torch.load_file(trained)
    path = tmp_path / "Lora" / "nothing.safetensors"
    safetensors.torch.save_file({name: it * 0 for name, it in tensors.items()}, path)
    told = lent.host.accept_lora(path, LoraCard(), REQUEST)
    assert told == "The WebUI draws the same picture with it and without it."


def test_a_file_that_another_hides_is_seen(lent: Any, tmp_path: Path) -> None:
    trained = cooking.cook(recipe(tmp_path), lent.host, jobs.null_job).loras[-1]
    (tmp_path / "Lora" / "sub").mkdir()
    hidden = tmp_path / "Lora" / "toy.safetensors"
    hider = shutil.copy(trained, tmp_path / "Lora" / "sub" / "toy.safetensors")
    told = [lent.host.accept_lora(Path(it), LoraCard(), REQUEST) for it in (hidden, hider)]
    assert sorted(told) == [
        "",
        "Another file in the WebUI's LoRA folder has the same name, and hides this one.",
    ]


def test_a_trial_that_fails_ends_no_run(
    lent: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(request: Any) -> Any:
        raise MemoryError("no room")

    monkeypatch.setattr(lent.host, "generate", fail)
    logged: list[str] = []
    cooked = cooking.cook(recipe(tmp_path), lent.host, Listening(logged))
    assert (cooked.steps, cooked.loras) == (2, [])
    assert "failed to draw with it (MemoryError: no room)" in logged[0]


def test_the_host_waits_for_the_whole_run_where_the_person_wants_it(
    lent: Any, tmp_path: Path
) -> None:
    lent.shared.opts.lora_cook_serve = False
    threads = [threading.Thread(target=lambda: lent.draw("a red star"))]
    alive: list[bool] = []

    def visit(event: Any) -> None:
        if not alive:
            threads[0].start()
        threads[0].join(0.1)
        alive.append(threads[0].is_alive())

    cooking.cook(recipe(tmp_path), lent.host, jobs.null_job, cooking.Options(watch=visit))
    threads[0].join(30)
    assert alive == [True] * len(alive)


def test_weights_that_are_taken_away_within_a_step_end_the_run_in_words(
    lent: Any, tmp_path: Path
) -> None:
    def away() -> None:
        lent.switch()
        raise RuntimeError("Expected all tensors to be on the same device")

    with pytest.raises(UserError, match="changed or unloaded"), lent.host.borrow_model(CONFIG):
        away()
    with pytest.raises(ZeroDivisionError), lent.host.borrow_model(CONFIG):
        raise ZeroDivisionError


def test_another_checkpoint_ends_the_run_in_words(lent: Any, tmp_path: Path) -> None:
    options = cooking.Options(watch=lambda event: lent.switch())
    with pytest.raises(UserError, match="changed or unloaded"):
        cooking.cook(recipe(tmp_path), lent.host, jobs.null_job, options)
    assert lent.lock.owner == 0


def test_another_checkpoint_than_the_loaded_one_is_refused(lent: Any) -> None:
    asked = ModelConfig(pretrained_model_name_or_path="other.safetensors")
    with pytest.raises(UserError, match="another checkpoint"), lent.host.borrow_model(asked):
        pass


def test_a_vae_of_the_run_s_own_is_refused_in_words(lent: Any) -> None:
    asked = ModelConfig(vae="another.safetensors")
    with pytest.raises(UserError, match="VAE of its own"), lent.host.borrow_model(asked):
        pass
    assert lent.lock.owner == 0


def test_the_person_s_last_prompt_is_kept(lent: Any, tmp_path: Path) -> None:
    lent.host.generate(REQUEST)
    assert (tmp_path / "params.txt").read_text() == "what the person last asked for"


def _size() -> Any:
    from lib_lora_cook.models.trainable import PictureSize

    return PictureSize((64, 64), (0, 0), (64, 64))
