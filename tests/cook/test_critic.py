"""Scores while a run goes on: the sheet's own, no trace of them in the run, a stop by them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lib_lora_cook.captioning.base import Tags
from lib_lora_cook.compare.judge import Judge
from lib_lora_cook.compare.pick import candidate
from lib_lora_cook.compare.render import render_cells
from lib_lora_cook.cook import Scored
from lib_lora_cook.cook import critic as module
from lib_lora_cook.cook.critic import Standing, problems, sheet_of, wanted_by
from lib_lora_cook.errors import UserError
from lib_lora_cook.hosts.base import GenerateRequest
from lib_lora_cook.hosts.standalone import StandaloneHost
from lib_lora_cook.jobs import null_job
from lib_lora_cook.runs.history import read_history
from lib_lora_cook.training.pictures import read_pictures
from lib_lora_cook.training.train import OUT_OF_MEMORY
from tests.tiny_runs import cook_tiny, tiny_run

QUICK = {"score_every_n_epochs": 1, "score_tagger": "colours", "score_seeds": 2, "score_steps": 1}


class Colours:
    """A tagger that sees a tag a colour, as far as the picture has it."""

    def predict(self, images: Sequence[Image.Image]) -> list[Tags]:
        means = [np.asarray(it.convert("RGB"), float).mean(axis=(0, 1)) / 255 for it in images]
        names = ("red_hair", "green_hair", "solo")
        return [Tags(general=dict(zip(names, map(float, it), strict=True))) for it in means]


class Tasting(StandaloneHost):
    """A host with that tagger, which counts the pictures it draws."""

    drawn = 0

    def taggers(self) -> dict[str, Any]:
        return {"colours": Colours()}

    def generate(self, request: GenerateRequest) -> list[Image.Image]:
        self.drawn += len(request.prompts)
        return super().generate(request)


@pytest.fixture
def tasting(tmp_path: Path) -> Tasting:
    return Tasting(tmp_path / "home")


def test_scores_are_told_and_kept_and_change_no_number(
    tmp_path: Path, sd1_folder: Path, tasting: Tasting
) -> None:
    dropout = {"network_dropout": 0.3, "max_train_epochs": 2}
    scored = cook_tiny(tiny_run(tmp_path, sd1_folder, **dropout, **QUICK), tasting)
    bare = cook_tiny(tiny_run(tmp_path, sd1_folder, output_name="bare", **dropout), tasting)
    assert scored.losses == bare.losses
    told = [it for it in scored.events if isinstance(it, Scored)]
    assert [it.epoch for it in told] == [1, 2]
    assert all("obedience" in it.measures or "leak" in it.measures for it in told)
    kept = read_history(tmp_path / "loras" / "tiny.jsonl").scores
    assert [(it.epoch, it.merit, it.measures) for it in kept] == [
        (it.epoch, it.merit, it.measures) for it in told
    ]


def test_an_epoch_is_worth_what_a_sheet_of_its_file_says(
    tmp_path: Path, sd1_folder: Path, tasting: Tasting
) -> None:
    config = tiny_run(
        tmp_path, sd1_folder, save_precision="float", network_dropout=0.5, unet_lr=0.3, **QUICK
    )
    meal = cook_tiny(config, tasting)
    told = [it for it in meal.events if isinstance(it, Scored)][-1]
    judge = Judge(wanted_by(config, tasting, read_pictures(config), null_job))
    sheet = sheet_of(config, judge)
    loras = (str(meal.cooked.loras[-1]),)
    wide = replace(sheet, loras=loras, weights=(0.0, 1.0))
    scored = [
        (cell, judge.score(cell, drawn))
        for cell, drawn in render_cells(wide, config.model, tasting, null_job)
    ]
    found = candidate([it for it in scored if it[0].lora])
    assert told.measures == pytest.approx(found.means, abs=1e-3)
    assert told.merit == pytest.approx(found.merit, abs=1e-3)


def test_the_base_model_is_drawn_once(tmp_path: Path, sd1_folder: Path, tasting: Tasting) -> None:
    config = tiny_run(tmp_path, sd1_folder, max_train_epochs=3, **QUICK)
    cook_tiny(config, tasting)
    prompts = len(wanted_by(config, tasting, read_pictures(config), null_job).probes)
    assert tasting.drawn == 2 * prompts * (1 + 3)


def test_a_run_ends_where_its_scores_no_longer_rise(
    tmp_path: Path, sd1_folder: Path, tasting: Tasting, monkeypatch: pytest.MonkeyPatch
) -> None:
    merits = iter([0.2, 0.6, 0.5, 0.6, 0.9])

    def worth(self: Any, lora: Path) -> Any:
        return type("Worth", (), {"merit": next(merits), "each": (1.0,), "means": {}})

    monkeypatch.setattr(module.Critic, "tasted", worth)
    config = tiny_run(tmp_path, sd1_folder, max_train_epochs=6, score_patience=2, **QUICK)
    lines: list[str] = []
    meal = cook_tiny(config, tasting, log=lines.append)
    told = [it for it in meal.events if isinstance(it, Scored)]
    assert [(it.epoch, it.best) for it in told] == [(1, 1), (2, 2), (3, 2), (4, 2)]
    assert meal.cooked.stopped is None
    assert meal.cooked.settled and "epoch 2" in meal.cooked.settled
    assert [it.name for it in meal.cooked.loras] == [
        f"tiny-00000{n}.safetensors" for n in range(1, 5)
    ]
    assert sum("ends here" in line for line in lines) == 1
    merits = iter([0.4, 0.9, 0.9])
    again = cook_tiny(config, tasting, resume=True)
    assert again.cooked.settled, "one epoch more, and no better than those before the stop"
    assert [it.epoch for it in again.events if isinstance(it, Scored)] == [5]


def test_a_resumed_run_remembers_its_scores() -> None:
    standing = Standing()
    for merit, epoch in ((0.2, 1), (0.6, 2), (0.6, 3)):
        standing.take(merit, epoch)
    assert (standing.epoch, standing.since) == (2, 1)


@pytest.mark.parametrize("error", [OUT_OF_MEMORY("much"), ValueError("odd")])
def test_pictures_that_cannot_be_drawn_cost_no_run(
    tmp_path: Path, sd1_folder: Path, tasting: Tasting, monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:  # fmt: skip
    def fail(self: Any, request: GenerateRequest) -> Any:
        raise error

    monkeypatch.setattr(Tasting, "generate", fail)
    lines: list[str] = []
    config = tiny_run(tmp_path, sd1_folder, **QUICK)
    meal = cook_tiny(config, tasting, log=lines.append)
    bare = cook_tiny(tiny_run(tmp_path, sd1_folder, output_name="bare"), tasting)
    assert not [it for it in meal.events if isinstance(it, Scored)]
    assert sum("could not be scored" in line for line in lines) == 2
    assert meal.losses == bare.losses
    assert meal.cooked.stopped is None


def test_what_scores_need_is_told_before_a_step(
    tmp_path: Path, sd1_folder: Path, tasting: Tasting
) -> None:
    assert "score_every_n_epochs" in problems(tiny_run(tmp_path, sd1_folder, score_patience=2))[0]
    config = tiny_run(tmp_path, sd1_folder, **{**QUICK, "score_tagger": "colors"})
    with pytest.raises(UserError, match="Did you mean colours"):
        cook_tiny(config, tasting)
    config = tiny_run(tmp_path, sd1_folder, **{**QUICK, "score_tagger": ""})
    with pytest.raises(UserError, match="There is no tagger"):
        cook_tiny(config, StandaloneHost(tmp_path / "bare"))
    for text in (tmp_path / "pictures").glob("*.txt"):
        text.write_text(text.stem)
    with pytest.raises(UserError, match="begin with no trigger"):
        cook_tiny(config, tasting)
