"""A sheet on the page: its cells as they are drawn, one large, two laid over each other.

Pictures stand in the page as data; their prompts and scores as text.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...dataset.thumbnails import read_thumbnail
from ...errors import UserError
from .. import texts
from ..pictures import data_uri
from ..said import press
from ..show import note, plain
from ..tray import Tile, Tray

SIDE, LARGE = 128, 1024
"""Pixels of a cell's longest side, and of one that is opened."""
CHANNEL = "sheet"


def tray_html(tray: Tray | None, cache: Path) -> str:
    """A table a prompt: a row a LoRA, a column a weight."""
    if tray is None or not tray.tiles:
        return ""
    tables = "".join(_table(tray, prompt, cache) for prompt in tray.prompts)
    return f'<div class="lora_cook_sheets">{tables}{note(texts.SHEET_KEYS)}</div>'


def _table(tray: Tray, prompt: str, cache: Path) -> str:
    names = [f"{weight:g}" if weight else plain(texts.BASE) for weight in tray.weights]
    heads = "".join(f'<th scope="col">{name}</th>' for name in names)
    rows = []
    for place, (lora, name) in enumerate(zip(tray.loras, tray.names, strict=True)):
        cells = []
        for weight in tray.weights:
            if weight == 0 and place:
                continue  # the base model's stands beside all rows
            span = f' rowspan="{len(tray.loras)}"' if weight == 0 else ""
            cells.append(f"<td{span}>{_cell(tray, tray.at(lora, weight, prompt), cache)}</td>")
        rows.append(f'<tr><th scope="row">{plain(name)}</th>{"".join(cells)}</tr>')
    return (
        f'<div class="lora_cook_scroll" tabindex="0" role="region" aria-label="{plain(prompt)}">'
        '<table class="lora_cook_sheet">'
        f"<caption>{plain(prompt)}</caption><thead><tr><td></td>{heads}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _cell(tray: Tray, tile: Tile | None, cache: Path) -> str:
    if tile is None:
        return ""
    try:
        picture = data_uri(read_thumbnail(tile.picture, cache, SIDE)[0])
    except UserError:
        return ""
    told = "".join(f"<small>{plain(it)}</small>" for it in tile.notes)
    picked = tile.number == tray.picked
    told += f"<strong>{plain(texts.PICKED)}</strong>" if picked else ""
    return (
        f'<button type="button" class="lora_cook_cell{" lora_cook_picked" if picked else ""}" '
        f'data-say="{CHANNEL}" data-act="open" data-cell="{tile.number}" '
        f'aria-label="{plain(tray.name_of(tile))}"><img src="{picture}" alt="">{told}</button>'
    )


def loupe(tray: Tray, tile: Tile, under: Tile | None, cache: Path) -> str:
    """One cell large with what can be done with it, or laid over another one."""
    try:
        pictures = [
            f'<img src="{data_uri(read_thumbnail(it.picture, cache, LARGE)[0])}" '
            f'alt="{plain(tray.name_of(it))}">'
            for it in (tile, under) if it
        ]  # fmt: skip
    except UserError as error:
        return note(error.what)
    name = tray.name_of(tile)
    head = texts.OVER.format(one=name, other=tray.name_of(under)) if under else name
    slide = f'<input type="range" min="0" max="100" value="50" aria-label="{plain(texts.SLIDE)}">'
    told = "".join(note(it) for it in (tile.prompt, ", ".join(tile.notes)))
    return (
        '<div class="lora_cook_zoom lora_cook_loupe" role="dialog" aria-modal="true" '
        f'tabindex="-1" aria-label="{plain(head)}"><strong>{plain(head)}</strong>'
        f'<div class="lora_cook_over">{"".join(reversed(pictures))}</div>'
        f"{slide if under else ''}{told}"
        f'<div class="lora_cook_bar_of_buttons">{_actions(tray, tile)}</div>'
        f'<textarea readonly rows="4" aria-label="{plain(texts.PARAMETERS)}">'
        f"{plain(tile.parameters)}</textarea></div>"
    )


def _actions(tray: Tray, tile: Tile) -> str:
    keys: Sequence[tuple[str, str, int, int]] = (
        ("ArrowLeft", "←", -1, 0), ("ArrowRight", "→", 1, 0),
        ("ArrowUp", "↑", 0, -1), ("ArrowDown", "↓", 0, 1),
    )  # fmt: skip
    parts = [press(CHANNEL, "close", texts.CLOSE, key="Escape")]
    for key, label, across, down in keys:
        if beside := tray.beside(tile, across, down):
            parts.append(
                press(
                    CHANNEL, "open", label, spoken=tray.name_of(beside), cell=beside.number, key=key
                )
            )
    parts.append(press(CHANNEL, "under", texts.LAY_OVER, cell=tile.number))
    parts.append(
        f'<button type="button" class="lora_cook_txt2img" data-act="">{plain(texts.TO_TXT2IMG)}'
        "</button>"
    )
    if tile.lora:
        parts.append(press(CHANNEL, "keep", texts.KEEP_EPOCH, cell=tile.number))
    return "".join(parts)
