"""Cells and a host to pictures, and pictures to one labelled sheet."""

from __future__ import annotations

import gc
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from ..config import ModelConfig, SweepConfig
from ..hosts.base import GenerateRequest, Host, Wardrobe
from ..jobs import Job
from .grid import Cell, sweep_cells

MARGIN, SIDE = 8, 128
"""Pixels around a picture, and the side below which pictures are drawn enlarged."""
NOTE = 18
"""Pixels of a line below a picture."""
INK, PAPER, MARK = (32, 32, 36), (255, 255, 255), (222, 60, 75)


@dataclass
class Sheet:
    """Labelled rows of pictures: one row a LoRA, one column a weight and prompt."""

    rows: list[str] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    pictures: dict[tuple[int, int], Image.Image] = field(default_factory=dict)
    notes: dict[tuple[int, int], str] = field(default_factory=dict)
    marked: tuple[int, int] | None = None
    title: str = ""


def render_cells(
    config: SweepConfig, model: ModelConfig, host: Host, job: Job
) -> Iterator[tuple[Cell, list[Image.Image]]]:
    """Each cell with its pictures as they are done; the LoRAs are swapped in place.

    UserError, before a picture, for a file that is no LoRA of the model's family.
    """
    cells = sweep_cells(config)
    loras = list(dict.fromkeys(cell.lora for cell in cells if cell.lora))
    done = 0
    with host.open_wardrobe(loras, model) as wardrobe:
        brush = Brush(config, host, wardrobe, job)
        for cell, pictures in brush.paint_all(cells):
            yield cell, pictures
            done += 1
            job.report(done, len(cells), "drawing the sheet")


@dataclass
class Brush:
    """Draws cells in batches, halved for the rest of the sheet where memory runs out."""

    config: SweepConfig
    host: Host
    wardrobe: Wardrobe
    job: Job

    def __post_init__(self) -> None:
        self.size = self.config.batch_size

    def batched_by(self, cell: Cell) -> tuple[Path | None, float | None]:
        """What the cells of a batch have in common: the LoRA, and the weight if it must be one."""
        several = cell.lora and self.wardrobe.wears_several(cell.lora)
        return cell.lora, None if several else cell.weight

    def paint_all(self, cells: Sequence[Cell]) -> Iterator[tuple[Cell, list[Image.Image]]]:
        """Each cell as soon as its last picture is done."""
        for _, group in groupby(cells, key=self.batched_by):
            yield from self.paint(list(group))

    def paint(self, cells: list[Cell]) -> Iterator[tuple[Cell, list[Image.Image]]]:
        """Cells of one LoRA, each as soon as its last picture is done."""
        wanted = [(cell, seed) for cell in cells for seed in cell.seeds]
        drawn: list[Image.Image] = []
        for cell in cells:
            while len(drawn) < len(cell.seeds):
                self.job.check()
                some = self.batch(wanted)
                drawn += some
                wanted = wanted[len(some) :]
            yield cell, drawn[: len(cell.seeds)]
            drawn = drawn[len(cell.seeds) :]

    def batch(self, wanted: list[tuple[Cell, int]]) -> list[Image.Image]:
        """The first pictures of those wanted, as many as fit into memory at once."""
        while True:
            part = wanted[: self.size]
            try:
                return self.draw(part)
            except Exception as error:
                if not out_of_memory(error) or len(part) == 1:
                    raise
                self.size = len(part) // 2
            gc.collect()
            self.job.log(f"memory ran out: {self.size} pictures at once from here on")

    def draw(self, part: list[tuple[Cell, int]]) -> list[Image.Image]:
        """One batch of one LoRA, each picture at its cell's weight."""
        weights = [cell.weight for cell, _ in part]
        same = len(set(weights)) == 1
        self.wardrobe.wear(part[0][0].lora, weights[0] if same else weights)
        config = self.config
        request = GenerateRequest(
            tuple(cell.prompt for cell, _ in part), tuple(seed for _, seed in part),
            config.negative_prompt, config.steps, config.cfg_scale, config.width, config.height,
        )  # fmt: skip
        return self.host.generate(request)


def out_of_memory(error: Exception) -> bool:
    """Whether an exception says that memory ran out, by whichever library's name for it."""
    told = f"{type(error).__name__} {error}".lower()
    return "outofmemory" in told or "out of memory" in told or isinstance(error, MemoryError)


def mosaic(pictures: Sequence[Image.Image]) -> Image.Image:
    """The pictures of one cell in a square; small ones enlarged."""
    first = pictures[0]
    factor = max(1, SIDE // max(first.size))
    width, height = first.width * factor, first.height * factor
    across = math.ceil(math.sqrt(len(pictures)))
    down = -(-len(pictures) // across)
    board = Image.new("RGB", (across * width, down * height), PAPER)
    for index, picture in enumerate(pictures):
        big = picture.convert("RGB").resize((width, height), Image.Resampling.BICUBIC)
        board.paste(big, (index % across * width, index // across * height))
    return board


def draw_sheet(sheet: Sheet) -> Image.Image:
    """The sheet as one picture, with labels, a note below each cell and a frame round the pick."""
    big, small = _font(16), _font(13)
    width = max(it.width for it in sheet.pictures.values()) + 2 * MARGIN
    lines = max((it.count("\n") for it in sheet.notes.values()), default=0) + 1
    below = NOTE * lines
    height = max(it.height for it in sheet.pictures.values()) + 2 * MARGIN + below
    left = max(_text_width(row, big) for row in sheet.rows) + 3 * MARGIN
    top = 64
    board = Image.new(
        "RGB", (left + width * len(sheet.columns), top + height * len(sheet.rows)), PAPER
    )
    pen = ImageDraw.Draw(board)
    pen.text((MARGIN, MARGIN), sheet.title, INK, font=big)
    for index, name in enumerate(sheet.columns):
        pen.text((left + index * width + width // 2, 46), name, INK, font=big, anchor="mm")
    for index, name in enumerate(sheet.rows):
        pen.text((MARGIN, top + index * height + height // 2), name, INK, font=big, anchor="lm")
    for (row, column), picture in sheet.pictures.items():
        x, y = left + column * width, top + row * height
        board.paste(picture, (x + (width - picture.width) // 2, y + MARGIN))
        for place, line in enumerate(sheet.notes.get((row, column), "").split("\n")):
            note = (x + width // 2, y + height - below + 4 + NOTE * place)
            pen.text(note, line, INK, font=small, anchor="mm")
        if sheet.marked == (row, column):
            pen.rectangle((x + 2, y + 2, x + width - 3, y + height - 3), outline=MARK, width=3)
    return board


def save_sheet(sheet: Image.Image, path: Path, settings: Mapping[str, str]) -> None:
    """Write a PNG with its settings inside, whole or not at all."""
    info = PngInfo()
    for key, value in settings.items():
        info.add_itxt(key, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    sheet.save(part, format="PNG", pnginfo=info)
    part.replace(path)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font, at a size where Pillow can (10.1), else at its only one."""
    try:
        return ImageFont.load_default(size)
    except TypeError:
        return ImageFont.load_default()


def _text_width(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> int:
    left, _, right, _ = font.getbbox(text)
    return int(right - left)
