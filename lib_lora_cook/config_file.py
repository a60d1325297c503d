"""Run files: TOML with kohya's names, flat, `version = 1` on top, subsets as a list of tables."""

from __future__ import annotations

import difflib
import importlib
import re
from collections.abc import Callable, Iterable
from dataclasses import fields
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

import toml

from .config import (
    GROUPS,
    REFUSED,
    SaveConfig,
    SubsetConfig,
    TrainingConfig,
    out_of_bounds,
    settings_of,
)
from .config.spellings import SPELT, respelt
from .errors import UserError

VERSION = 1
PATHS = {
    "pretrained_model_name_or_path", "output_dir", "output_dir_fallback", "network_weights",
    "image_dir", "conditioning_data_dir", "vae",
}  # fmt: skip
"""Settings that are paths relative to the run file."""
_WINDOWS_PATH = re.compile(r'(?<=")(?:[A-Za-z]:|\.{1,2}|\\)(?:\\(?!\\)[^"\\\n]+)+(?=")')
GROUP_OF = {item.name: group for group, kind in GROUPS.items() for item in fields(kind)}
SUBSET_KEYS = {item.name for item in fields(SubsetConfig)}
Problem = str


def read_run(path: Path) -> TrainingConfig:
    """The run that a file describes; UserError with all that is wrong with it, in one line."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"The run file cannot be read ({error})", str(path), "Check its name and its encoding."
        ) from None
    config, problems = config_of(parse_toml(text, path), path.resolve().parent)
    if problems:
        raise UserError("; ".join(problems), str(path), "Correct the file and run it again.")
    return config


def parse_toml(text: str, where: Path | str, lines_before: int = 0) -> dict[str, Any]:
    """A TOML text as a table; UserError with line and column where it is none.

    Windows paths in double quotes are taken as they are meant: to TOML, their backslashes begin
    escapes.
    """
    text = _WINDOWS_PATH.sub(lambda match: match[0].replace("\\", "\\\\"), text)
    try:
        table: dict[str, Any] = _reader().loads(text)
    except (ValueError, IndexError, TypeError) as error:
        place = re.search(r"line (\d+),? column (\d+)", str(error))
        what = re.sub(r"\s*\((at|line) .*", "", str(error))
        line, column = map(int, place.groups()) if place else end_of(text)
        what = f"line {line + lines_before}, column {column}: {what}"
        raise UserError(f"This is not TOML ({what})", where, "Correct that line.") from None
    return table


def end_of(text: str) -> tuple[int, int]:
    """Line and column behind the last character, both from 1."""
    return text.count("\n") + 1, len(text) - text.rfind("\n")


def _reader() -> Any:
    """Python's own reader where there is one, from 3.11 on: toml's refuses mixed lists."""
    try:
        return importlib.import_module("tomllib")
    except ModuleNotFoundError:
        return toml


def config_of(table: dict[str, Any], folder: Path) -> tuple[TrainingConfig, list[Problem]]:
    """(the run, what is wrong) of a parsed file; paths are taken relative to `folder`.

    A subset's setting at the top level holds for every subset, as in kohya's dataset files.
    """
    table = respelt(table)
    problems: list[Problem] = []
    version = table.pop("version", VERSION)
    if version != VERSION:
        problems.append(f"version is {version!r}, and this program knows {VERSION}")
    subsets = table.pop("subsets", [])
    if not isinstance(subsets, list) or not all(isinstance(it, dict) for it in subsets):
        return TrainingConfig(), [*problems, "subsets must be tables: [[subsets]]"]
    shared = {key: table.pop(key) for key in list(table) if key in SUBSET_KEYS}
    table.setdefault("output_dir", SaveConfig().output_dir)  # beside the run file, too
    values: dict[str, dict[str, Any]] = {group: {} for group in GROUPS}
    for key, value in table.items():
        if key not in GROUP_OF:
            problems.append(_unknown(key, (*GROUP_OF, *SPELT, *SUBSET_KEYS, "subsets")))
            continue
        group = GROUP_OF[key]
        values[group][key] = _read(GROUPS[group], key, value, folder, problems)
    made = {group: kind(**_given(values[group])) for group, kind in GROUPS.items()}
    read = tuple(
        _subset({**shared, **subset}, index, folder, problems)
        for index, subset in enumerate(subsets, 1)
    )
    config = TrainingConfig(subsets=read, **made)
    return config, problems + wrong_values(config)


def _subset(
    table: dict[str, Any], index: int, folder: Path, problems: list[Problem]
) -> SubsetConfig:
    found: list[Problem] = []
    found += [_unknown(key, SUBSET_KEYS) for key in table if key not in SUBSET_KEYS]
    values = {
        key: _read(SubsetConfig, key, value, folder, found)
        for key, value in table.items() if key in SUBSET_KEYS
    }  # fmt: skip
    problems += [f"subset {index}: {problem}" for problem in found]
    return SubsetConfig(**_given(values))


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not NotImplemented}


def _unknown(key: str, known: Iterable[str]) -> Problem:
    if key in REFUSED:
        return f"{key} is not a setting here: {REFUSED[key]}"
    near = difflib.get_close_matches(key, list(known), 1, 0.5)
    hint = f", did you mean {near[0]}?" if near else ""
    return f"{key} is not a setting{hint}"


def _read(kind: type[Any], key: str, value: Any, folder: Path, problems: list[Problem]) -> Any:
    """The value in the setting's own type, or NotImplemented and a problem."""
    wanted = get_type_hints(kind)[key]
    try:
        read = _convert(wanted, value)
    except (TypeError, ValueError):
        problems.append(f"{key} is {value!r}, and should be {_spoken(wanted)}")
        return NotImplemented
    if key in PATHS and read and read != "host":
        return str(folder / Path(read).expanduser())
    if key == "sample_prompts":
        return tuple(str(folder / it) if it.endswith(".txt") else it for it in read)
    return read


def _convert(wanted: Any, value: Any) -> Any:
    options = get_args(wanted)
    if get_origin(wanted) is UnionType:
        return _convert(next(it for it in options if it is not NoneType), value)
    if wanted == tuple[str, ...]:
        texts = [value] if isinstance(value, str) else value
        if not isinstance(texts, (list, tuple)):
            raise TypeError
        return tuple(_convert(str, text) for text in texts)
    if get_origin(wanted) is tuple:
        sides = [value, value] if isinstance(value, int) else value
        if isinstance(value, str):
            sides = [int(side) for side in value.split(",")]
        width, height = sides * 2 if len(sides) == 1 else sides
        return _convert(int, width), _convert(int, height)
    if get_origin(wanted) is list:
        if not isinstance(value, list):
            raise TypeError
        return [_convert(options[0], item) for item in value]
    if wanted is float and type(value) is int:
        return float(value)
    if type(value) is not wanted:
        raise TypeError
    return value


def _spoken(wanted: Any) -> str:
    options = [it for it in get_args(wanted) if it is not NoneType]
    if get_origin(wanted) is UnionType:
        return _spoken(options[0])
    if wanted == tuple[str, ...]:
        return "a text or a list of texts in brackets"
    if get_origin(wanted) is tuple:
        return "a number or [width, height]"
    if get_origin(wanted) is list:
        return "a list of texts in brackets"
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
    return names[wanted]


def wrong_values(config: TrainingConfig) -> list[Problem]:
    """Every value of a run outside its bounds or choices."""
    groups = [*(getattr(config, group) for group in GROUPS), *config.subsets]
    return [problem for group in groups for problem in out_of_bounds(group)]


def run_text(config: TrainingConfig) -> str:
    """The run as TOML: every setting that has a value, in the order of `config.py`."""
    table: dict[str, Any] = {"version": VERSION}
    for group in GROUPS:
        table |= _table(getattr(config, group))
    table["subsets"] = [_table(subset) for subset in config.subsets]
    return toml.dumps(table)


def _table(group: Any) -> dict[str, Any]:
    plain: Callable[[Any], Any] = lambda it: list(it) if isinstance(it, tuple) else it  # noqa: E731
    return {name: plain(value) for name, _, value in settings_of(group) if value is not None}
