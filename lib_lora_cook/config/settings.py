"""How a setting is declared, and what of a group is outside its bounds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import Field, field, fields
from typing import Any


def setting(default: Any, help: str, *, choices: tuple[str, ...] = (), low: float | None = None,
            high: float | None = None) -> Any:  # fmt: skip
    """A dataclass field with its help line, its choices and its inclusive bounds."""
    metadata = {"help": help, "choices": choices, "low": low, "high": high}
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def settings_of(config: Any) -> Iterator[tuple[str, Field[Any], Any]]:
    """(name, field, value) of every setting of one group."""
    for item in fields(config):
        yield item.name, item, getattr(config, item.name)


def out_of_bounds(config: Any) -> list[str]:
    """What of one group is outside the choices and bounds that its settings declare."""
    wrong = []
    for name, item, value in settings_of(config):
        choices, low, high = (item.metadata[key] for key in ("choices", "low", "high"))
        if choices and value not in choices:
            wrong.append(f"{name} is {value!r}: choose one of {', '.join(choices)}")
        for number in value if isinstance(value, tuple) else (value,):
            if isinstance(number, bool) or not isinstance(number, (int, float)):
                continue
            if not math.isfinite(number):
                wrong.append(f"{name} is {number}: give a number")
            elif low is not None and number < low:
                wrong.append(f"{name} is {number}: give {low} or more")
            elif high is not None and number > high:
                wrong.append(f"{name} is {number}: give {high} or less")
    return wrong
