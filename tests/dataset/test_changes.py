"""Plans are pure: values in, changes out, no disk."""

from pathlib import Path

import pytest
from PIL import Image

from lib_lora_cook.dataset.caption_edits import replace, sort
from lib_lora_cook.dataset.changes import (
    When,
    plan_append,
    plan_convert,
    plan_crop,
    plan_dedupe,
    plan_edit,
    plan_flatten,
    plan_one_line,
    plan_prune,
    plan_small,
    plan_tags,
    plan_trash,
    plan_trigger,
    plan_upscale,
)
from lib_lora_cook.dataset.edits import Crop, Upscale
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


def test_it_is_told_that_an_animation_becomes_a_picture() -> None:
    moving = image("a.gif", "GIF", animated=True, has_alpha=True)
    assert plan_convert([moving])[0].why == "GIF to PNG, its first frame"
    assert plan_flatten([moving])[0].why == "transparency onto white, its first frame"


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


def test_one_picture_is_cropped_in_place_or_beside() -> None:
    (change,) = plan_crop(image("a.jpg", "JPEG"), (0, 0, 50, 20))
    assert (change.to, change.edits, change.copy) == (change.path, (Crop((0, 0, 50, 20)),), False)
    assert change.why == "50x20 of 100x100"
    taken = [FOLDER / "a_2.txt", FOLDER / "a.jpg"]
    (copy,) = plan_crop(image("a.jpg", "JPEG"), (0, 0, 50, 20), copy=True, taken=taken)
    assert (copy.to, copy.copy) == (FOLDER / "a_3.jpg", True)
    assert targets(plan_crop(image("a.gif", "GIF"), (0, 0, 9, 9))) == [("a.gif", "a.png")]
    assert plan_crop(image("a.png"), (0, 0, 100, 100)) == []
    for box in ((0, 0, 101, 5), (-1, 0, 5, 5), (5, 0, 5, 5), (0, 9, 5, 8)):
        with pytest.raises(UserError, match="does not fit into 100x100"):
            plan_crop(image("a.png"), box)


def test_small_pictures_are_enlarged_until_they_reach_a_side() -> None:
    def twice(picture: Image.Image, times: float) -> Image.Image:
        return picture.convert("RGB").resize([round(side * times) for side in picture.size])

    images = [image("a.png", height=30), image("b.gif", "GIF", width=40), image("c.png")]
    edit = Upscale(twice, 70)
    assert targets(plan_upscale(images, edit, "x")) == [("a.png", "a.png"), ("b.gif", "b.png")]
    assert edit(Image.new("RGB", (100, 30))).size == (233, 70)
    assert edit(Image.new("RGB", (90, 80))).size == (90, 80)
    larger = Upscale(twice, 70, 2.0)(Image.new("RGBA", (100, 30), (0, 0, 0, 0)))
    assert (larger.size, larger.mode, larger.getextrema()[3]) == ((400, 120), "RGBA", (0, 0))
    with pytest.raises(UserError, match="The upscaler makes"):
        Upscale(lambda picture, times: picture, 70)(Image.new("RGB", (9, 9)))
    with pytest.raises(UserError, match="million pixels"):
        edit(Image.new("RGB", (100_000, 1)))


def test_tags_and_texts_are_replaced_sorted_and_deduped() -> None:
    images = [image("a.png", caption="b_c, ^_^, B c\nx"), image("b.png")]

    def after(changes: list) -> list[str]:
        return [change.after for change in changes]

    assert after(plan_edit(images, replace("_", " "))) == ["b c, ^_^, x"]
    assert after(plan_edit(images, replace("_", " ", "caption"))) == ["b c, ^ ^, B c\nx"]
    assert after(plan_edit(images, replace(", .*", "", "caption", regex=True))) == ["b_c\nx"]
    assert after(plan_edit(images, sort(keep_tokens=3))) == []
    assert after(plan_edit(images, sort())) == ["^_^, B c, b_c, x"]
    assert after(plan_dedupe(images)) == ["b_c, ^_^, x"]
    assert after(plan_one_line(images)) == ["b_c, ^_^, B c, x"]


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
