"""What a press on a cell of the sheet does: open it, lay two over each other, keep an epoch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from ...compare.actions import TRASH, Move, apply_moves, plan_keep
from ...errors import UserError
from .. import runs, show, texts
from ..bench import Bench
from ..runner import short_home
from ..said import press, read_said
from ..step import Updates
from ..tray import Tile, Tray
from .sheet import CHANNEL, loupe

KEEP: dict[str, Any] = gr.update()


@dataclass(frozen=True)
class SheetHandlers:
    """The sheet's events."""

    bench: Bench

    def tray(self) -> Tray | None:
        """The sheet that the page shows."""
        return self.bench.runner.tray()

    def on_said(self, text: str, under: int, taken: list[Move]) -> Updates:
        """The large cell, a sentence, the cell that another is to be laid over, what was moved,
        then the run and its files."""
        said, tray = read_said(text), self.tray()
        tile = tray.tile(said.number("cell")) if tray else None
        if tray is None or tile is None or said.act == "close":
            return ["", "", 0, taken, KEEP, KEEP]
        if said.act in ("keep", "back"):
            moves = plan_keep(tile.lora, tray.loras) if said.act == "keep" and tile.lora else taken
            return self._move(tray, tile, moves)
        if said.act == "under":
            told = show.note(texts.PRESS_OTHER.format(cell=tray.name_of(tile)))
            return ["", told, tile.number, taken, KEEP, KEEP]
        below = tray.tile(under) if under != tile.number else None
        return [loupe(tray, tile, below, self.bench.small_copies), "", 0, taken, KEEP, KEEP]

    def _move(self, tray: Tray, tile: Tile, moves: list[Move]) -> Updates:
        """Throw the other epochs away, or bring them back."""
        if self.bench.busy:
            return ["", show.problems([f"{texts.BUSY}. {texts.BUSY_TO_DO}"]), 0, moves, KEEP, KEEP]
        try:
            back = apply_moves(moves or [])
        except (UserError, OSError) as error:
            return ["", show.problems([short_home(str(error))]), 0, moves, KEEP, KEEP]
        host = self.bench.host
        host.refresh_loras()
        gone = sum(move.before.parent.name == TRASH and is_lora(move.before) for move in back)
        told = show.note(texts.TAKEN_BACK)
        if gone:
            name = tile.lora.stem if tile.lora else ""
            told = show.note(texts.EPOCH_KEPT.format(name=name, count=gone))
            told += press(CHANNEL, "back", texts.TAKE_BACK, cell=tile.number)
        found = runs.known_runs(host.lora_dir, host.cache_dir).values()
        run = next((it for it in found if tile.lora in it.loras), None)
        if run is None:
            return ["", told, 0, back, KEEP, KEEP]
        files = gr.update(
            choices=[it.name for it in run.loras], value=[it.name for it in runs.spread(run.loras)]
        )
        return ["", told, 0, back, run.name, files]


def is_lora(path: Path) -> bool:
    """Whether a file is a LoRA rather than its card or picture."""
    return path.suffix == ".safetensors"
