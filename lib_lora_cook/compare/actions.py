"""What a click on a cell does: its prompt for txt2img, its epoch kept, the others thrown away."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from ..config import SweepConfig
from ..errors import UserError
from .grid import Cell

TRASH = "lora_cook_trash"
"""The folder beside the LoRA files that keeps those that were thrown away."""


def infotext(cell: Cell, config: SweepConfig, picture: Image.Image | None = None) -> str:
    """Prompt and settings of a cell's first picture as the WebUIs' txt2img pastes them.

    A WebUI writes what it drew a picture with into it, the sampler among it: then that counts.
    """
    worn = f" <lora:{cell.lora.stem}:{cell.weight:g}>" if cell.lora else ""
    written = str(picture.info.get("parameters", "")) if picture else ""
    told = written.rpartition("\n")[2] or settings_line(cell, config)
    return f"{cell.prompt}{worn}\nNegative prompt: {config.negative_prompt}\n{told}"


def settings_line(cell: Cell, config: SweepConfig) -> str:
    """What is known of a cell's settings without a word from the host."""
    facts = {"Steps": config.steps, "CFG scale": f"{config.cfg_scale:g}", "Seed": cell.seeds[0]}
    if config.width and config.height:
        facts["Size"] = f"{config.width}x{config.height}"
    return ", ".join(f"{name}: {value}" for name, value in facts.items())


@dataclass(frozen=True)
class Move:
    """A file that changes its place."""

    before: Path
    after: Path


def plan_keep(lora: Path, others: Sequence[Path]) -> list[Move]:
    """Every other LoRA of a sweep, its card and preview with it, to the trash beside it."""
    moves = []
    for other in others:
        if other == lora:
            continue
        beside = other.parent.glob("*") if other.parent.is_dir() else ()
        for path in sorted(beside):
            if path.is_file() and belongs(path, other):
                moves.append(Move(path, other.parent / TRASH / path.name))
    return moves


def belongs(path: Path, lora: Path) -> bool:
    """Whether a file is a LoRA's own: `a.safetensors`, `a.json`, `a.png`, `a.preview.png`."""
    ends = (".json", ".png", ".preview.png", ".txt", ".civitai.info")
    return path == lora or path.name in {lora.stem + end for end in ends}


def apply_moves(moves: Iterable[Move]) -> list[Move]:
    """Move all or none; returns the moves that take it back. UserError where a name is taken."""
    done: list[Move] = []
    try:
        for move in moves:
            if move.after.exists():
                raise UserError("There is a file of that name", move.after, "Move it away first.")
            move.after.parent.mkdir(parents=True, exist_ok=True)
            move.before.rename(move.after)
            done.insert(0, Move(move.after, move.before))
    except (OSError, UserError):
        for move in done:
            move.before.rename(move.after)
        raise
    return done
