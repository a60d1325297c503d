"""A whole sweep: cells drawn, scored, laid out, and one of them picked."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from PIL import Image

from ..config import ModelConfig, SweepConfig
from ..hosts.base import Host
from ..jobs import Cancelled, Job
from ..networks.card import note_pick
from .actions import infotext
from .grid import Cell, epoch_of
from .judge import Judge, Wanted
from .pick import Pick, name_of, pick_cell
from .render import Sheet, draw_sheet, mosaic, render_cells, save_sheet
from .score import Score

__all__ = [
    "Sweep", "Wanted", "cell_path", "growing_sweep", "keep_as_grid", "lay_out", "note_on_card",
    "run_sweep", "write_sweep",
]  # fmt: skip


@dataclass
class Sweep:
    """What a sweep found, as far as it went."""

    cells: list[tuple[Cell, Score | None]] = field(default_factory=list)
    mosaics: dict[Cell, Image.Image] = field(default_factory=dict)
    previews: dict[Cell, Image.Image] = field(default_factory=dict)
    """The first picture of each cell as it was drawn."""
    pick: Pick | None = None
    stopped: str | None = None
    """Why it ended before its last cell, or None."""


def run_sweep(
    config: SweepConfig, model: ModelConfig, host: Host, wanted: Wanted | None, job: Job
) -> Sweep:
    """Draw every cell and, if tags are wanted, score each and pick one."""
    *_, sweep = growing_sweep(config, model, host, wanted, job)
    return sweep


def growing_sweep(
    config: SweepConfig, model: ModelConfig, host: Host, wanted: Wanted | None, job: Job
) -> Iterator[Sweep]:
    """One sweep, yielded after each cell and once more with its pick; a stop keeps its cells."""
    sweep, judge = Sweep(), Judge(wanted) if wanted else None
    try:
        for cell, pictures in render_cells(config, model, host, job):
            sweep.cells.append((cell, judge.score(cell, pictures) if judge else None))
            sweep.mosaics[cell], sweep.previews[cell] = mosaic(pictures), pictures[0]
            yield sweep
    except Cancelled:
        if not sweep.cells:
            raise
        sweep.stopped = "cancelled"
    scored = [(cell, score) for cell, score in sweep.cells if score]
    if any(cell.lora for cell, _ in scored):
        sweep.pick = pick_cell(scored)
    yield sweep


def lay_out(sweep: Sweep, config: SweepConfig, title: str) -> Sheet:
    """One row a LoRA, one column a weight and prompt; weight 0 stands in every row."""
    sheet = Sheet(rows=row_names(config.loras), title=title)
    places = [(prompt, weight) for prompt in config.prompts for weight in config.weights]
    several = len(config.prompts) > 1
    for index, (prompt, weight) in enumerate(places):
        name = f"weight {weight:g}"
        sheet.columns.append(f"{name}: {prompt[:24]}" if several else name)
        for cell, score in sweep.cells:
            if (cell.prompt, cell.weight) != (prompt, weight):
                continue
            row = epoch_of(cell.lora, config.loras) - 1
            for at in range(len(sheet.rows)) if cell.lora is None else (row,):
                sheet.pictures[at, index] = sweep.mosaics[cell]
                sheet.notes[at, index] = note_of(score)
            if sweep.pick and cell == sweep.pick.cell:
                sheet.marked = (row, index)
    return sheet


def note_of(score: Score | None) -> str:
    """What stands below a cell: a line a measure, with its spread over the seeds."""
    if not score:
        return ""
    short = {"tag_recall": "tags", "copy_risk": "copy"}
    return "\n".join(
        f"{short.get(name, name)} {it.value:.2f}" + (f"±{it.spread:.2f}" if it.spread else "")
        for name, it in score.measures.items()
    )


def row_names(loras: Sequence[str]) -> list[str]:
    """Names for rows: `epoch 3` of the files of one run, else the files' own names."""
    stems = [Path(lora).stem for lora in loras]
    epochs = [re.fullmatch(r"(.+)-(\d{6})", stem) for stem in stems]
    runs = {match[1] if match else stem for match, stem in zip(epochs, stems, strict=True)}
    if len(runs) > 1:
        return stems
    return [f"epoch {int(it[2])}" if it else "last epoch" for it in epochs] or ["base"]


def write_sweep(sweep: Sweep, config: SweepConfig, folder: Path, title: str) -> Path:
    """The labelled sheet, and each cell's pictures, as PNG files with their settings inside.

    Pasted into txt2img the sheet gives the pick, or its first cell with a LoRA.
    """
    for index in range(1, len(sweep.cells) + 1):
        write_cell(sweep, config, index, folder)
    cells = [cell for cell, _ in sweep.cells]
    shown = sweep.pick.cell if sweep.pick else next((it for it in cells if it.lora), cells[0])
    told = infotext(shown, config, sweep.previews[shown])
    facts = {"lora_cook": json.dumps(asdict(config)), "parameters": told}
    path = folder / "sheet.png"
    save_sheet(draw_sheet(lay_out(sweep, config, title)), path, facts)
    return path


def keep_as_grid(sheet: Path, host: Host) -> Path | None:
    """A written sheet once more, as the host saves its grids; None where it saves none."""
    with Image.open(sheet) as image:
        image.load()
        return host.save_grid(image.convert("RGB"), image.info["parameters"])


def note_on_card(sweep: Sweep) -> None:
    """Lay the pick of a whole sheet on the card of its file; see `networks.card.note_pick`."""
    pick = sweep.pick
    if pick is None or pick.cell.lora is None or sweep.stopped:
        return
    stream = io.BytesIO()
    sweep.previews[pick.cell].save(stream, format="PNG")
    rival = name_of(pick.runner_up) if pick.runner_up and not pick.sure else ""
    note_pick(pick.cell.lora, pick.cell.weight, stream.getvalue(), rival)


def write_cell(sweep: Sweep, config: SweepConfig, index: int, folder: Path) -> Path:
    """The pictures of the cell at place `index`, from 1, as a PNG with its settings inside."""
    cell, _ = sweep.cells[index - 1]
    facts = {
        "lora": str(cell.lora or ""), "weight": f"{cell.weight:g}", "prompt": cell.prompt,
        "parameters": infotext(cell, config, sweep.previews[cell]),
    }  # fmt: skip
    path = cell_path(folder, index)
    save_sheet(sweep.mosaics[cell], path, facts)
    return path


def cell_path(folder: Path, index: int) -> Path:
    """Where the pictures of the cell at place `index`, from 1, are kept."""
    return folder / "cells" / f"{index:03d}.png"
