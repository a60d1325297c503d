"""The tab as gradio sees it: in both generations that hosts use, and in today's."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest

from lib_lora_cook.ui.runner import Outcome, Runner

from .fake_host import FakeHost, fake_cook

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of gradio's own age
    pytest.importorskip("gradio")

from lib_lora_cook.ui import handlers, remembered, texts, work
from lib_lora_cook.ui.form import sweep_widgets, training_widgets
from lib_lora_cook.ui.page import build_page
from lib_lora_cook.ui.tab import build_tab
from lib_lora_cook.ui.taste import tasting

pytestmark = pytest.mark.filterwarnings("ignore")
WAIT = 20.0


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    return FakeHost(tmp_path)


def components(blocks: Any) -> list[dict[str, Any]]:
    return [it.get("props", {}) for it in blocks.get_config_file()["components"]]


def test_every_setting_and_only_our_ids_are_in_the_tab(host: FakeHost) -> None:
    ids = {it.get("elem_id") for it in components(build_tab(host, runner=Runner()))} - {None, ""}
    assert all(name.startswith("lora_cook_") for name in ids)
    assert {it.elem_id for it in [*training_widgets(), *sweep_widgets()]} <= ids


def test_no_id_is_used_twice(host: FakeHost) -> None:
    ids = [it.get("elem_id") for it in components(build_tab(host, runner=Runner()))]
    named = [name for name in ids if name]
    assert len(named) == len(set(named))


def test_a_host_where_nothing_can_run_is_told_so_in_the_tab(host: FakeHost) -> None:
    shown = components(build_tab(host, "torch is <too> old", runner=Runner()))
    values = [str(it["value"]) for it in shown if it.get("value")]
    assert len(values) == 1
    assert "torch is &lt;too&gt; old" in values[0]


def test_the_standalone_page_holds_the_same_tab(host: FakeHost) -> None:
    ids = {it.get("elem_id") for it in components(build_page(host, {"network_dim": 4}))}
    assert {"lora_cook_start", "lora_cook_draw", "lora_cook_poll"} <= ids


@pytest.fixture
def kitchen(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> handlers.Handlers:
    monkeypatch.setattr(work, "cook_work", lambda config, at: fake_cook(config, at, 0.001))
    monkeypatch.setattr(work, "training_problems", lambda config: [])
    recipe = {"output_dir": str(host.lora_dir), "image_dir": "/pictures", "output_name": "kafka"}
    return handlers.Handlers(host, Runner(), training_widgets(recipe), sweep_widgets())


def shown_values(kitchen: handlers.Handlers, **changes: str) -> list[Any]:
    return [changes.get(it.name, it.value) for it in kitchen.training]


def test_a_run_from_the_first_look_to_its_files(kitchen: handlers.Handlers) -> None:
    assert texts.IDLE in kitchen.on_poll("")[1]
    problems, *updates = kitchen.on_cook("", *shown_values(kitchen, max_train_epochs="2"))
    assert problems == ""
    assert "Cooking kafka" in updates[1]
    kitchen.runner.wait(WAIT)
    updates = kitchen.on_poll(updates[-1])
    assert "Cooking kafka: done" in updates[1]
    assert updates[4]["interactive"] is True
    again = kitchen.on_poll(updates[-1])
    assert again[1:8] == [handlers.KEEP] * 7
    run, files, prompts, note = kitchen.on_runs("")
    assert (run["value"], prompts, note) == ("kafka", "kafka", "")
    assert files["value"] == ["kafka-000001.safetensors", "kafka-000002.safetensors"]


def test_a_sheet_follows_the_run_until_that_is_forbidden(
    kitchen: handlers.Handlers, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tasting.Tasting] = []

    def taste(wish: tasting.Tasting, host: FakeHost) -> Any:
        drawn.append(wish)
        return lambda job: Outcome("a sheet", pick="the first")

    monkeypatch.setattr(tasting, "taste_work", taste)
    cells = {**{it.name: it.value for it in kitchen.sweep}, "seeds": "4,5", "prompts": "older"}
    remembered.write_remembered(kitchen.host.cache_dir, "sweep", cells)
    for wanted, count in ((True, 1), (False, 1), (True, 2)):
        kitchen.on_after(wanted)
        assert kitchen.on_load()[-1] is wanted
        kitchen.on_cook("", *shown_values(kitchen, max_train_epochs="2"))
        kitchen.runner.wait(WAIT)
        assert len(drawn) == count
    assert drawn[0].config.seeds == (4, 5)
    assert drawn[0].config.prompts == ("kafka",), "its own, not those of an older run"
    assert [Path(it).stem for it in drawn[0].config.loras] == ["kafka-000001", "kafka-000002"]
    remembered.write_remembered(kitchen.host.cache_dir, "sweep", {**cells, "seeds": "many"})
    kitchen.on_cook("", *shown_values(kitchen, max_train_epochs="2"))
    kitchen.runner.wait(WAIT)
    assert drawn[2].config.seeds == (1, 2), "what cannot be read gives way to what stands at first"


def test_mistakes_start_nothing(kitchen: handlers.Handlers) -> None:
    problems = kitchen.on_cook("", *shown_values(kitchen, seed="<b>", network_dim="x"))[0]
    assert problems.count("<li>") == 2
    assert "<b>" not in problems
    assert kitchen.runner.snapshot().state == "idle"
    told = kitchen.on_taste("", "none", [], "", "", *(it.value for it in kitchen.sweep))[0]
    assert texts.NO_LORAS in told


def test_what_was_typed_is_there_after_a_reload(kitchen: handlers.Handlers) -> None:
    kitchen.on_cook("", *shown_values(kitchen, network_dim="x", class_tokens="kafka"))
    shown = dict(zip((it.name for it in kitchen.training), kitchen.on_load(), strict=False))
    assert (shown["network_dim"], shown["class_tokens"]) == ("x", "kafka")


def test_a_sheet_is_shown_to_every_window(kitchen: handlers.Handlers, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    kitchen.runner.start("Tasting", lambda job: Outcome("1 cell", sheet=sheet, pick="<this>"))
    kitchen.runner.wait(WAIT)
    for _ in range(2):
        updates = kitchen.on_poll("")
        assert updates[6]["value"] == str(sheet)
        assert "&lt;this&gt;" in updates[7]


def test_the_tags_to_look_for_are_those_that_were_pruned(kitchen: handlers.Handlers) -> None:
    remembered.write_remembered(kitchen.host.cache_dir, "sweep", {"tags": "red eyes"})
    assert kitchen.on_tags("") == "red eyes"
    assert kitchen.on_tags("smile") == handlers.KEEP


def test_a_sheet_that_is_asked_for_before_the_list_is_there_takes_the_newest_run(
    kitchen: handlers.Handlers, monkeypatch: pytest.MonkeyPatch
) -> None:
    kitchen.on_cook("", *shown_values(kitchen, max_train_epochs="2"))
    kitchen.runner.wait(WAIT)
    drawn: list[tasting.Tasting] = []

    def taste(wish: tasting.Tasting, host: FakeHost) -> Any:
        drawn.append(wish)
        return lambda job: Outcome("a sheet")

    monkeypatch.setattr(tasting, "taste_work", taste)
    assert kitchen.on_taste("", None, [], "", "", *(it.value for it in kitchen.sweep))[0] == ""
    kitchen.runner.wait(WAIT)
    assert drawn[0].config.prompts == ("kafka",)
    assert [Path(it).name for it in drawn[0].config.loras] == [
        "kafka-000001.safetensors", "kafka-000002.safetensors",
    ]  # fmt: skip
