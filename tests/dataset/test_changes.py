"""Plans are pure: values in, changes out, no disk."""

from pathlib import Path

import pytest

from lib_lora_cook.dataset.changes import (
    When,
    plan_append,
    plan_convert,
    plan_flatten,
    plan_prune,
    plan_small,
    plan_tags,
    plan_trash,
    plan_trigger,
)
from lib_lora_cook.dataset.images import ImageFile, Stamp
from lib_lora_cook.errors import UserError

FOLDER = Path("nowhere")


def image(name: str, format: str = "PNG", caption: str = "", **more: object) -> ImageFile:
    path = FOLDER / name
    there = path.with_suffix(".txt") if caption else None
    values = {"width": 100, "height": 100, "stamp": Stamp(1, 2), **more}
    return ImageFile(path, format=format, caption=caption, caption_path=there, **values)


def targets(changes: list) -> list[tuple[str, str]]:
    return [(change.path.name, change.to.name) for change in changes]


def test_everything_but_png_and_jpeg_is_converted() -> None:
    images = [
        image("a.webp", "WEBP"), image("b.gif", "GIF"), image("c.jpg", "JPEG"), image("d.png"),
        image("e.png", "WEBP"), image("f.jpg", "PNG"),
    ]  # fmt: skip
    assert targets(plan_convert(images)) == [
        ("a.webp", "a.png"), ("b.gif", "b.png"), ("e.png", "e.png"),
    ]  # fmt: skip
    assert plan_convert(images)[0].before == Stamp(1, 2)
    assert targets(plan_convert(images, "webp", leave=())) == [
        ("b.gif", "b.webp"), ("c.jpg", "c.webp"), ("d.png", "d.webp"), ("f.jpg", "f.webp"),
    ]  # fmt: skip


def test_a_converted_picture_gets_a_name_that_no_other_has() -> None:
    images = [
        image("A.PNG"),
        image("a.gif", "GIF"),
        image("a.webp", "WEBP"),
        image("a_2.jpg", "JPEG"),
    ]
    assert targets(plan_convert(images)) == [("a.gif", "a_3.png"), ("a.webp", "a_4.png")]
    assert targets(plan_convert(images[2:3], taken=[FOLDER / "a.png"])) == [("a.webp", "a_2.png")]


def test_a_format_that_cannot_be_written_is_refused() -> None:
    with pytest.raises(UserError, match="Cannot write.*jxl.*png"):
        plan_convert([], "jxl")


def test_only_pictures_that_can_be_transparent_are_flattened() -> None:
    images = [
        image("a.png"),
        image("b.png", has_alpha=True),
        image("c.webp", "WEBP", has_alpha=True),
    ]
    assert targets(plan_flatten(images)) == [("b.png", "b.png"), ("c.webp", "c.png")]
    with pytest.raises(UserError, match="No such colour: blurple"):
        plan_flatten(images, "blurple")


def test_small_pictures_are_set_aside() -> None:
    images = [image("a.png"), image("b.png", height=99), image("c.png", width=100, height=300)]
    changes = plan_small(images, 100)
    assert [(change.path.name, change.to) for change in changes] == [
        ("b.png", FOLDER / "small" / "b.png")
    ]
    assert changes[0].why == "100x99 is under 100"


def test_captions_are_planned_as_whole_texts() -> None:
    images = [
        image("a.png", caption="solo, blue_hair"),
        image("b.png"),
        image("c.png", caption="k"),
    ]

    def texts(changes: list) -> dict[str, tuple[object, str]]:
        return {change.path.name: (change.before, change.after) for change in changes}

    old = "solo, blue_hair"
    assert texts(plan_trigger(images, "k")) == {
        "a.txt": (old, "k, solo, blue_hair"), "b.txt": ("", "k"),
    }  # fmt: skip
    assert texts(plan_prune(images, ["blue hair"])) == {"a.txt": (old, "solo")}
    assert texts(plan_append(images, ["k"])) == {"a.txt": (old, old + ", k"), "b.txt": ("", "k")}


@pytest.mark.parametrize(
    ("when", "a", "b"),
    [
        ("empty", None, "new, solo"),
        ("overwrite", "new, solo", "new, solo"),
        ("append", "solo, old, new", "new, solo"),
        ("prepend", "new, solo, old", "new, solo"),
    ],
)
def test_tags_from_a_tagger_respect_what_is_there(when: When, a: str | None, b: str) -> None:
    images = [image("a.png", caption="solo, old"), image("b.png"), image("c.png")]
    found = {FOLDER / "a.png": ["new", "solo"], FOLDER / "b.png": ["new", "solo"]}
    texts = {change.path.name: change.after for change in plan_tags(images, found, when)}
    assert texts == {name: text for name, text in (("a.txt", a), ("b.txt", b)) if text}


def test_two_pictures_that_share_a_caption_change_it_once() -> None:
    images = [image("a.png", caption="solo"), image("a.webp", "WEBP", caption="solo")]
    assert len(plan_trigger(images, "k")) == 1


def test_the_formatting_of_an_unchanged_caption_is_left_alone() -> None:
    assert plan_trigger([image("a.png", caption="k,solo ,x")], "k") == []


def test_changes_are_shown_as_json() -> None:
    moved, trashed = (
        plan_small([image("a.png")], 101)[0],
        plan_trash([FOLDER / "b.png"], "twice")[0],
    )
    assert moved.as_json() == {
        "path": str(FOLDER / "a.png"), "to": str(FOLDER / "small" / "a.png"),
        "why": "100x100 is under 101",
    }  # fmt: skip
    assert trashed.as_json() == {"path": str(FOLDER / "b.png"), "to": None, "why": "twice"}
