"""A sheet as far as it is drawn: what the runner keeps, and the step Taste shows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from . import texts


@dataclass(frozen=True)
class Tile:
    """One cell that is drawn."""

    number: int
    """From 1, in the order of drawing."""
    lora: Path | None
    weight: float
    prompt: str
    picture: Path
    notes: tuple[str, ...] = ()
    """What it scores, a line a measure."""
    parameters: str = ""
    """Prompt and settings as a WebUI's txt2img reads them."""


@dataclass(frozen=True)
class Tray:
    """A sheet as far as it is drawn."""

    loras: tuple[Path, ...]
    names: tuple[str, ...]
    """Of its rows, one a LoRA."""
    weights: tuple[float, ...]
    prompts: tuple[str, ...]
    tiles: tuple[Tile, ...] = ()
    picked: int = 0
    """The number of the cell that was picked, 0 for none."""

    def tile(self, number: int) -> Tile | None:
        """The cell of a number."""
        return next((it for it in self.tiles if it.number == number), None)

    def at(self, lora: Path | None, weight: float, prompt: str) -> Tile | None:
        """The cell of a place; weight 0 is the base model's in every row."""
        wanted = (None if weight == 0 else lora, weight, prompt)
        return next((it for it in self.tiles if (it.lora, it.weight, it.prompt) == wanted), None)

    def name_of(self, tile: Tile) -> str:
        """A cell as it is spoken of."""
        row = texts.BASE if tile.lora is None else self.names[self.loras.index(tile.lora)]
        return texts.CELL.format(row=row, weight=f"{tile.weight:g}")

    def beside(self, tile: Tile, across: int, down: int) -> Tile | None:
        """The cell next to one, None at the edge and where it is not drawn yet."""
        row = 0 if tile.lora is None else self.loras.index(tile.lora)
        column, row = self.weights.index(tile.weight) + across, row + down
        if not (0 <= column < len(self.weights) and 0 <= row < len(self.loras)):
            return None
        return self.at(self.loras[row], self.weights[column], tile.prompt)
