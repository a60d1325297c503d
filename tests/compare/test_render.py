"""Cells to pictures, and pictures to one sheet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lib_lora_cook.compare.grid import sweep_cells
from lib_lora_cook.compare.render import (
    MARK,
    PAPER,
    Sheet,
    draw_sheet,
    mosaic,
    out_of_memory,
    render_cells,
    save_sheet,
)
from lib_lora_cook.config import ModelConfig, SweepConfig
from lib_lora_cook.hosts.base import GenerateRequest
from lib_lora_cook.jobs import Cancelled, Job, null_job

CONFIG = SweepConfig(
    loras=("a", "b"), weights=(0.0, 0.5, 1.0), prompts=("x", "y"), seeds=(1, 2), steps=3,
    negative_prompt="bad", cfg_scale=4.0, width=16, height=24,
)  # fmt: skip


class Easel:
    """A host that paints what it wears into the picture: (lora, weight, seed)."""

    def __init__(self, *, several: bool = False, fits: int = 99) -> None:
        self.several, self.fits = several, fits
        self.worn: tuple[Path | None, Any] = (None, 0.0)
        self.requests: list[GenerateRequest] = []
        self.open = False

    @contextmanager
    def open_wardrobe(self, loras: Sequence[Path], model: ModelConfig) -> Iterator[Any]:
        assert list(loras) == [Path("a"), Path("b")]
        self.open = True
        try:
            yield self
        finally:
            self.open = False

    def wears_several(self, lora: Path) -> bool:
        return self.several

    def wear(self, lora: Path | None, weight: float | Sequence[float]) -> None:
        self.worn = (lora, weight)

    def generate(self, request: GenerateRequest) -> list[Image.Image]:
        self.requests.append(request)
        if len(request.seeds) > self.fits:
            raise RuntimeError("CUDA out of memory. Tried to allocate")
        lora, worn = self.worn
        weights = worn if isinstance(worn, list) else [worn] * len(request.seeds)
        red = 0 if lora is None else ord(lora.name)
        size = (request.width, request.height)
        return [
            Image.new("RGB", size, (red, int(weight * 100), seed))
            for weight, seed in zip(weights, request.seeds, strict=True)
        ]


@pytest.mark.parametrize("several", [True, False])
@pytest.mark.parametrize("batch_size", [1, 3, 8])
def test_each_cell_is_drawn_in_its_own_clothes(several: bool, batch_size: int) -> None:
    host: Any = Easel(several=several)
    config = replace(CONFIG, batch_size=batch_size)
    drawn = list(render_cells(config, ModelConfig(), host, null_job))
    assert len(drawn) == 10
    for cell, pictures in drawn:
        red = 0 if cell.lora is None else ord(cell.lora.name)
        assert [it.getpixel((0, 0)) for it in pictures] == [
            (red, int(cell.weight * 100), seed) for seed in (1, 2)
        ]
    assert [cell for cell, _ in drawn] == sweep_cells(config)
    assert not host.open
    assert all(len(it.seeds) <= batch_size for it in host.requests)


def test_weights_of_one_lora_are_drawn_at_once_where_the_host_can() -> None:
    for several, counts in ((True, [4, 8, 8]), (False, [4, 4, 4, 4, 4])):
        host: Any = Easel(several=several)
        list(render_cells(CONFIG, ModelConfig(), host, null_job))
        assert [len(it.seeds) for it in host.requests] == counts
    whole = ("x", "x", "y", "y")
    assert host.requests[0] == GenerateRequest(whole, (1, 2, 1, 2), "bad", 3, 4.0, 16, 24)


def test_out_of_memory_halves_the_batch_and_goes_on() -> None:
    host: Any = Easel(several=True, fits=2)
    logged: list[str] = []

    class Told(Job):
        def log(self, message: str) -> None:
            logged.append(message)

    drawn = list(render_cells(CONFIG, ModelConfig(), host, Told()))
    calm = list(render_cells(CONFIG, ModelConfig(), Easel(), null_job))  # type: ignore[arg-type]
    assert [(cell, [it.tobytes() for it in its]) for cell, its in drawn] == [
        (cell, [it.tobytes() for it in its]) for cell, its in calm
    ]
    assert [len(it.seeds) for it in host.requests] == [4, *[2] * 10]
    assert logged == ["memory ran out: 2 pictures at once from here on"]


def test_a_single_picture_that_does_not_fit_and_other_failures_are_raised() -> None:
    host: Any = Easel(fits=0)
    with pytest.raises(RuntimeError, match="out of memory"):
        list(render_cells(CONFIG, ModelConfig(), host, null_job))
    assert not out_of_memory(RuntimeError("shapes differ"))
    assert out_of_memory(MemoryError())


def test_a_cancelled_sweep_stops_before_the_next_cell_and_takes_the_clothes_off() -> None:
    host: Any = Easel()

    class Stops(Job):
        @property
        def cancelled(self) -> bool:
            return len(host.requests) == 3

    with pytest.raises(Cancelled):
        list(render_cells(replace(CONFIG, batch_size=2), ModelConfig(), host, Stops()))
    assert len(host.requests) == 3
    assert not host.open


def test_progress_counts_cells() -> None:
    told: list[tuple[int, int]] = []

    class Told(Job):
        def report(self, done: int, total: int, text: str = "") -> None:
            told.append((done, total))

    list(render_cells(CONFIG, ModelConfig(), Easel(), Told()))  # type: ignore[arg-type]
    assert told == [(done, 10) for done in range(1, 11)]


@pytest.mark.parametrize(
    ("count", "size"), [(1, (128, 128)), (2, (256, 128)), (4, (256, 256)), (5, (384, 256))]
)
def test_small_pictures_are_enlarged_and_stand_in_a_square(
    count: int, size: tuple[int, int]
) -> None:
    board = mosaic([Image.new("RGB", (64, 64), (index * 40, 0, 0)) for index in range(count)])
    assert board.size == size
    for index in range(count):
        across = size[0] // 128
        place = (index % across * 128 + 64, index // across * 128 + 64)
        assert board.getpixel(place) == (index * 40, 0, 0)


def test_large_pictures_stay_as_they_are() -> None:
    assert mosaic([Image.new("RGB", (512, 768))]).size == (512, 768)


def sheet() -> Sheet:
    colours = {(0, 0): "red", (0, 1): "green", (1, 0): "blue"}
    pictures = {at: Image.new("RGB", (40, 30), colour) for at, colour in colours.items()}
    return Sheet(["one", "two"], ["0.5", "1"], pictures, {(0, 0): "tags 0.50"}, (0, 1), "title")


def test_a_sheet_holds_every_picture_at_its_place() -> None:
    board = draw_sheet(sheet())
    width, height = 40 + 16, 30 + 16 + 18
    left = board.width - 2 * width
    assert board.height == 64 + 2 * height
    painted = {(0, 0): (255, 0, 0), (0, 1): (0, 128, 0), (1, 0): (0, 0, 255)}
    for (row, column), colour in painted.items():
        place = (left + column * width + width // 2, 64 + row * height + 8 + 15)
        assert board.getpixel(place) == colour
    assert board.getpixel((left + width + width // 2, 64 + height + 23)) == PAPER


def test_the_pick_alone_is_framed() -> None:
    board = draw_sheet(sheet())
    left = board.width - 2 * 56
    assert board.getpixel((left + 56 + 3, 64 + 20)) == MARK
    assert board.getpixel((left + 3, 64 + 20)) != MARK
    plain = sheet()
    plain.marked = None
    assert MARK not in {colour for _, colour in draw_sheet(plain).getcolors(9999) or []}


def test_labels_are_drawn() -> None:
    bare = sheet()
    bare.rows, bare.columns, bare.title, bare.notes = ["", ""], ["", ""], "", {}
    bare.marked = None
    named = sheet()
    named.marked = None
    ink = [
        sum(n for n, colour in draw_sheet(it).getcolors(9999) or [] if max(colour) < 90)
        for it in (bare, named)
    ]
    assert ink[0] == 0 < ink[1]


def test_each_line_of_a_note_has_its_own_height() -> None:
    tall = sheet()
    tall.notes[0, 1] = "recovery 0.92\ndiversity 1.14\ncopy 0.02"
    assert draw_sheet(tall).height == draw_sheet(sheet()).height + 2 * 2 * 18


def test_a_sheet_is_a_png_with_its_settings_inside(tmp_path: Path) -> None:
    path = tmp_path / "new" / "sheet.png"
    save_sheet(draw_sheet(sheet()), path, {"lora_cook": '{"a": 1}', "parameters": "Ähre, 水"})
    with Image.open(path) as image:
        image.load()
        assert image.format == "PNG"
        assert image.text["lora_cook"] == '{"a": 1}'  # type: ignore[attr-defined]
        assert image.text["parameters"] == "Ähre, 水"  # type: ignore[attr-defined]
    assert [it.name for it in path.parent.iterdir()] == ["sheet.png"]
