"""The runs that lie in a folder: a run file and the LoRA files beside it that bear its name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .remembered import read_remembered

SHOWN = 10
"""LoRA files of one run that are chosen for a sheet at first."""


@dataclass(frozen=True)
class Run:
    """One run on disk."""

    name: str
    """Unlike every other run's: the output_name, with its folder where it lies deeper."""
    file: Path
    loras: tuple[Path, ...]
    """By epoch, the last one, which has no number, at the end."""


def scan_runs(folders: Iterable[Path]) -> list[Run]:
    """Every run below the folders that has a LoRA file, the newest first."""
    found: dict[Path, Run] = {}
    for folder in folders:
        for file in folder.rglob("*.toml") if folder.is_dir() else ():
            loras = loras_of(file)
            if loras and file not in found:
                name = file.relative_to(folder).with_suffix("").as_posix()
                found[file] = Run(_unused(name, file, found.values()), file, loras)
    return sorted(found.values(), key=lambda run: _age(run.file), reverse=True)


def known_runs(lora_dir: Path, cache_dir: Path) -> dict[str, Run]:
    """Every run below the host's folder and the last output_dir, by name."""
    last = read_remembered(cache_dir, "training").get("output_dir")
    folders = [lora_dir, *([Path(last)] if isinstance(last, str) and last else [])]
    return {run.name: run for run in scan_runs(folders)}


def lora_names(folder: Path) -> list[str]:
    """The names of all runs' LoRA files as in `<lora:name:weight>`, the newest run's first."""
    return [path.stem for run in scan_runs([folder]) for path in run.loras]


def loras_of(file: Path) -> tuple[Path, ...]:
    """`name-000001.safetensors`, `name-step00000123.safetensors`, ..., `name.safetensors`."""
    numbered = re.compile(re.escape(file.stem) + r"-(\d{6}|step\d{8})")
    beside = sorted(file.parent.glob("*.safetensors"))
    epochs = [path for path in beside if numbered.fullmatch(path.stem)]
    return tuple(epochs + [path for path in beside if path.stem == file.stem])


def spread(loras: tuple[Path, ...], count: int = SHOWN) -> list[Path]:
    """At most `count` of them at even distances, the last one always among them."""
    if len(loras) <= count:
        return list(loras)
    places = {round((at + 1) * len(loras) / count) - 1 for at in range(count)}
    return [loras[place] for place in sorted(places)]


def _unused(name: str, file: Path, others: Iterable[Run]) -> str:
    return f"{name} ({file.parent})" if any(run.name == name for run in others) else name


def _age(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0
