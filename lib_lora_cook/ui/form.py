"""Dataclass <-> widgets: one widget a setting, its label kohya's name, its help the field's own.

Everything here is plain data; `components.py` makes gradio components of it. Numbers are typed as
text, so that 5e-4 can be written, a setting can be empty, and all mistakes are told at once.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import Field, dataclass, fields
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from ..config import (
    GROUPS,
    SubsetConfig,
    SweepConfig,
    TrainingConfig,
    out_of_bounds,
    settings_of,
)
from ..config_file import config_of
from . import subsets, texts

Kind = Literal[
    "text", "whole", "number", "choice", "tick", "list", "sizes", "numbers", "wholes", "lines"
]
Problem = str

MAIN = (
    "image_dir", "output_name", "pretrained_model_name_or_path", "class_tokens", "num_repeats",
    "max_train_epochs", "train_batch_size", "resolution", "network_type", "network_dim",
    "network_alpha", "unet_lr", "text_encoder_lr", "keep_tokens", "shuffle_caption",
)  # fmt: skip
"""The settings that stand open on the page, in this order."""
SWEEP_MAIN = ("prompts", "weights")
SWEEP_RECIPE: dict[str, Any] = {"seeds": (1, 2)}
"""A pick can be told from its runner-up by several seeds only."""
RECIPE: dict[str, Any] = {
    "max_train_epochs": 10, "unet_lr": 5e-4, "text_encoder_lr": 1e-4, "keep_tokens": 1,
    "shuffle_caption": True, "lr_scheduler": "cosine_with_restarts",
    "lr_scheduler_num_cycles": 3, "min_snr_gamma": 5.0,
}  # fmt: skip
"""What the page proposes where it differs from a run file's defaults."""
_KINDS: dict[Any, Kind] = {
    str: "text", int: "whole", float: "number", bool: "tick", list[str]: "list",
    tuple[int, int]: "sizes", tuple[float, ...]: "numbers", tuple[int, ...]: "wholes",
    tuple[str, ...]: "lines",
}  # fmt: skip


@dataclass(frozen=True)
class Widget:
    """One setting as the page shows it."""

    name: str
    group: str
    kind: Kind
    value: str | bool
    """What it shows at first."""
    help: str
    choices: tuple[str, ...] = ()
    optional: bool = False
    """Whether it may be empty."""
    main: bool = False

    @property
    def elem_id(self) -> str:
        """Its id in the page."""
        return f"lora_cook_{self.name}"


def training_widgets(recipe: Mapping[str, Any] | None = None) -> list[Widget]:
    """A widget for every setting of a run; `recipe` goes over the page's own proposals."""
    values = {**RECIPE, **(recipe or {})}
    groups: dict[str, type[Any]] = {"subset": SubsetConfig, **GROUPS}
    found = [it for group, kind in groups.items() for it in _widgets(group, kind, values, MAIN)]
    places = {name: place for place, name in enumerate(MAIN)}
    return sorted(found, key=lambda it: places.get(it.name, len(places)))


def sweep_widgets(recipe: Mapping[str, Any] | None = None) -> list[Widget]:
    """A widget for every setting of a sheet but its LoRA files, which are chosen from a list."""
    found = _widgets("sweep", SweepConfig, {**SWEEP_RECIPE, **(recipe or {})}, SWEEP_MAIN)
    return [it for it in found if it.name != "loras"]


def _widgets(
    group: str, kind: type[Any], values: Mapping[str, Any], main: tuple[str, ...]
) -> Iterator[Widget]:
    hints, plain = get_type_hints(kind), kind()
    for item in fields(kind):
        value = values.get(item.name, getattr(plain, item.name))
        yield _widget(item, group, hints[item.name], value, item.name in main)


def _widget(item: Field[Any], group: str, hint: Any, value: Any, main: bool) -> Widget:
    inner = [it for it in get_args(hint) if it is not NoneType]
    optional = get_origin(hint) is UnionType
    choices = item.metadata["choices"]
    kind: Kind = "choice" if choices else _KINDS[inner[0] if optional else hint]
    more = texts.MORE_HELP.get(item.name)
    told = item.metadata["help"] + (f"; {more}" if more else "")
    return Widget(item.name, group, kind, shown(value), told, choices, optional, main)


def shown(value: Any) -> str | bool:
    """A setting's value as its widget shows it."""
    if isinstance(value, bool):
        return value
    if value is None:
        return ""
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    if isinstance(value, list):
        return " ".join(shlex.quote(it) if set(it) & set(" \t\n'\"\\") else it for it in value)
    if isinstance(value, tuple):
        if len(value) == 2 and value[0] == value[1] and isinstance(value[0], int):
            return str(value[0])
        mark = "\n" if any(isinstance(it, str) for it in value) else ","
        return mark.join(str(shown(it)) for it in value)
    return str(value)


def values_of(config: TrainingConfig) -> dict[str, str | bool]:
    """What the widgets show for a run; what its subsets have of their own besides, the first's."""
    groups = [getattr(config, group) for group in GROUPS]
    values = {
        name: shown(value)
        for group in [*groups, *config.subsets[:1]]
        for name, _, value in settings_of(group)
    }
    if not config.subsets:
        return values
    each = (subsets.image_dirs(config.subsets), subsets.repeats_text(config.subsets))
    return values | dict(zip(subsets.OF_EACH, each, strict=True))


def read_training(
    values: Mapping[str, Any], folder: Path, widgets: list[Widget] | None = None
) -> tuple[TrainingConfig, list[Problem]]:
    """(the run, all that is wrong) of the widgets' values; paths are taken relative to `folder`."""
    shared = {name: it for name, it in values.items() if name not in subsets.OF_EACH}
    table, problems = read_values(shared, widgets or training_widgets())
    tables, wrong = subsets.subsets_of(values, folder)
    config, more = config_of({**table, "subsets": tables}, folder)
    problems += [*wrong, *plain_names(table)]
    return config, list(dict.fromkeys([*problems, *more]))


def plain_names(table: Mapping[str, Any]) -> list[Problem]:
    """Names that become part of a file name, where they would lead into another folder."""
    bad = {
        name: str(table[name])
        for name in ("output_name", "caption_extension")
        if name in table and set(str(table[name])) & set('/\\:\0*?"<>|')
    }
    if "output_name" in table and str(table["output_name"]).strip(". ") == "":
        bad["output_name"] = str(table["output_name"])
    return [texts.BAD_NAME.format(name=name, value=value) for name, value in bad.items()]


def read_sweep(
    values: Mapping[str, Any], loras: tuple[str, ...], widgets: list[Widget] | None = None
) -> tuple[SweepConfig, list[Problem]]:
    """(the sheet, all that is wrong) of the widgets' values and the chosen LoRA files."""
    table, problems = read_values(values, widgets or sweep_widgets())
    config = SweepConfig(loras=loras, **table)
    told = {"prompts": texts.NO_PROMPTS, "weights": texts.NO_WEIGHTS, "loras": texts.NO_LORAS}
    problems += [text for name, text in told.items() if not getattr(config, name)]
    return config, [*problems, *out_of_bounds(config)]


def read_values(
    values: Mapping[str, Any], widgets: list[Widget]
) -> tuple[dict[str, Any], list[Problem]]:
    """(name -> typed value of what is not empty, what cannot be read)."""
    table: dict[str, Any] = {}
    problems: list[Problem] = []
    for widget in (it for it in widgets if it.name in values):
        raw = values[widget.name]
        empty = raw is None or (isinstance(raw, str) and not raw.strip())
        if empty and (widget.optional or widget.kind in ("list", "lines", "numbers", "wholes")):
            table |= {} if widget.optional else {widget.name: [] if widget.kind == "list" else ()}
            continue
        wanted = texts.WANTED[widget.kind]
        if empty and widget.kind != "text":
            problems.append(texts.IS_EMPTY.format(name=widget.name, wanted=wanted))
            continue
        try:
            table[widget.name] = _read(widget.kind, raw)
        except (TypeError, ValueError):
            problems.append(texts.IS_NOT.format(name=widget.name, value=raw, wanted=wanted))
    return table, problems


def _read(kind: Kind, raw: Any) -> Any:
    """The typed value of a widget's; ValueError where it is none."""
    if kind == "tick":
        return bool(raw)
    text = str("" if raw is None else raw).strip()
    if kind in ("text", "choice"):
        return text
    if kind == "list":
        return shlex.split(text.replace("\n", " "))
    if kind == "lines":
        return tuple(line.strip() for line in text.splitlines() if line.strip())
    if kind == "number":
        return _number(text.replace(",", ".") if text.count(",") == 1 else text)
    parts = [part for part in text.replace("x", ",").replace("×", ",").split(",") if part.strip()]
    if kind == "numbers":
        return tuple(_number(part) for part in parts)
    wholes = tuple(_whole(part) for part in parts)
    if kind == "whole" and len(wholes) == 1:
        return wholes[0]
    if kind == "sizes" and len(wholes) in (1, 2):
        return [wholes[0], wholes[-1]]
    if kind == "wholes":
        return wholes
    raise ValueError


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError
    return value


def _whole(text: str) -> int:
    value = float(text)
    if value != int(value):
        raise ValueError
    return int(text) if text.strip().lstrip("+-").isdigit() else int(value)
