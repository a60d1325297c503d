"""Earlier runs side by side, and one of them again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("gradio")

from lib_lora_cook.config import NetworkConfig, SubsetConfig, TrainingConfig
from lib_lora_cook.config_file import run_text
from lib_lora_cook.ui import texts
from lib_lora_cook.ui.bench import Bench
from lib_lora_cook.ui.cook.kept_tab import KEEP, KeptHandlers
from lib_lora_cook.ui.form import training_widgets
from lib_lora_cook.ui.runner import Runner

from ..fake_host import FakeHost

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def keeps(tmp_path: Path) -> KeptHandlers:
    host = FakeHost(tmp_path)
    one = TrainingConfig(subsets=(SubsetConfig(image_dir=str(tmp_path)),))
    runs = {"kafka": one, "himeko": replace(one, network=NetworkConfig(network_dim=64))}
    for name, config in runs.items():
        (host.lora_dir / f"{name}.toml").write_text(run_text(config), encoding="utf-8")
        (host.lora_dir / f"{name}.safetensors").touch()
    return KeptHandlers(Bench(host, Runner()), training_widgets())


def test_two_runs_are_chosen_and_what_differs_is_listed(keeps: KeptHandlers) -> None:
    one, other = keeps.on_look("kafka", "")
    assert sorted(one["choices"]) == ["himeko", "kafka"]
    assert (one["value"], other["value"]) == ("kafka", "himeko")
    told = keeps.on_compare("kafka", "himeko")
    assert told.count("<tr>") == 2
    for part in ("network_dim", ">16</td>", ">64</td>"):
        assert part in told
    assert texts.SAME_RUNS in keeps.on_compare("kafka", "kafka")
    assert texts.TWO_RUNS in keeps.on_compare("kafka", "nobody")


def test_a_run_fills_the_settings_in_again(keeps: KeptHandlers) -> None:
    told, *values = keeps.on_again("himeko")
    shown = dict(zip((it.name for it in keeps.widgets), values, strict=True))
    assert shown["network_dim"] == "64"
    assert "himeko" in told
    told, *values = keeps.on_again("<b>")
    assert texts.NO_RUNS in told
    assert values == [KEEP] * len(keeps.widgets)


def test_a_broken_run_file_is_told(keeps: KeptHandlers) -> None:
    (keeps.bench.host.lora_dir / "kafka.toml").write_text("version = 9", encoding="utf-8")
    assert "kafka" in keeps.on_compare("kafka", "himeko")
    assert keeps.on_again("kafka")[1:] == [KEEP] * len(keeps.widgets)
