"""Sample pictures: kohya's prompts and names, drawn for real, and no trace of them in the run."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from lib_lora_cook.config_file import config_of
from lib_lora_cook.cook import Sampled
from lib_lora_cook.cook import samples as module
from lib_lora_cook.cook.samples import problems, read_prompts, request_of
from lib_lora_cook.hosts.base import GenerateRequest
from lib_lora_cook.hosts.standalone import StandaloneHost
from lib_lora_cook.models import waiting
from lib_lora_cook.training.train import OUT_OF_MEMORY
from tests.tiny_runs import cook_tiny, run_table, tiny_run

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array:DeprecationWarning"  # diffusers' own, with numpy 2
)
PROMPT = "star --n hat --w 64 --h 70 --d 7 --l 3.5 --s 2 --ss euler_a"
QUICK = {"sample_prompts": ["star --s 1", "moon --s 1 --d 5"], "sample_sampler": "euler"}


def test_a_prompt_is_read_as_kohya_writes_it(tmp_path: Path) -> None:
    config = tiny_run(tmp_path, Path("toy"))
    assert request_of(PROMPT, config) == GenerateRequest(
        ("star",), (7,), "hat", 2, 3.5, 64, 64, "euler_a"
    )
    plain = request_of("a star, red hair", config)
    assert plain == GenerateRequest(("a star, red hair",), (42,), "", 0, 0.0, 64, 64, "")


@pytest.mark.parametrize("line", ["star --w wide", "star --w", "star --q 3", "star --ss magic"])
def test_a_mark_that_makes_no_sense_is_told_before_the_run(tmp_path: Path, line: str) -> None:
    config = tiny_run(tmp_path, Path("toy"), sample_prompts=line, sample_at_first=True)
    (found,) = problems(config)
    assert line in found


def test_prompts_may_stand_in_a_file_beside_the_run_file(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("# no prompt\nstar --d 1\n\n moon \n", encoding="utf-8")
    table = run_table(Path("toy"), tmp_path, sample_prompts="p.txt")
    config, _ = config_of(table, tmp_path)
    assert read_prompts(config.sample.sample_prompts) == (["star --d 1", "moon"], [])
    assert "gone.txt" in read_prompts(["gone.txt"])[1][0]


def test_pictures_without_a_prompt_are_a_mistake(tmp_path: Path) -> None:
    assert "sample_prompts" in problems(tiny_run(tmp_path, Path("t"), sample_every_n_steps=2))[0]
    assert problems(tiny_run(tmp_path, Path("t"))) == []


@pytest.mark.parametrize(
    ("when", "places"),
    [
        ({"sample_every_n_epochs": 2, "sample_every_n_steps": 1}, [(8, 2)]),
        ({"sample_every_n_steps": 3, "sample_at_first": True}, [(0, None), (3, None), (6, None)]),
    ],
)
def test_pictures_are_drawn_when_they_are_due_and_change_no_number(
    tmp_path: Path, host: Any, sd1_folder: Path, when: dict[str, Any], places: list[Any]
) -> None:
    dropout = {"network_dropout": 0.3, "mixed_precision": "bf16"}
    with_pictures = cook_tiny(tiny_run(tmp_path, sd1_folder, **dropout, **QUICK, **when), host)
    without = cook_tiny(tiny_run(tmp_path, sd1_folder, output_name="bare", **dropout), host)
    assert with_pictures.losses == without.losses
    drawn = [it for it in with_pictures.events if isinstance(it, Sampled)]
    assert [(it.step, it.epoch) for it in drawn] == places
    step, epoch = places[-1]
    mark = f"{step:06d}" if epoch is None else f"e{epoch:06d}"
    for number, (path, seed) in enumerate(zip(drawn[-1].pictures, (42, 5), strict=True)):
        name = rf"tiny_{mark}_{number:02d}_\d{{14}}_{seed}\.png"
        assert re.fullmatch(name, Path(path).name)
        assert Path(path).parent == tmp_path / "loras" / "sample"
        with Image.open(path) as image:
            assert image.size == (64, 64)
            assert "Steps: 1" in image.info["parameters"]


def test_a_picture_shows_the_lora_as_it_is_at_weight_one(
    tmp_path: Path, host: Any, sd1_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The picture of the last step is the one that the file gives, put on at weight 1."""
    config = tiny_run(
        tmp_path, sd1_folder, network_dropout=0.5, sample_every_n_epochs=2, unet_lr=0.5,
        save_precision="float", **{**QUICK, "sample_prompts": ["star --s 2"]},
    )  # fmt: skip
    meal = cook_tiny(config, host)
    (drawn,) = [it for it in meal.events if isinstance(it, Sampled)]
    request = request_of("star --s 2", config)
    pixels = []
    with host.open_wardrobe(meal.cooked.loras, config.model) as wardrobe:
        for lora, weight in ((meal.cooked.loras[-1], 1.0), (None, 0.0)):
            wardrobe.wear(lora, weight)
            pixels.append(host.generate(request)[0].tobytes())
    with Image.open(drawn.pictures[0]) as image:
        assert image.tobytes() == pixels[0]
    assert pixels[0] != pixels[1]


@pytest.mark.parametrize(
    ("error", "told"),
    [(OUT_OF_MEMORY("much"), "memory ran out"), (ValueError("odd"), "odd")],
)
def test_a_picture_that_cannot_be_drawn_costs_no_run(
    tmp_path: Path, sd1_folder: Path, error: Exception, told: str
) -> None:
    class Failing(StandaloneHost):
        def generate(self, request: GenerateRequest) -> list[Image.Image]:
            raise error

    lines: list[str] = []
    config = tiny_run(tmp_path, sd1_folder, max_train_epochs=1, sample_every_n_epochs=1, **QUICK)
    meal = cook_tiny(config, Failing(tmp_path / "home"), log=lines.append)
    assert [it.pictures for it in meal.events if isinstance(it, Sampled)] == [()]
    assert meal.cooked.stopped is None
    assert sum(told in line for line in lines) == 2


def test_parts_that_wait_in_main_memory_are_there_when_they_are_needed(
    tmp_path: Path, sd1_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places: dict[Any, str] = {}
    trail: list[str] = []

    real = torch.nn.Module.to

    def go(part: Any, *where: Any, **how: Any) -> Any:
        if how or not isinstance(where[0], torch.device):
            return real(part, *where, **how)
        places[part] = where[0].type
        trail.append(places[part])
        return part

    monkeypatch.setattr(waiting, "place_of", lambda it: torch.device(places.get(it, "cpu")))
    monkeypatch.setattr(torch.nn.Module, "to", go)
    monkeypatch.setattr(waiting, "MAIN", torch.device("meta"))
    once = {"text_encoder_lr": 0.0, "max_train_epochs": 1, "sample_every_n_epochs": 1, **QUICK}
    plain = tiny_run(tmp_path, sd1_folder, **once)
    without = cook_tiny(plain, StandaloneHost(tmp_path / "home"))
    assert "meta" not in trail
    waits = tiny_run(tmp_path, sd1_folder, medvram=True, **once)
    meal = cook_tiny(waits, StandaloneHost(tmp_path / "home"))
    assert meal.losses == without.losses
    drawn = [next(it for it in of.events if isinstance(it, Sampled)) for of in (meal, without)]
    one, other = (Image.open(it.pictures[0]).tobytes() for it in drawn)
    assert one == other
    assert trail.count("meta") > 2, "away at first, and after each that came back"
    assert set(places.values()) == {"cpu"}, "all are back"


@pytest.mark.parametrize("sampler", ["ddim", "k_lms", "euler_a", "heun", "dpm_2", "dpmsolver++"])
def test_every_sampler_draws_and_the_pipeline_keeps_its_own(
    host: Any, sd1_folder: Path, tmp_path: Path, sampler: str
) -> None:
    config = tiny_run(tmp_path, sd1_folder)
    with host.borrow_model(config.model):
        own = host._loaded.scheduler
        request = replace(request_of("star --s 3", config), sampler=sampler)
        assert host.generate(request)[0].size == (64, 64)
        assert host._loaded.scheduler is own


def test_all_of_kohya_s_samplers_are_known() -> None:
    from lib_lora_cook.hosts.standalone import SCHEDULERS

    assert {it.removeprefix("k_") for it in module.SAMPLERS} == set(SCHEDULERS)
