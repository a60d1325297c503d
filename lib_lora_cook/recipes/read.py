"""A recipe: what is learnt, on which base, with which adapters and optimizer, put together.

Each part is a TOML file whose comments are the reasons. The values are those of the well-known
Civitai guide, and for what it leaves open those of the kohya-colab notebooks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ..config_file import parse_toml
from ..errors import UserError

FOLDER = Path(__file__).parent
LARGE = ("pony", "illustrious", "noobai-vpred")
"""Bases of SDXL's size: their networks, optimizers and cards have files of their own."""
_LINE = re.compile(r"^(\w+) = .*?#\s*(.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Recipe:
    """Settings by kohya's names, and the reason of each."""

    settings: dict[str, Any]
    why: dict[str, str]


@dataclass(frozen=True)
class Choice:
    """What a recipe is put together from; `card` is how many GB the card has, or nothing."""

    kind: str = "character"
    base: str = "sd15"
    network: str = "lora"
    optimizer: str = "adamw8bit"
    card: str = ""


def choices(part: str) -> list[str]:
    """The names that a part of a Choice may have."""
    names = sorted(path.stem for path in (FOLDER / part).glob("*.toml"))
    return [name for name in names if not name.endswith("-xl")]


def read_recipe(choice: Choice) -> Recipe:
    """The parts of a choice, later ones over earlier: base, network, kind, optimizer, card.

    UserError for a part that is not there.
    """
    parts = [("base", choice.base), ("network", choice.network), ("kind", choice.kind),
             ("optimizer", choice.optimizer)]  # fmt: skip
    if choice.card:
        parts.append(("card", choice.card))
    settings: dict[str, Any] = {}
    why: dict[str, str] = {}
    for part, name in parts:
        read, reasons = part_of(part, name, choice.base in LARGE)
        settings |= read
        why |= reasons
    if choice.optimizer == "prodigy":
        settings["network_alpha"] = settings["network_dim"]
        why["network_alpha"] = "as large as the dim: Prodigy finds the scale itself"
    return Recipe(settings, why)


@cache
def part_of(part: str, name: str, large: bool) -> tuple[dict[str, Any], dict[str, str]]:
    """(settings, reasons) of one file; SDXL's own one where there is such."""
    names = [f"{name.lower()}-xl", name.lower()] if large else [name.lower()]
    paths = [FOLDER / part / f"{it}.toml" for it in names if name.lower() in choices(part)]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        known = ", ".join(choices(part))
        raise UserError(f"There is no {part} {name!r}", "the recipe", f"Choose one of {known}.")
    text = path.read_text(encoding="utf-8")
    return parse_toml(text, path), dict(_LINE.findall(text))


def recipe_text(recipe: Recipe, subsets: list[dict[str, Any]], given: dict[str, Any]) -> str:
    """The run file of a recipe, each line with its reason; `given` are the person's own values.

    What a recipe says of captions stands on top, and so holds for every subset.
    """
    lines = ["version = 1", *(f"{key} = {written(value)}" for key, value in given.items())]
    for key, value in recipe.settings.items():
        if key not in given:
            reason = recipe.why.get(key)
            lines.append(f"{key} = {written(value)}" + (f"  # {reason}" if reason else ""))
    for subset in subsets:
        lines += ["", "[[subsets]]", *(f"{key} = {written(it)}" for key, it in subset.items())]
    return "\n".join(lines) + "\n"


def written(value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(written(item) for item in value) + "]"
    return repr(value)
