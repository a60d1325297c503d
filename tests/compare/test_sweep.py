"""A whole sweep on a tiny model: cells, scores, sheet and pick."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from lib_lora_cook.captioning.base import Tags
from lib_lora_cook.compare.pick import name_of, pick_cell
from lib_lora_cook.compare.render import MARK, draw_sheet
from lib_lora_cook.compare.sweep import (
    Wanted,
    cell_path,
    growing_sweep,
    keep_as_grid,
    lay_out,
    note_on_card,
    run_sweep,
    write_sweep,
)
from lib_lora_cook.config import ModelConfig, SweepConfig
from lib_lora_cook.errors import UserError
from lib_lora_cook.jobs import Cancelled, Job, null_job
from lib_lora_cook.networks.card import preview_path, read_card
from tests.tiny_runs import cook_tiny, snapshot, tiny_run


class Reddish:
    """A tagger that sees a star in pictures of some redness."""

    def predict(self, images: Sequence[Image.Image]) -> list[Tags]:
        means = [float(np.asarray(image.convert("RGB"))[..., 0].mean()) for image in images]
        return [Tags(general={"red_star": mean / 255, "solo": 1.0}) for mean in means]


@pytest.fixture(scope="module")
def loras(tmp_path_factory: pytest.TempPathFactory, host: Any, sd1_folder: Path) -> list[Path]:
    folder = tmp_path_factory.mktemp("cooked")
    config = tiny_run(folder, sd1_folder, unet_lr=0.05, text_encoder_lr=0.05)
    return cook_tiny(config, host).cooked.loras


@pytest.fixture
def config(loras: list[Path]) -> SweepConfig:
    return SweepConfig(
        loras=tuple(map(str, loras)), weights=(0.0, 1.0, 4.0), prompts=("star", "solo"),
        seeds=(1, 2), steps=2, cfg_scale=2.0, width=64, height=64,
    )  # fmt: skip


@pytest.fixture
def model(sd1_folder: Path) -> ModelConfig:
    return ModelConfig(pretrained_model_name_or_path=str(sd1_folder), max_token_length=75)


WANTED = Wanted(["red star", "solo"], Reddish())


def test_a_sweep_draws_scores_and_picks(
    tmp_path: Path, host: Any, config: SweepConfig, model: ModelConfig
) -> None:
    done = run_sweep(config, model, host, WANTED, null_job)
    assert len(done.cells) == 2 + 2 * 2 * 2
    assert all(score and score.tags["solo"] == 1.0 for _, score in done.cells)
    scored = [(cell, score) for cell, score in done.cells if score]
    assert done.pick == pick_cell(scored)
    for cell, picture in done.mosaics.items():
        assert picture.size == (256, 128), cell

    sheet = write_sweep(done, config, tmp_path / "taste", "star | solo")
    assert sheet == tmp_path / "taste" / "sheet.png"
    with Image.open(sheet) as image:
        image.load()
        assert image.format == "PNG"
        settings = json.loads(image.text["lora_cook"])  # type: ignore[attr-defined]
        assert MARK in {colour for _, colour in image.getcolors(1 << 20) or []}
    assert settings["weights"] == [0.0, 1.0, 4.0]
    assert settings["loras"] == list(config.loras)
    assert settings["cfg_scale"] == 2.0
    assert done.pick is not None and done.pick.cell.lora is not None
    worn = f"<lora:{done.pick.cell.lora.stem}:{done.pick.cell.weight:g}>"
    told = image.text["parameters"]  # type: ignore[attr-defined]
    assert told.startswith(f"{done.pick.cell.prompt} {worn}\n")
    assert "CFG scale: 2, Seed: 1, Size: 64x64" in told
    files = sorted(it.name for it in (tmp_path / "taste" / "cells").iterdir())
    assert files == [f"{index:03d}.png" for index in range(1, 11)]
    for index, (cell, _) in enumerate(done.cells, 1):
        with Image.open(cell_path(tmp_path / "taste", index)) as image:
            image.load()
            told = image.text  # type: ignore[attr-defined]
        assert (told["weight"], told["prompt"]) == (f"{cell.weight:g}", cell.prompt)
        assert told["lora"] == str(cell.lora or "")


def test_weight_0_is_the_base_model_and_others_are_not(
    host: Any, config: SweepConfig, model: ModelConfig
) -> None:
    config = replace(config, prompts=("star",))
    done = run_sweep(config, model, host, None, null_job)
    pixels = {(c.lora, c.weight): np.asarray(it) for c, it in done.mosaics.items()}
    base = run_sweep(replace(config, loras=()), model, host, None, null_job)
    (bare,) = base.mosaics.values()
    assert np.array_equal(pixels.pop((None, 0.0)), np.asarray(bare))
    assert not any(np.array_equal(it, np.asarray(bare)) for it in pixels.values())
    found = [it.tobytes() for it in pixels.values()]
    assert len(set(found)) == len(found)


def test_the_pick_is_laid_on_the_card_and_a_doubt_with_it(
    tmp_path: Path, host: Any, config: SweepConfig, model: ModelConfig
) -> None:
    config = replace(config, prompts=("star",), weights=(1.0, 4.0))
    done = run_sweep(config, model, host, WANTED, null_job)
    assert done.pick is not None and done.pick.runner_up is not None
    done.stopped = "cancelled"
    lora = tmp_path / "picked.safetensors"
    cell = replace(done.pick.cell, lora=lora)
    done.previews[cell] = done.previews[done.pick.cell]
    done.pick = replace(done.pick, cell=cell, sure=False)
    note_on_card(done)
    assert read_card(lora) == {}, "a sheet that was stopped has not seen all places"
    done.stopped = None
    note_on_card(done)
    assert read_card(lora)["preferred weight"] == cell.weight
    assert name_of(done.pick.runner_up) in read_card(lora)["notes"]
    with Image.open(preview_path(lora)) as image:
        assert image.tobytes() == done.previews[cell].tobytes()
    done.pick = replace(done.pick, sure=True)
    note_on_card(done)
    assert not read_card(lora)["notes"]


def test_the_same_sweep_again_is_the_same_picture(
    host: Any, config: SweepConfig, model: ModelConfig
) -> None:
    config = replace(config, prompts=("star",), weights=(1.0,))
    one, two = (run_sweep(config, model, host, None, null_job) for _ in range(2))
    assert [it.tobytes() for it in one.mosaics.values()] == [
        it.tobytes() for it in two.mosaics.values()
    ]


def test_without_wanted_tags_nothing_is_scored_or_picked(
    host: Any, config: SweepConfig, model: ModelConfig
) -> None:
    done = run_sweep(replace(config, weights=(0.0, 1.0)), model, host, None, null_job)
    assert done.pick is None
    assert {score for _, score in done.cells} == {None}
    sheet = lay_out(done, replace(config, weights=(0.0, 1.0)), "t")
    assert sheet.marked is None
    assert set(sheet.notes.values()) == {""}


def test_the_sheet_has_a_row_an_epoch_and_a_column_a_weight_and_prompt(
    host: Any, config: SweepConfig, model: ModelConfig, loras: list[Path]
) -> None:
    done = run_sweep(config, model, host, WANTED, null_job)
    sheet = lay_out(done, config, "t")
    assert sheet.rows == ["epoch 1", "last epoch"]
    assert sheet.columns == [
        f"weight {weight}: {prompt}" for prompt in ("star", "solo") for weight in (0, 1, 4)
    ]
    assert set(sheet.pictures) == {(row, column) for row in range(2) for column in range(6)}
    for column in (0, 3):
        assert sheet.pictures[0, column] is sheet.pictures[1, column]
    for cell, score in done.cells:
        if cell.lora and score:
            column = ["star", "solo"].index(cell.prompt) * 3 + [0.0, 1.0, 4.0].index(cell.weight)
            place = (loras.index(cell.lora), column)
            assert sheet.pictures[place] is done.mosaics[cell]
            assert sheet.notes[place].startswith(f"tags {score.tag_recall:.2f}")
            assert (place == sheet.marked) == (done.pick is not None and cell == done.pick.cell)
    assert draw_sheet(sheet).width > 6 * 256


def test_a_sweep_without_a_lora_shows_the_base_model(
    tmp_path: Path, host: Any, model: ModelConfig
) -> None:
    config = SweepConfig(prompts=("star",), weights=(0.0,), steps=2, width=64, height=64)
    done = run_sweep(config, model, host, WANTED, null_job)
    assert done.pick is None
    assert write_sweep(done, config, tmp_path, "t").is_file()


def test_a_cancelled_sweep_keeps_its_cells_and_leaves_the_model_bare(
    tmp_path: Path, host: Any, config: SweepConfig, model: ModelConfig
) -> None:
    class Stops(Job):
        cells = 0

        def report(self, done: int, total: int, text: str = "") -> None:
            self.cells = done

        @property
        def cancelled(self) -> bool:
            return self.cells == 4

    done = run_sweep(replace(config, batch_size=2), model, host, WANTED, Stops())
    assert done.stopped == "cancelled"
    assert len(done.cells) == 4
    assert done.pick is not None and done.pick.cell in done.mosaics
    assert write_sweep(done, config, tmp_path, "t").is_file()
    assert len(list((tmp_path / "cells").iterdir())) == 4
    with host.borrow_model(model) as lent:
        assert not any("forward" in it.__dict__ for it in lent.unet.modules())


def test_a_sweep_that_is_cancelled_before_its_first_cell_has_none_to_keep(
    host: Any, config: SweepConfig, model: ModelConfig
) -> None:
    class Stopped(Job):
        cancelled = True

    with pytest.raises(Cancelled):
        run_sweep(config, model, host, WANTED, Stopped())


def test_cells_appear_as_they_are_done(
    tmp_path: Path, host: Any, config: SweepConfig, model: ModelConfig
) -> None:
    config = replace(config, prompts=("star",), weights=(0.0, 1.0))
    counts = [len(it.cells) for it in growing_sweep(config, model, host, WANTED, null_job)]
    assert counts == [1, 2, 3, 3]


def test_pictures_do_not_depend_on_the_size_of_the_batch(
    host: Any, config: SweepConfig, model: ModelConfig
) -> None:
    sweeps = [
        run_sweep(replace(config, batch_size=size), model, host, None, null_job) for size in (1, 5)
    ]
    one, five = ([np.asarray(it, float) for it in sweep.mosaics.values()] for sweep in sweeps)
    assert max(float(np.abs(a - b).mean()) for a, b in zip(one, five, strict=True)) <= 1


def test_a_sheet_is_offered_to_the_host_as_a_grid(
    tmp_path: Path, config: SweepConfig, host: Any, model: ModelConfig
) -> None:
    kept: list[tuple[Any, str]] = []

    class Keeping:
        def save_grid(self, grid: Image.Image, infotext: str) -> Path:
            kept.append((grid.size, infotext))
            return Path("kept.jpg")

    config = replace(config, prompts=("star",), weights=(1.0,))
    done = run_sweep(config, model, host, None, null_job)
    sheet = write_sweep(done, config, tmp_path, "t")
    assert keep_as_grid(sheet, Keeping()) == Path("kept.jpg")  # type: ignore[arg-type]
    with Image.open(sheet) as image:
        assert kept == [(image.size, image.info["parameters"])]
    assert keep_as_grid(sheet, host) is None


def test_a_lora_of_another_family_is_refused_by_name_before_a_picture(
    tmp_path: Path, host: Any, config: SweepConfig, model: ModelConfig
) -> None:
    name = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q"
    tensors = {
        f"{name}.lora_down.weight": torch.zeros(4, 640),
        f"{name}.lora_up.weight": torch.zeros(640, 4), f"{name}.alpha": torch.tensor(4.0),
    }  # fmt: skip
    other = tmp_path / "of_sdxl.safetensors"
    save_file(tensors, str(other))
    drawn: list[int] = []
    loras = (*config.loras, str(other))
    with pytest.raises(UserError, match="SDXL") as caught:
        for sweep in growing_sweep(replace(config, loras=loras), model, host, None, null_job):
            drawn.append(len(sweep.cells))
    assert "of_sdxl.safetensors" in str(caught.value) and drawn == []


def test_a_file_that_is_no_lora_stops_the_sweep_before_a_picture(
    tmp_path: Path, host: Any, config: SweepConfig, model: ModelConfig
) -> None:
    broken = tmp_path / "broken.safetensors"
    broken.write_text("no")
    before = snapshot(tmp_path)
    with pytest.raises(UserError, match="broken.safetensors"):
        run_sweep(replace(config, loras=(str(broken),)), model, host, None, null_job)
    assert snapshot(tmp_path) == before
