"""The axes for the host's X/Y/Z plot, over a plot that applies them as the real one does."""

from __future__ import annotations

import copy
import importlib
import itertools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.hosts.standins import webui

NAMES = ["toy", "toy-000001"]


@pytest.fixture
def axes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    webui.install_webui(monkeypatch, tmp_path, lambda *any: None)
    return importlib.import_module("lib_lora_cook.hosts.axes")


def plot(module: str = "xyz_grid.py") -> Any:
    """scripts/xyz_grid.py, found as a host lists its scripts."""

    class AxisOption:
        def __init__(self, label: str, type: Any, apply: Any, **more: Any) -> None:
            self.label, self.type, self.apply = label, type, apply
            self.cost, self.choices = more.get("cost", 0.0), more.get("choices")
            self.confirm = more.get("confirm")

    found = SimpleNamespace(axis_options=[AxisOption("Seed", int, None)], AxisOption=AxisOption)
    script = type("Script", (), {"__module__": module})
    return SimpleNamespace(module=found, script_class=script)


def drawn(options: list[Any], prompt: str, *values: list[Any]) -> list[str]:
    """The prompt of every cell: a shallow copy of the task, each axis applied in turn."""
    task, prompts = SimpleNamespace(prompt=prompt), []
    for cell in itertools.product(*values):
        one = copy.copy(task)
        for option, value, every in zip(options, cell, values, strict=True):
            option.apply(one, option.type(value), every)
        prompts.append(one.prompt)
    assert vars(task) == {"prompt": prompt}
    return prompts


@pytest.mark.parametrize("module", ["xyz_grid.py", "scripts.xyz_grid"])
def test_both_axes_are_added_once(axes: Any, module: str) -> None:
    there = plot(module)
    axes.scripts.scripts_data.append(there)
    for _ in range(2):
        axes.add_axes(lambda: NAMES)
    epoch, weight = there.module.axis_options[1:]
    assert (epoch.label, weight.label) == ("[LoRA Cook] Epoch", "[LoRA Cook] Weight")
    assert epoch.choices() == ["None", "toy", "toy-000001"]
    assert epoch.cost > weight.cost > 0
    epoch.confirm(None, ["None", "toy"])
    with pytest.raises(RuntimeError, match="no epoch other"):
        epoch.confirm(None, ["other"])


def test_a_host_without_the_plot_is_left_alone(axes: Any) -> None:
    axes.scripts.scripts_data.append(plot("another.py"))
    axes.add_axes(lambda: NAMES)
    assert len(axes.scripts.scripts_data[0].module.axis_options) == 1


def both(axes: Any) -> list[Any]:
    there = plot()
    axes.scripts.scripts_data[:] = [there]
    axes.add_axes(lambda: NAMES)
    return there.module.axis_options[1:]


@pytest.mark.parametrize("prompt", ["a girl", "a girl <lora:other:0.5>"])
def test_the_order_of_the_axes_does_not_matter(axes: Any, prompt: str) -> None:
    epoch, weight = both(axes)
    names, weights = ["toy", "toy-000001"], [0.5, 1.0]
    across = drawn([epoch, weight], prompt, names, weights)
    down = drawn([weight, epoch], prompt, weights, names)
    assert across == [down[0], down[2], down[1], down[3]]
    assert across[0] == f"{prompt} <lora:toy:0.5>"
    assert across[3] == f"{prompt} <lora:toy-000001:1>"


def test_one_axis_alone_changes_what_the_prompt_names(axes: Any) -> None:
    epoch, weight = both(axes)
    assert drawn([epoch], "a", ["toy", "None"]) == ["a <lora:toy:1>", "a"]
    assert drawn([epoch], "a <lora:toy:.3> b", ["toy-000001"]) == ["a <lora:toy-000001:.3> b"]
    assert drawn([epoch], "a <lora:toy:.3> b", ["None"]) == ["a  b"]
    assert drawn([weight], "a <lora:toy-000001:.3> b", ["0.7"]) == ["a <lora:toy-000001:0.7> b"]
    assert drawn([weight], "a <lora:other:.3>", [0.7]) == ["a <lora:other:.3>"]
    assert drawn([weight, epoch], "a <lora:toy:.3>", [0.7], ["None"]) == ["a "]
