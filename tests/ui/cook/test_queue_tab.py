"""The queue in the page: added, moved, removed, told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("gradio")

from lib_lora_cook.config import TrainingConfig
from lib_lora_cook.jobs import Job
from lib_lora_cook.runs import queue
from lib_lora_cook.ui import texts, work
from lib_lora_cook.ui.bench import Bench
from lib_lora_cook.ui.cook import queue_tab
from lib_lora_cook.ui.form import training_widgets
from lib_lora_cook.ui.runner import Outcome, Runner

from ..fake_host import FakeHost, fake_cook

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> queue_tab.QueueHandlers:
    monkeypatch.setenv("LORA_COOK_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(work, "training_problems", lambda config: [])
    monkeypatch.setattr(work, "cook_work", lambda config, at: fake_cook(config, at, 0.001))
    host = FakeHost(tmp_path)
    recipe = {"output_dir": str(host.lora_dir), "image_dir": str(tmp_path), "max_train_epochs": 1}

    def taste(config: TrainingConfig, cooked: Outcome, job: Job) -> Outcome:
        assert cooked.loras and not cooked.stopped
        return Outcome(f"a sheet of {config.save.output_name}")

    return queue_tab.QueueHandlers(Bench(host, Runner()), training_widgets(recipe), taste)


def add(waits: queue_tab.QueueHandlers, name: str) -> list[Any]:
    values = [name if it.name == "output_name" else it.value for it in waits.widgets]
    return waits.on_add(*values)


def order() -> list[str]:
    return [Path(it.run).stem for it in queue.read_queue(queue_tab.queue_file())]


def test_runs_are_added_moved_and_removed(waits: queue_tab.QueueHandlers) -> None:
    for name in ("one", "two", "three"):
        problems, listed, _ = add(waits, name)
        assert problems == ""
    assert listed.count("<tr>") == 4
    assert order() == ["one-1", "two-2", "three-3"]
    _, _, chosen = waits.on_earlier("3: three-3")
    assert chosen["value"] == "3: three-3"
    assert order() == ["one-1", "three-3", "two-2"]
    waits.on_later("1: one-1")
    assert order() == ["three-3", "one-1", "two-2"]
    waits.on_remove("1: one-1")
    assert order() == ["three-3", "two-2"]
    assert "No such run" in waits.on_remove("1: one-1")[0]
    assert "No such run" in waits.on_remove(None)[0]  # type: ignore[arg-type]


def test_what_waits_is_cooked_in_order_and_told(waits: queue_tab.QueueHandlers) -> None:
    add(waits, "one")
    add(waits, "two")
    assert waits.on_start() == ""
    done = waits.bench.runner.wait(20)
    assert done.outcome is not None
    assert done.outcome.text == texts.QUEUE_DONE.format(done=2, count=2)
    assert waits.shown()[0].count(">done</td>") == 2
    assert len(list(waits.bench.host.lora_dir.glob("*.safetensors"))) == 2
    told = "\n".join(waits.bench.runner.snapshot().log)
    assert told.index("a sheet of one") < told.index("Cooking two") < told.index("a sheet of two")


def test_a_mistake_adds_nothing(waits: queue_tab.QueueHandlers) -> None:
    problems, _, _ = add(waits, "../out")
    assert "plain name" in problems
    assert order() == []


def test_a_broken_queue_is_told(waits: queue_tab.QueueHandlers) -> None:
    queue_tab.queue_file().parent.mkdir(parents=True, exist_ok=True)
    queue_tab.queue_file().write_text("{", encoding="utf-8")
    assert "cannot be read" in waits.shown()[0]
