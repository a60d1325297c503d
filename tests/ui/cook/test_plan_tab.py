"""The plan's buttons."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("gradio")

from lib_lora_cook.dataset.journal import undo
from lib_lora_cook.ui import work
from lib_lora_cook.ui.bench import Bench
from lib_lora_cook.ui.cook.plan_tab import COUNTED, PlanHandlers
from lib_lora_cook.ui.form import training_widgets
from lib_lora_cook.ui.runner import Outcome, Runner

from ..fake_host import FakeHost
from .test_planning import pictures

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def plans(tmp_path: Path) -> PlanHandlers:
    return PlanHandlers(Bench(FakeHost(tmp_path), Runner()), training_widgets())


def values(plans: PlanHandlers, **changes: str) -> list[Any]:
    shown = {it.name: it.value for it in plans.widgets}
    return [changes.get(name, shown[name]) for name in COUNTED]


def test_numbers_and_pictures_that_are_proposed_are_taken_over(
    plans: PlanHandlers, tmp_path: Path
) -> None:
    folder = pictures(tmp_path / "set", 23)
    html, use, leave, told = plans.on_plan("sd15", *values(plans, image_dir=str(folder)))
    assert "23 images" in html
    assert (use["visible"], leave["visible"]) == (True, True)
    assert plans.on_use(told) == told["numbers"]
    assert plans.on_leave_out(told) == ""
    assert len(list(folder.glob("*.png"))) == 20
    _, _, leave, told = plans.on_plan("sd15", *values(plans, image_dir=str(folder)))
    assert (leave["visible"], told["names"]) == (False, [])
    undo(folder)
    assert len(list(folder.glob("*.png"))) == 23


def test_a_setting_that_cannot_be_read_is_told(plans: PlanHandlers, tmp_path: Path) -> None:
    folder = str(pictures(tmp_path / "set", 2))
    html, use, *_ = plans.on_plan("", *values(plans, image_dir=folder, train_batch_size="<b>"))
    assert "train_batch_size is" in html
    assert "<b>" not in html
    assert use["visible"] is False


def test_time_and_memory_are_measured_as_work(
    plans: PlanHandlers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "training_problems", lambda config: [])
    monkeypatch.setattr(work, "measure_work", lambda config, host: lambda job: Outcome("2 s each"))
    shown = [{"image_dir": "/pictures"}.get(it.name, it.value) for it in plans.widgets]
    assert plans.on_measure(*shown) == ""
    done = plans.bench.runner.wait(20)
    assert done.outcome == Outcome("2 s each")
    shown = [{"seed": "x"}.get(it.name, it.value) for it in plans.widgets]
    assert "seed is" in plans.on_measure(*shown)


def test_several_folders_are_evened_out_and_trimmed_by_one_press_each(
    plans: PlanHandlers, tmp_path: Path
) -> None:
    sets = tmp_path / "sets"
    for name in ("3_kafka", "dress"):
        pictures(sets / name, 23)
    html, use, leave, told = plans.on_plan("sd15", *values(plans, image_dir=str(sets)))
    assert "T = " in html and "3_kafka: 3 over 20" in html
    assert (use["visible"], leave["visible"]) == (True, True)
    assert plans.on_leave_out(told) == ""
    assert [len(list(it.glob("*.png"))) for it in sorted(sets.iterdir())] == [20, 20]
    *_, told = plans.on_plan("sd15", *values(plans, image_dir=str(sets)))
    repeats, epochs = plans.on_use(told)
    taken = values(plans, image_dir=str(sets), num_repeats=repeats, max_train_epochs=epochs)
    _, use, leave, _ = plans.on_plan("sd15", *taken)
    assert (use["visible"], leave["visible"]) == (False, False)
    undo(sets / "dress")
    assert len(list((sets / "dress").glob("*.png"))) == 23
