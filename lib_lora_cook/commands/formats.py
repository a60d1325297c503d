"""`import` and `export`: other trainers' files in, a run for sd-scripts out."""

from __future__ import annotations

import argparse
import itertools
import os
from pathlib import Path, PureWindowsPath
from typing import Any

import toml

from .. import config_file
from ..errors import UserError
from ..jobs import ConsoleJob
from .base import Verbs, add_verb


def add_verbs(verbs: Verbs) -> None:
    """Both of them."""
    parser = add_verb(
        verbs, "import", import_run, "Another trainer's file as a run file.",
        "lora-cook import kohya_config.toml --out run.toml",
    )  # fmt: skip
    parser.add_argument("file", type=Path, metavar="FILE", help="TOML, JSON, a cell, or a LoRA")
    parser.add_argument("--out", type=Path, required=True, metavar="RUN.toml", help="the run file")
    parser.set_defaults(tell=tell_imported)
    parser = add_verb(
        verbs, "export", export_run, "A run for another trainer.",
        "lora-cook export run.toml --to kohya --out kafka_kohya",
    )  # fmt: skip
    parser.add_argument("run", type=Path, metavar="RUN.toml", help="the run file")
    parser.add_argument("--to", choices=("kohya",), default="kohya", help="sd-scripts")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="a folder")
    parser.add_argument(
        "--sdxl", action=argparse.BooleanOptionalAction, default=None,
        help="the checkpoint is an SDXL one; by the resolution if left out",
    )  # fmt: skip
    parser.set_defaults(tell=tell_exported)


def import_run(options: argparse.Namespace, job: ConsoleJob) -> dict[str, Any]:
    """Write the run file, and name all of the foreign file that it cannot say."""
    from ..cook import problems_of
    from ..formats.read import read_foreign

    translated = read_foreign(options.file)
    folder = options.file.resolve().parent
    table = with_paths(translated.table, folder)
    config, problems = config_file.config_of(table, options.out.resolve().parent)
    problems += [it for it in problems_of(config) if it not in problems]
    unknown = translated.unknown + [
        f"optimizer_type = {config.optimizer.optimizer_type}"
        for problem in problems if problem.startswith("No such optimizer")
    ]  # fmt: skip
    for name in unknown:
        job.log(f"not here: {name}")
    for problem in problems:
        job.log(f"to be set: {problem}")
    write_new(options.out, toml.dumps(table))
    return {
        "run": str(options.out), "unknown": unknown,
        "not_needed": translated.not_needed, "problems": problems,
    }  # fmt: skip


def with_paths(table: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The paths that lead from the foreign file's own folder, made whole; others stay as said."""

    def whole(one: dict[str, Any]) -> dict[str, Any]:
        return {key: there(value) if key in config_file.PATHS else value
                for key, value in one.items()}  # fmt: skip

    def there(value: str) -> str:
        if PureWindowsPath(value).is_absolute() or os.path.isabs(value):
            return value
        path = folder / value.replace("\\", "/")
        return str(path) if path.exists() else value

    return {**whole(table), "subsets": [whole(subset) for subset in table["subsets"]]}


def write_new(path: Path, text: str) -> None:
    """Write a file, and keep one that was there under another name; UserError if it cannot be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.read_bytes() != text.encode():
            path.rename(first_free(path))
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(
            f"This cannot be written ({error.strerror})", path, "Choose another place."
        ) from None


def first_free(path: Path) -> Path:
    """`run.toml.1`, or the next number that no file has."""
    names = (path.with_name(f"{path.name}.{number}") for number in itertools.count(1))
    return next(name for name in names if not name.exists())


def export_run(options: argparse.Namespace, job: ConsoleJob) -> dict[str, Any]:
    """Write sd-scripts' files into a folder."""
    from ..formats import export

    exported = export.export_run(config_file.read_run(options.run), sdxl=options.sdxl)
    for name, text in exported.files.items():
        write_new(options.out / name, text)
    for name in exported.unknown:
        job.log(f"sd-scripts does not have: {name}")
    files = [str(options.out / name) for name in exported.files]
    return {"files": files, "command": exported.command, "unknown": exported.unknown}


def tell_imported(result: dict[str, Any]) -> str:
    """What was written, and what was left out, for a person."""
    missing = ", ".join(result["unknown"]) or "nothing"
    return f"The run file: {result['run']}\nNot taken over: {missing}"


def tell_exported(result: dict[str, Any]) -> str:
    """The files, and the command that trains them."""
    return "\n".join([*result["files"], f"Run in sd-scripts' folder: {result['command']}"])
