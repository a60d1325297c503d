"""Two axes for the WebUI's own X/Y/Z plot: which epoch of a run, and at which weight."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from modules import scripts

EPOCH, WEIGHT = "[LoRA Cook] Epoch", "[LoRA Cook] Weight"
NONE = "None"
"""The choice of no LoRA at all."""
PLOT = ("xyz_grid.py", "scripts.xyz_grid")
"""What the plot's module is called, by how a WebUI loads its scripts."""
Names = Callable[[], list[str]]
"""LoRA names as in `<lora:name:weight>`, the first to be offered first."""


def add_axes(names: Names) -> None:
    """Add both axes once; nothing where the plot is switched off."""
    loaded = (it for it in scripts.scripts_data if it.script_class.__module__ in PLOT)
    plot = next((it.module for it in loaded), None)
    if plot is None or any(it.label == EPOCH for it in plot.axis_options):
        return
    plot.axis_options += [
        plot.AxisOption(
            EPOCH, str, partial(put_epoch, names), confirm=partial(check_epochs, names), cost=0.5,
            choices=lambda: [NONE, *names()],
        ),
        plot.AxisOption(WEIGHT, float, partial(put_weight, names), cost=0.4),
    ]  # fmt: skip


def put_epoch(names: Names, task: Any, name: str, _: Any) -> None:
    """Make the prompt of one cell name this LoRA, at the weight that stands there or is to come.

    The plot gives each cell a shallow copy of the task, and applies its axes in any order.
    """
    weight = getattr(task, "lora_cook_weight", None)
    tag = "" if name == NONE else f"<lora:{name}:{{}}>"
    task.prompt = named(task.prompt, names(), tag, weight)
    task.lora_cook_epoch = name


def put_weight(names: Names, task: Any, weight: float, _: Any) -> None:
    """Set the weight of the LoRA of ours that the prompt names, now or by the other axis."""
    task.lora_cook_weight = weight
    if found := pattern(names()).search(task.prompt):
        task.prompt = named(task.prompt, names(), f"<lora:{found[1]}:{{}}>", weight)


def named(prompt: str, names: Iterable[str], tag: str, weight: float | None) -> str:
    """The prompt with one tag of ours, in the place of the one that stands there or at its end."""
    ours = pattern(names)
    found = ours.search(prompt)
    given = f"{weight:g}" if weight is not None else (found[2] if found else None) or "1"
    tag = tag.format(given)
    if not found:
        return f"{prompt} {tag}" if tag else prompt
    rest = ours.sub("", prompt[found.end() :])
    return prompt[: found.start()] + tag + rest


def pattern(names: Iterable[str]) -> re.Pattern[str]:
    """Finds the tags of these LoRAs: name, weight."""
    ours = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    return re.compile(rf"<lora:({ours or '(?!)'})(?::([^:>]*)[^>]*)?>")


def check_epochs(names: Names, _: Any, chosen: Iterable[str]) -> None:
    """Refuse names that are none of ours before anything is drawn."""
    known = {NONE, *names()}
    for name in chosen:
        if name not in known:
            raise RuntimeError(f"LoRA Cook has no epoch {name}")
