"""Which settings the page proposes: a recipe's, or those of another trainer's file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..config_file import config_of
from ..formats.read import read_foreign
from ..recipes.read import Choice, choices, read_recipe
from . import texts
from .form import Widget, shown, values_of
from .show import plain
from .subsets import differing

PARTS = ("kind", "base", "network", "optimizer", "card")
OWN = (
    "image_dir", "output_name", "output_dir", "class_tokens", "num_repeats", "max_train_epochs",
    "pretrained_model_name_or_path", "sample_prompts",
)  # fmt: skip
"""Settings that belong to a dataset or a person, and that no recipe changes."""


def choices_of(part: str) -> list[str]:
    """The names of one part of a recipe; of the base also what the page opens with."""
    first = {"base": [texts.AS_OPENED], "card": [texts.ANY_CARD]}
    return [
        *first.get(part, []),
        *(sorted(choices(part), key=len) if part == "card" else choices(part)),
    ]


def choice_of(parts: Sequence[str]) -> Choice:
    """The recipe of these parts, in the order of PARTS."""
    kind, base, network, optimizer, card = parts
    return Choice(kind, base, network, optimizer, "" if card == texts.ANY_CARD else card)


def proposed(widgets: Sequence[Widget], parts: Sequence[str]) -> dict[str, str | bool]:
    """Setting -> what its widget shows by the recipe; UserError for a part that is not there."""
    values = {it.name: it.value for it in widgets if it.name not in OWN}
    if parts[1] == texts.AS_OPENED:
        return values
    settings = read_recipe(choice_of(parts)).settings
    return values | {name: shown(it) for name, it in settings.items() if name in values}


def reasons(parts: Sequence[str]) -> dict[str, str]:
    """Setting -> why the recipe has it so."""
    return {} if parts[1] == texts.AS_OPENED else read_recipe(choice_of(parts)).why


def basis(values: Mapping[str, str | bool]) -> str:
    """The proposed values where the page's script finds them, to mark what differs."""
    told = plain(json.dumps(dict(values)))
    return f'<i data-basis="{told}" data-put-back="{plain(texts.PUT_BACK)}"></i>'


def imported(path: Path) -> tuple[dict[str, str | bool], list[str]]:
    """(setting -> shown value, what this program does not have) of another trainer's file.

    UserError where it is none.
    """
    foreign = read_foreign(path)
    config, problems = config_of(foreign.table, path.resolve().parent)
    told = [texts.NOT_HERE.format(name=name) for name in foreign.unknown]
    return values_of(config), [*told, *differing(config.subsets), *problems]
