"""Pictures made ahead are those that are made in turn."""

import threading
from dataclasses import replace
from pathlib import Path

from PIL import Image

from lib_lora_cook.dataset.changes import Change, plan_convert
from lib_lora_cook.dataset.images import scan_subset
from lib_lora_cook.dataset.rendering import rendered, rendered_ahead

from .tree import picture, save


def plan(folder: Path, count: int = 12) -> list[Change]:
    for number in range(count):
        save(folder / f"{number:02}.webp", picture(seed=number), lossless=True)
    return plan_convert(scan_subset(folder))


def test_they_come_in_order_and_are_the_same(tmp_path: Path) -> None:
    changes = plan(tmp_path)
    made = [(change, rendered(change, ahead)) for change, ahead in rendered_ahead(changes)]
    assert made == [(change, rendered(change)) for change in changes]


def test_a_picture_that_has_changed_since_is_made_again(tmp_path: Path) -> None:
    changes = plan(tmp_path, 2)
    (first, ahead), *_ = rendered_ahead(changes)
    assert ahead is not None and ahead.result()
    save(first.path, picture((9, 9), seed=99), lossless=True)
    assert rendered(first, ahead) == rendered(first) != ahead.result()[1]


def test_only_a_few_are_made_ahead_and_the_rest_never_if_it_stops(tmp_path: Path) -> None:
    asked: list[int] = []
    lock = threading.Lock()

    def edit(image: Image.Image) -> Image.Image:
        with lock:
            asked.append(1)
        return image

    many = [replace(change, edits=(edit,)) for change in plan(tmp_path, 60)]
    each = rendered_ahead(many)
    next(each)
    each.close()
    assert len(asked) < 30
