"""The names of a run's files as kohya gives them, and the folders that take them (KOHYA 2.5)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from ..config import SaveConfig

OF_A_RUN = r"(?:-(?P<epoch>\d{6})|-step(?P<step>\d{8}))?\.safetensors"


@dataclass(frozen=True)
class LoraFile:
    """One LoRA file of a run: of an epoch, of a step, or with neither the last one."""

    path: Path
    epoch: int | None = None
    step: int | None = None


def lora_name(name: str, epoch: int, *, last: bool) -> str:
    """kohya's file names: `name-000003.safetensors`, and the last one without its epoch."""
    return f"{name}.safetensors" if last else f"{name}-{epoch:06d}.safetensors"


def step_name(name: str, step: int) -> str:
    """kohya's `name-step00000123.safetensors`."""
    return f"{name}-step{step:08d}.safetensors"


def state_name(name: str) -> str:
    """The file that a resume goes on from."""
    return f"{name}.state"


def scan_loras(folder: Path, name: str) -> Iterator[LoraFile]:
    """The LoRA files of one run in a folder."""
    pattern = re.compile(re.escape(name) + OF_A_RUN)
    for path in sorted(folder.glob("*.safetensors")) if folder.is_dir() else ():
        if match := pattern.fullmatch(path.name):
            yield LoraFile(path, *(int(it) if it else None for it in match.groups()))


def folders_of(save: SaveConfig) -> list[Path]:
    """Where a run's files may lie, the wanted folder first."""
    return [Path(it) for it in (save.output_dir, save.output_dir_fallback) if it]


def is_taken(save: SaveConfig, name: str) -> bool:
    """Whether an earlier run has left files under a name."""
    return any(
        (folder / state_name(name)).exists() or any(scan_loras(folder, name))
        for folder in folders_of(save)
    )


def run_name(save: SaveConfig, resume: bool) -> str:
    """The name of the run's files, so that none of an earlier run's is ever overwritten.

    output_name, or the first of name-2, name-3, ... that is free; on a resume the last of them
    that has a state.
    """
    numbered = (f"{save.output_name}-{n}" if n > 1 else save.output_name for n in count(1))
    taken: list[str] = []
    for name in numbered:
        if not is_taken(save, name):
            break
        taken.append(name)
    stopped = [it for it in taken if find_state(save, it)] if resume else []
    return stopped[-1] if stopped else name


def find_state(save: SaveConfig, name: str) -> Path | None:
    """The newest saved state of a run."""
    found = [folder / state_name(name) for folder in folders_of(save)]
    return max(
        (it for it in found if it.is_file()), key=lambda it: it.stat().st_mtime, default=None
    )


def expired(files: Sequence[LoraFile], save: SaveConfig, every: int, now: LoraFile) -> list[Path]:
    """What kohya drops once `now` is written: epochs and steps that are too old by save_last_*."""
    old: list[Path] = []
    if save.save_last_n_epochs and now.epoch:
        oldest = now.epoch - every * save.save_last_n_epochs
        old += [it.path for it in files if it.epoch and it.epoch <= oldest]
    if save.save_last_n_steps and now.step:
        oldest = now.step - save.save_last_n_steps
        old += [it.path for it in files if it.step and it.step < oldest]
    return old


def epochs_between(save: SaveConfig, epochs: int) -> int:
    """A file every so many epochs, as kohya reads save_n_epoch_ratio; 0: only the last."""
    if save.save_n_epoch_ratio:
        return epochs // save.save_n_epoch_ratio or 1
    return save.save_every_n_epochs


@dataclass(frozen=True)
class Shelf:
    """The folders that a run's files go to: each file into the first one that takes it."""

    folders: Sequence[Path]
    warn: Callable[[str], None]

    def put(self, name: str, write: Callable[[Path], None]) -> Path | None:
        """Where the file is now; None if no folder took it, which is told and no error."""
        for folder in self.folders:
            try:
                write(folder / name)
            except OSError as error:
                why = error.strerror or type(error).__name__
                self.warn(f"{name} could not be written into {folder}: {why}")
                continue
            if folder != self.folders[0]:
                self.warn(f"{name} is in {folder} instead")
            return folder / name
        return None
