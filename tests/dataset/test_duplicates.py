"""Copies are found whatever was done to them; another expression is not a copy."""

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFont, ImageOps

from lib_lora_cook.dataset.duplicates import (
    Group,
    declare_distinct,
    difference_picture,
    find_duplicates,
    plan_duplicates,
)
from lib_lora_cook.dataset.duplicates.groups import covered, settled
from lib_lora_cook.dataset.images import scan_subset
from lib_lora_cook.dataset.journal import apply_changes
from lib_lora_cook.demo.characters import (
    ACCESSORIES,
    EXPRESSIONS,
    OUTFITS,
    Character,
    random_character,
)
from lib_lora_cook.demo.drawing import draw
from lib_lora_cook.errors import UserError

from .duplicates.scenes import scene
from .tree import save, write

CHARACTERS = [random_character(random.Random(seed)) for seed in range(3)]


def drawn(character: Character, seed: int = 0, transparent: bool = False) -> Image.Image:
    return draw(character, 192, random.Random(seed), transparent=transparent)


def names(groups: list[Group]) -> list[tuple[str, list[str]]]:
    return [(group.kind, [image.path.name for image in group.files]) for group in groups]


def scaled(factor: float) -> Callable[[Image.Image], Image.Image]:
    return lambda image: image.resize((round(192 * factor),) * 2, Image.Resampling.BICUBIC)


@pytest.mark.parametrize(
    ("ending", "change", "options"),
    [
        (".jpg", lambda image: image, {"quality": 85}),
        (".jpg", lambda image: image, {"quality": 40}),
        (".webp", lambda image: image, {"quality": 60}),
        (".png", scaled(0.5), {}),
        (".jpg", scaled(0.75), {"quality": 60}),
        (".png", ImageOps.mirror, {}),
        (".jpg", lambda image: ImageOps.mirror(scaled(0.6)(image)), {"quality": 70}),
        (".png", lambda image: image.crop((23, 23, 169, 169)), {}),  # 12% all round
        (".jpg", lambda image: image.crop((0, 0, 169, 192)), {"quality": 80}),
        (".png", lambda image: ImageOps.grayscale(image), {}),
        (".png", lambda image: ImageEnhance.Brightness(image).enhance(0.8), {}),
    ],
)
def test_copies_are_found_and_the_original_is_kept(
    tmp_path: Path, ending: str, change: Callable[[Image.Image], Image.Image], options: dict
) -> None:
    for number, character in enumerate(CHARACTERS):
        save(tmp_path / f"{number}.png", drawn(character))
        save(tmp_path / f"{number}_copy{ending}", change(drawn(character)), **options)
    found = names(find_duplicates(scan_subset(tmp_path)))
    assert sorted(found) == [("near", [f"{n}.png", f"{n}_copy{ending}"]) for n in range(3)]


@pytest.mark.parametrize("factor", [1.15, 1.5, 2.0])
def test_an_enlarged_copy_is_no_larger_picture(tmp_path: Path, factor: float) -> None:
    for number, character in enumerate(CHARACTERS):
        save(tmp_path / f"{number}.png", drawn(character))
        save(tmp_path / f"{number}_again.png", scaled(factor)(drawn(character)))
        save(tmp_path / f"{number}_twin.bmp", scaled(factor)(drawn(character)))
    found = names(find_duplicates(scan_subset(tmp_path), folder=tmp_path))
    assert [group[0] for _, group in sorted(found)] == ["0.png", "1.png", "2.png"]
    assert names(find_duplicates(scan_subset(tmp_path), folder=tmp_path)) == found


@pytest.mark.parametrize("bars", [(0, 23), (23, 0), (12, 12)])
def test_framed_copies_are_found(tmp_path: Path, bars: tuple[int, int]) -> None:
    for number, character in enumerate(CHARACTERS):
        save(tmp_path / f"{number}.png", drawn(character))
        save(tmp_path / f"{number}_framed.jpg", ImageOps.expand(drawn(character), bars, "black"))
    found = [(kind, sorted(group)) for kind, group in names(find_duplicates(scan_subset(tmp_path)))]
    assert sorted(found) == [("near", [f"{n}.png", f"{n}_framed.jpg"]) for n in range(3)]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_colour_of_a_frame_that_runs_into_the_picture_is_no_difference(
    tmp_path: Path, seed: int
) -> None:
    picture = scene(seed, 130)
    save(tmp_path / "a.jpg", picture, quality=90)
    save(tmp_path / "b.jpg", ImageOps.expand(picture, (11, 7), "red"), quality=60)
    (group,) = find_duplicates(scan_subset(tmp_path))
    assert group.kind == "near"


def test_a_larger_copy_is_kept_and_a_flattened_one_is_found(tmp_path: Path) -> None:
    cut_out = drawn(CHARACTERS[0], transparent=True)
    save(tmp_path / "a.png", scaled(0.7)(cut_out))
    white = Image.new("RGBA", cut_out.size, "white")
    white.alpha_composite(cut_out)
    save(tmp_path / "b.png", white.convert("RGB"))
    assert names(find_duplicates(scan_subset(tmp_path))) == [("near", ["b.png", "a.png"])]


def test_expressions_and_accessories_of_one_drawing_are_not_copies(tmp_path: Path) -> None:
    for number, character in enumerate(CHARACTERS):
        for expression in EXPRESSIONS:
            variant = replace(character, expression=expression)
            save(tmp_path / f"{number}_{expression}.png", drawn(variant))
            save(tmp_path / f"{number}_{expression}_turned.png", drawn(variant, seed=7))
        for accessory in set(ACCESSORIES) - {character.accessory}:
            worn = replace(character, accessory=accessory)
            save(tmp_path / f"{number}_{accessory}.jpg", drawn(worn), quality=80)
    groups = find_duplicates(scan_subset(tmp_path))
    assert {group.kind for group in groups} == {"variant"}
    assert plan_duplicates(groups) == []


@pytest.mark.parametrize("size", [128, 256])
def test_a_drawing_is_shown_beside_its_other_expressions_and_costumes(
    tmp_path: Path, size: int
) -> None:
    for number in range(6):
        first = random_character(random.Random(number))
        worn = next(it for it in OUTFITS if it != first.outfit)
        faces = [replace(first, expression=it) for it in EXPRESSIONS]
        for name, it in enumerate((*faces, replace(first, outfit=worn))):
            save(tmp_path / f"{number}_{name}.png", draw(it, size, random.Random(number)))
    groups = find_duplicates(scan_subset(tmp_path))
    assert {group.kind for group in groups} == {"variant"}
    shown = [sorted(image.path.stem for image in group.files) for group in groups]
    faces_of = [[f"{number}_{face}" for face in range(len(EXPRESSIONS))] for number in range(6)]
    assert sum(any(set(them) <= set(group) for group in shown) for them in faces_of) >= 5
    costumes = [{f"{number}_0", f"{number}_{len(EXPRESSIONS)}"} for number in range(6)]
    assert sum(any(them <= set(group) for group in shown) for them in costumes) >= 3


def test_a_picture_of_many_variants_goes_first_and_each_is_shown_once() -> None:
    pairs = [(1, 2), (2, 3), (2, 4), (4, 5), (5, 6), (8, 9)]
    assert covered(pairs) == {2: [1, 3, 4], 5: [6], 8: [9]}


def test_where_a_mouth_is_a_few_pixels_wide_another_one_is_no_copy(tmp_path: Path) -> None:
    for number in range(8):
        first = random_character(random.Random(number))
        for mouth in ("smile", "frown"):
            picture = draw(replace(first, expression=mouth), 64, random.Random(0))
            save(tmp_path / f"{number}_{mouth}.png", picture)
            save(tmp_path / f"{number}_{mouth}_large.png", picture.resize((102, 102)))
            save(
                tmp_path / f"{number}_{mouth}_bright.webp",
                ImageEnhance.Brightness(picture).enhance(1.2),
            )
    groups = [group for group in find_duplicates(scan_subset(tmp_path)) if group.kind == "near"]
    drawings = [{path.name[:7] for path in (it.path for it in group.files)} for group in groups]
    assert sorted(map(len, drawings)) == [1] * 16


def test_the_same_pixels_in_other_files_are_exact_copies(tmp_path: Path) -> None:
    image = drawn(CHARACTERS[0])
    save(tmp_path / "a.webp", image, lossless=True)
    save(tmp_path / "b.png", image)
    save(tmp_path / "c.png", image, compress_level=1)
    write(tmp_path / "c.txt", "1girl")
    assert names(find_duplicates(scan_subset(tmp_path))) == [
        ("exact", ["c.png", "b.png", "a.webp"])
    ]


def test_plain_pictures_of_other_colours_are_not_copies(tmp_path: Path) -> None:
    for colour in ("white", "black", "red", "navy"):
        save(tmp_path / f"{colour}.png", Image.new("RGB", (64, 64), colour))
    assert find_duplicates(scan_subset(tmp_path)) == []


def test_groups_do_not_depend_on_the_order_and_applying_leaves_no_copies(tmp_path: Path) -> None:
    for number, character in enumerate(CHARACTERS):
        save(tmp_path / f"{number}.png", drawn(character))
        save(tmp_path / f"{number}_a.jpg", drawn(character), quality=60)
        save(tmp_path / f"{number}_b.png", drawn(character))
    images = scan_subset(tmp_path)
    groups = find_duplicates(images)
    assert names(find_duplicates(reversed(images))) == names(groups)
    apply_changes(tmp_path, plan_duplicates(groups))
    left = scan_subset(tmp_path)
    assert [image.path.name for image in left] == ["0.png", "1.png", "2.png"]
    assert plan_duplicates(find_duplicates(left)) == []


def test_a_broken_picture_is_named_and_the_rest_compared(tmp_path: Path) -> None:
    save(tmp_path / "a.png", drawn(CHARACTERS[0]))
    save(tmp_path / "b.jpg", drawn(CHARACTERS[0]))
    images = scan_subset(tmp_path)
    data = (tmp_path / "b.jpg").read_bytes()
    (tmp_path / "b.jpg").write_bytes(data[: len(data) // 2])
    failed: list[tuple[Path, str]] = []
    assert find_duplicates(images, failed=failed) == []
    assert failed[0][0].name == "b.jpg"
    with pytest.raises(UserError, match="b.jpg"):
        find_duplicates(images)


def test_hardness_out_of_range_is_refused() -> None:
    with pytest.raises(UserError, match="1 to 100: 0"):
        find_duplicates([], hardness=0)


@pytest.mark.parametrize(("clean_name", "marked_name"), [("a.png", "b.png"), ("b.png", "a.png")])
def test_a_watermarked_copy_is_near_and_the_clean_one_stays(
    tmp_path: Path, clean_name: str, marked_name: str
) -> None:
    clean = draw(CHARACTERS[0], 384, random.Random(0))
    marked = clean.copy()
    font = ImageFont.load_default(26)
    ImageDraw.Draw(marked).text((150, 345), "(c) sample 2023", "white", font)
    save(tmp_path / clean_name, clean)
    save(tmp_path / marked_name, marked)
    expected = [("near", [clean_name, marked_name])]
    assert names(find_duplicates(scan_subset(tmp_path))) == expected


def test_hardness_100_finds_equal_pixels_alone(tmp_path: Path) -> None:
    large = draw(CHARACTERS[0], 512, random.Random(0))
    save(tmp_path / "a.jpg", large, quality=95)
    with Image.open(tmp_path / "a.jpg") as image:  # its reduced decoding is not the file's pixels
        save(tmp_path / "b.png", image.convert("RGB"))
    save(tmp_path / "c.webp", large, quality=90)
    groups = find_duplicates(scan_subset(tmp_path), 100)
    assert names(groups) == [("exact", ["b.png", "a.jpg"])]
    assert [len(group.files) for group in find_duplicates(scan_subset(tmp_path))] == [3]


def test_what_a_person_has_called_distinct_stays_so_after_renaming(tmp_path: Path) -> None:
    save(tmp_path / "a.png", drawn(CHARACTERS[0]))
    save(tmp_path / "b.jpg", drawn(CHARACTERS[0]), quality=60)
    save(tmp_path / "c.png", scaled(0.7)(drawn(CHARACTERS[0])))
    declare_distinct(tmp_path, tmp_path / "a.png", tmp_path / "b.jpg")
    (tmp_path / "b.jpg").rename(tmp_path / "z.jpg")
    found = find_duplicates(scan_subset(tmp_path), folder=tmp_path)
    assert not [group for group in names(found) if {"a.png", "z.jpg"} <= set(group[1])]
    with pytest.raises(UserError, match="pixel for pixel"):
        declare_distinct(tmp_path, tmp_path / "a.png", tmp_path / "a.png")


def test_a_second_look_decodes_and_compares_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, character in enumerate(CHARACTERS):
        save(tmp_path / f"{number}.png", drawn(character))
        save(tmp_path / f"{number}.jpg", drawn(character), quality=60)
    first = find_duplicates(scan_subset(tmp_path), folder=tmp_path)
    (tmp_path / "0.png").rename(tmp_path / "9.png")

    def refuse(*_: object) -> None:
        raise AssertionError("looked again")

    for name in ("find.read_print", "checks.differences", "checks.candidates"):
        monkeypatch.setattr(f"lib_lora_cook.dataset.duplicates.{name}", refuse)
    again = find_duplicates(scan_subset(tmp_path), folder=tmp_path)
    assert len(again) == len(first) == 3
    (tmp_path / ".lora_cook" / "fingerprints.sqlite").write_bytes(b"no database")
    with pytest.raises(AssertionError, match="looked again"):
        find_duplicates(scan_subset(tmp_path), folder=tmp_path)


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_the_difference_glows_where_the_expression_changes(tmp_path: Path, mode: str) -> None:
    one = replace(CHARACTERS[0], expression="smile", view="upper_body")
    save(tmp_path / "a.png", draw(one, 256, random.Random(0)))
    other = draw(replace(one, expression="open_mouth"), 256, random.Random(0))
    save(tmp_path / "b.jpg", ImageOps.mirror(other).convert(mode), quality=90)
    red, green, _ = difference_picture(tmp_path / "a.png", tmp_path / "b.jpg").split()
    glow = ImageChops.subtract(red, green).point(lambda level: 255 * (level > 90))
    left, top, right, bottom = glow.getbbox() or (0, 0, 0, 0)
    assert 0 < right - left < 128
    assert 0 < bottom - top < 96


class Table:
    """Distances that are given; a person has said that `apart` are no duplicates."""

    def __init__(self, known: dict[tuple[int, int], float], apart: set[int]) -> None:
        self.known, self.pairs, self.apart = known, list(known), apart

    def distances(self, pairs: list[tuple[int, int]]) -> list[float]:
        return [self.known[pair] for pair in pairs]

    def distinct(self, one: int, other: int) -> bool:
        return {one, other} == self.apart


@pytest.mark.parametrize(
    ("to_one", "to_other", "apart", "expected"),
    [
        ([10, 10, 10], [20, 20, 90], set(), {0: [1, 2, 3, 4]}),
        ([10, 10, 10], [20, 20, 90], {0, 1}, {1: [2, 3, 4]}),
        ([10, 10, 10], [20, 90, 90], set(), {1: [2, 3, 4]}),
        ([10], [20], set(), {1: [2]}),  # one alone may be too small to tell
        ([10, 30, 10], [90, 20, 90], set(), {0: [3], 1: [2, 4]}),
    ],
)
def test_two_stars_of_which_most_members_are_near_both_centres_are_one(
    to_one: list[float], to_other: list[float], apart: set[int], expected: dict[int, list[int]]
) -> None:
    known = {(0, 1): 70.0}
    known |= {(0, at): distance for at, distance in enumerate(to_other, 2)}
    known |= {(1, at): distance for at, distance in enumerate(to_one, 2)}
    assert settled(len(to_one) + 2, Table(known, apart), 50, min) == expected
