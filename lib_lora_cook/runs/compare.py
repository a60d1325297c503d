"""Two runs side by side, and a run again with something changed."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from ..config import GROUPS, TrainingConfig, settings_of
from ..config_file import GROUP_OF, SUBSET_KEYS, config_of
from ..errors import UserError

_NOWHERE = Path()
Difference = tuple[str, Any, Any]
"""A setting, its value in the one run and in the other."""


def differences(one: TrainingConfig, other: TrainingConfig) -> list[Difference]:
    """Every setting that two runs do not share, in the order of the run file."""
    found: list[Difference] = []
    for group in GROUPS:
        for name, _, value in settings_of(getattr(one, group)):
            theirs = getattr(getattr(other, group), name)
            if value != theirs:
                found.append((name, value, theirs))
    longest = max(len(one.subsets), len(other.subsets))
    for index in range(longest):
        mine = one.subsets[index] if index < len(one.subsets) else None
        theirs = other.subsets[index] if index < len(other.subsets) else None
        if mine is None or theirs is None:
            folders = [it.image_dir if it else None for it in (mine, theirs)]
            found.append((f"subsets[{index + 1}]", folders[0], folders[1]))
            continue
        for item in fields(mine):
            values = getattr(mine, item.name), getattr(theirs, item.name)
            if values[0] != values[1]:
                found.append((f"subsets[{index + 1}].{item.name}", *values))
    return found


def changed(config: TrainingConfig, changes: dict[str, Any]) -> TrainingConfig:
    """The run with some settings otherwise; a subset's setting is changed in every subset.

    UserError with all that is wrong with the changes.
    """
    flat = {key: value for key, value in changes.items() if key not in SUBSET_KEYS}
    each = {key: value for key, value in changes.items() if key in SUBSET_KEYS}
    read, problems = config_of({**flat, "subsets": [each] if each else []}, _NOWHERE)
    if problems:
        raise UserError("; ".join(problems), "the changes", "Correct them.")
    for key in flat:
        group = GROUP_OF[key]
        value = getattr(getattr(read, group), key)
        config = replace(config, **{group: replace(getattr(config, group), **{key: value})})
    if each:
        values = {key: getattr(read.subsets[0], key) for key in each}
        config = replace(config, subsets=tuple(replace(it, **values) for it in config.subsets))
    return config
