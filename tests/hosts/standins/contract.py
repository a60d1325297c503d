"""What every host promises, whatever holds the model."""

from __future__ import annotations

import random
import threading
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

CONFIG = ModelConfig(max_token_length=75)
REQUEST = GenerateRequest(prompts=("a red star",), seeds=(7,), steps=2, width=64, height=64)


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
    before = lent.snapshot()
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


def test_another_checkpoint_ends_the_run_in_words(lent: Any, tmp_path: Path) -> None:
    options = cooking.Options(watch=lambda event: lent.switch())
    with pytest.raises(UserError, match="changed or unloaded"):
        cooking.cook(recipe(tmp_path), lent.host, jobs.null_job, options)
    assert lent.lock.owner == 0


def test_another_checkpoint_than_the_loaded_one_is_refused(lent: Any) -> None:
    asked = ModelConfig(pretrained_model_name_or_path="other.safetensors")
    with pytest.raises(UserError, match="another checkpoint"), lent.host.borrow_model(asked):
        pass


def test_the_person_s_last_prompt_is_kept(lent: Any, tmp_path: Path) -> None:
    lent.host.generate(REQUEST)
    assert (tmp_path / "params.txt").read_text() == "what the person last asked for"


def _size() -> Any:
    from lib_lora_cook.models.trainable import PictureSize

    return PictureSize((64, 64), (0, 0), (64, 64))
