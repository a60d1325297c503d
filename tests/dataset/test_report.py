"""The doctor's findings and mends, as values."""

from pathlib import Path

import pytest
from PIL import Image

from lib_lora_cook.config import BucketConfig
from lib_lora_cook.dataset.changes import Change
from lib_lora_cook.dataset.duplicates import Group
from lib_lora_cook.dataset.images import ImageFile
from lib_lora_cook.dataset.look import Asked, Finding, Look, is_misread, look_at
from lib_lora_cook.dataset.quality import Quality
from lib_lora_cook.dataset.report import CHECKS, findings, plan_fixes
from lib_lora_cook.dataset.report.captions import estimated_pieces, several
from lib_lora_cook.dataset.report.pictures import cut_by_bucket, kept_by_bucket
from lib_lora_cook.errors import UserError
from tests.dataset.tree import picture, save, write

FOLDER = Path("nowhere")


def image(name: str, caption: str | None = "kafka, solo", side: int = 800, **more: object):
    there = None if caption is None else (FOLDER / name).with_suffix(".txt")
    values = {"width": side, "height": side, **more}
    return ImageFile(FOLDER / name, caption_path=there, caption=caption or "", **values)


def names(look: Look) -> list[str]:
    return [finding.name for finding in findings(look)]


def test_nothing_is_wrong_with_a_clean_folder() -> None:
    assert findings(Look(FOLDER, tuple(image(f"{n}.png") for n in "abcd"))) == []


@pytest.mark.parametrize(
    ("name", "odd"),
    [
        ("missing_caption", image("x.png", None)),
        ("empty_caption", image("x.png", "")),
        ("ignored_lines", image("x.png", "kafka\nsolo")),
        ("double_tags", image("x.png", "kafka, long_hair, long hair")),
        ("trigger_missing", image("x.png", "solo")),
        ("trigger_not_first", image("x.png", "solo, kafka")),
        ("transparency", image("x.png", has_alpha=True)),
        ("too_small", image("x.png", side=700)),
        ("extreme_aspect", image("x.png", width=8000)),
    ],
)
def test_each_thing_is_found_alone_and_its_mend_mends_it(name: str, odd: ImageFile) -> None:
    look = Look(FOLDER, (*(image(f"{n}.png") for n in "abcd"), odd))
    found = findings(look)
    assert [(finding.name, finding.files) for finding in found] == [(name, (odd.path,))]
    assert bool(found[0].fix) == bool(found[0].changes)
    mended = look.with_captions(found[0].changes)
    if found[0].changes and found[0].changes[0].kind == "caption":
        assert findings(mended) == []


def test_what_only_cannot_be_read_here_is_named_and_stays(tmp_path: Path) -> None:
    save(tmp_path / "a.png", picture())
    save(tmp_path / "b.png", picture())
    (tmp_path / "b.txt").mkdir()
    write(tmp_path / "c.png", "no picture")
    write(tmp_path / "d.jxl", "of a kind that has no reader here")
    look = look_at(tmp_path)
    found = [it for it in findings(look) if it.name == "unreadable"]
    told = {path.name: (it.fix, len(it.changes)) for it in found for path in it.files}
    here = {"d.jxl": ("", 0)} if ".jxl" not in Image.registered_extensions() else {}
    assert told == {"c.png": ("to the trash", 1), "b.png": ("", 0), **here}
    assert [it.path.name for it in plan_fixes(look, ["unreadable"])] == ["c.png"]


@pytest.mark.parametrize(
    ("size", "odd"),
    [((1200, 800), False), ((800, 1200), False), ((1920, 1080), False), ((2300, 1000), False),
     ((4000, 1000), True), ((800, 4000), True), ((3100, 1000), True)],
)  # fmt: skip
def test_photographs_and_screens_are_not_called_extreme(size: tuple[int, int], odd: bool) -> None:
    look = Look(FOLDER, (image("a.png", width=size[0], height=size[1]),))
    assert ("extreme_aspect" in names(look)) == odd
    moved = [change.to for change in plan_fixes(look, ["extreme_aspect"])]
    assert moved == [FOLDER / "extreme_aspect" / "a.png"] * odd


def test_what_cannot_be_seen_through_is_not_called_transparent(tmp_path: Path) -> None:
    whole, clear = (
        Image.new("RGBA", (8, 8), (9, 9, 9, 255)),
        Image.new("RGBA", (8, 8), (9, 9, 9, 255)),
    )
    clear.putpixel((3, 3), (9, 9, 9, 254))
    save(tmp_path / "whole.png", whole)
    save(tmp_path / "clear.png", clear)
    found = [it for it in findings(look_at(tmp_path)) if it.name == "transparency"]
    assert [(it.files, [change.path for change in it.changes]) for it in found] == [
        ((tmp_path / "clear.png",), [tmp_path / "clear.png"])
    ]


def test_solo_beside_a_caption_s_own_count_is_found_without_a_tagger() -> None:
    look = Look(
        FOLDER, (image("a.png", "kafka, solo, 2girls"), image("b.png", "kafka, solo, 1girl"))
    )
    assert names(look) == ["several_people"]
    (change,) = plan_fixes(look, ["several_people"])
    assert change.after == "kafka, 2girls"


@pytest.mark.parametrize(
    ("trigger", "means"), [("cat", True), ("Smile", True), ("kafkazz", False), ("ohwx cat", False)]
)
def test_a_common_tag_as_trigger_is_found_without_a_tagger(trigger: str, means: bool) -> None:
    look = Look(FOLDER, (image("a.png", f"{trigger}, 1girl"),), asked=Asked(trigger=trigger))
    assert ("trigger_has_meaning" in names(look)) == means


def test_a_wrong_extension_whose_right_name_is_taken_is_named_and_stays() -> None:
    odd = image("a.png", format="WEBP")
    look = Look(FOLDER, (odd,), names=("a.png", "a.webp"))
    (found,) = findings(look)
    assert (found.name, found.files, found.fix, found.changes) == (
        "wrong_extension", (odd.path,), "", ()
    )  # fmt: skip
    assert found.why == "is WEBP, and there is a .webp of this name already"


def test_folders_without_a_number_are_subsets_where_the_one_above_has_no_picture(
    tmp_path: Path,
) -> None:
    for number in range(4):
        save(tmp_path / "casual" / f"{number}.png", picture(seed=number))
    save(tmp_path / "dress" / "a.png", picture(seed=9))
    (found,) = (it for it in findings(look_at(tmp_path)) if it.name == "imbalance")
    assert found.why.endswith("casual: 4 pictures x 1, dress: 1 pictures x 4")
    assert found.changes == () and found.fix == ""


def test_one_caption_gets_all_its_mends_and_one_picture_the_strongest() -> None:
    odd = image("x.png", "solo, kafka\nSOLO", side=10, has_alpha=True)
    look = Look(FOLDER, (*(image(f"{n}.png") for n in "abcd"), odd))
    wanted = ["too_small", "transparency", "double_tags", "ignored_lines", "trigger_not_first"]
    caption, move = plan_fixes(look, wanted)
    assert (caption.before, caption.after) == (odd.caption, "kafka, solo")
    assert (move.kind, move.to) == ("move", FOLDER / "small" / "x.png")
    look = Look(FOLDER, look.images, groups=(Group("near", (look.images[0], odd)),))
    assert [change.kind for change in plan_fixes(look, [*wanted, "near_copies"])] == [
        "caption", "trash",
    ]  # fmt: skip


def test_names_that_mend_nothing_are_refused() -> None:
    with pytest.raises(UserError, match="no such finding: x. Choose from unreadable"):
        plan_fixes(Look(FOLDER, ()), ["x"])
    with pytest.raises(UserError, match="Only a person"):
        plan_fixes(Look(FOLDER, ()), ["trigger_has_meaning"])


def test_a_folder_on_disk_is_looked_over(tmp_path: Path) -> None:
    for number in range(3):
        save(tmp_path / f"{number}.png", picture((900, 900), seed=number))
        write(tmp_path / f"{number}.txt", "kafka")
    (tmp_path / "1.txt").write_bytes("kafka".encode("utf-16"))
    (tmp_path / "bad.png").write_bytes((tmp_path / "0.png").read_bytes()[:5000])
    write(tmp_path / "bad.txt", "kafka")
    write(tmp_path / "lost.txt", "kafka")
    look = look_at(tmp_path)
    assert names(look) == ["unreadable", "orphaned_caption", "caption_encoding"]
    changes = plan_fixes(look, CHECKS.keys() & set(names(look)))
    assert [(change.kind, change.path.name) for change in changes] == [
        ("caption", "1.txt"), ("trash", "bad.png"), ("trash", "lost.txt"),
    ]  # fmt: skip
    assert isinstance(changes[0], Change) and changes[0].after == "kafka"


def test_only_plain_utf8_is_read_by_every_trainer() -> None:
    assert not is_misread("ネコ, solo\r\n".encode())
    for data in ("a".encode("utf-16"), b"\xef\xbb\xbfa", "é".encode("cp1252"), b"a\0\0"):
        assert is_misread(data)


@pytest.mark.parametrize(
    ("size", "cut"),
    [((512, 512), 0), ((300, 300), 0), ((1024, 256), 0), ((2000, 250), 0.5), ((250, 2000), 0.5)],
)
def test_what_a_bucket_cuts(size: tuple[int, int], cut: float) -> None:
    assert cut_by_bucket(size, BucketConfig()) == pytest.approx(cut)


def clean(*odd: ImageFile, **more: object) -> Look:
    return Look(FOLDER, (*(image(f"{n}.png") for n in "abcd"), *odd), **more)


def only(look: Look) -> Finding:
    (finding,) = findings(look)
    return finding


@pytest.mark.parametrize(
    ("name", "quality", "why"),
    [
        ("blurred", Quality(12, 1.0), "sharpness 12, under 50"),
        ("compressed", Quality(900, 1.0, 35), "JPEG at quality 35, under 60"),
        ("compressed", Quality(900, 2.5), "blocks of a JPEG"),
    ],
)
def test_soft_and_compressed_pictures_are_set_aside(name: str, quality: Quality, why: str) -> None:
    odd = image("x.png")
    found = only(clean(odd, qualities={odd.path: quality, FOLDER / "a.png": Quality(900, 1.0, 90)}))
    assert (found.name, found.files) == (name, (odd.path,)) and why in found.why
    assert found.changes[0].to == FOLDER / name / "x.png"


def test_captions_that_no_trainer_reads_are_renamed() -> None:
    names = ("x.png", "x.caption", "y.webp", "y.webp.txt", "z.jpg", "Z.TXT", "a.png", "a.txt",
             "a.caption", "sub.caption")  # fmt: skip
    look = clean(names=names)
    found = [it for it in findings(look) if it.name == "ignored_caption"]
    renamed = {it.changes[0].path.name: it.changes[0].to for it in found}
    assert renamed == {
        "x.caption": FOLDER / "x.txt", "y.webp.txt": FOLDER / "y.txt", "Z.TXT": FOLDER / "z.txt",
    }  # fmt: skip
    orphans = [it.files for it in findings(look) if it.name == "orphaned_caption"]
    assert orphans == [(FOLDER / "sub.caption",)]


def test_a_picture_of_another_format_than_its_name_is_renamed() -> None:
    found = only(clean(image("x.jpg", format="WEBP")))
    assert (found.name, found.changes[0].to) == ("wrong_extension", FOLDER / "x.webp")
    assert findings(clean(image("x.jpeg", format="JPEG"), image("y.jpg", format="MPO"))) == []


def test_a_pruned_tag_that_is_still_somewhere_is_found_once_few_have_it() -> None:
    odd = image("x.png", "kafka, Long_Hair, red, solo")
    found = findings(clean(odd, pruned={"long hair": 9, "red": 3, "solo": 2}))
    assert [it.name for it in found] == ["pruned_tag", "pruned_tag"]
    (change,) = plan_fixes(clean(odd, pruned={"long hair": 9, "red": 3}), ["pruned_tag"])
    assert (change.before, change.after) == (odd.caption, "kafka, solo")


def test_a_trigger_that_is_given_counts_and_one_that_means_something_is_told() -> None:
    found = findings(clean(asked=Asked(trigger="qxz")))
    assert [it.name for it in found] == ["trigger_missing"]
    assert found[0].changes[0].after == "qxz, kafka, solo"
    assert only(clean(asked=Asked(known=("kafka",)))).name == "trigger_has_meaning"
    hair = [image(f"{n}.png", "blue hair, x") for n in "abcd"]
    assert "trait" in only(Look(FOLDER, tuple(hair))).why


def test_what_is_too_long_is_counted_or_estimated_and_says_so() -> None:
    odd = image("x.png", "kafka, " + ", ".join(f"tag {number}" for number in range(100)))
    guessed = only(clean(odd))
    assert guessed.name == "long_caption" and "by an estimate" in guessed.why
    counted = only(clean(odd, asked=Asked(max_tokens=4, tokenize=lambda it: it.split(","))))
    assert counted.files == (odd.path,) and "estimate" not in counted.why
    assert counted.changes[0].after == "kafka, tag 0"


def test_an_estimate_counts_common_words_digits_and_commas_once() -> None:
    text = "1girl, solo, long hair, looking at viewer, school uniform"
    assert len(estimated_pieces(text)) == 14
    assert len(estimated_pieces("supercalifragilistic")) == 3


def test_what_a_tagger_sees_mends_captions() -> None:
    tags = ["2girls", "smile", "hat", "sky", "tree"]
    asked = Asked(see=lambda images: {}, trigger="kafka")
    alone, wrong = image("w.png", "kafka, solo"), image("x.png", "kafka, a b, c d, e f, g h")
    missing = image("y.png", None)
    seen = {it.path: tags for it in (alone, wrong, missing)}
    look = clean(alone, wrong, missing, seen=seen, asked=asked)
    found = {it.name: it for it in findings(look)}
    assert set(found) == {"several_people", "wrong_caption", "missing_caption"}
    assert found["several_people"].changes[0].after == "kafka"
    changes = plan_fixes(look, ["missing_caption", "wrong_caption"])
    assert {it.after for it in changes} == {"kafka, 2girls, smile, hat, sky, tree"}
    with pytest.raises(UserError, match="Only a person"):
        plan_fixes(clean(missing), ["missing_caption"])


@pytest.mark.parametrize(
    ("tags", "more"),
    [(["2girls"], True), (["1girl", "1boy"], True), (["multiple girls"], True), (["6+girls"], True),
     (["1girl"], False), ([], False), (["1girl", "1boy", "solo"], False)],
)  # fmt: skip
def test_several_people_are_counted_by_their_tags(tags: list[str], more: bool) -> None:
    assert several(tags) == more


def subset(name: str, count: int) -> list[ImageFile]:
    return [image(f"{name}/{number}.png") for number in range(count)]


def test_uneven_subsets_get_the_repeats_that_even_them() -> None:
    found = only(Look(FOLDER, tuple(subset("2_a", 40) + subset("1_b", 10) + subset("1_c", 1))))
    assert found.name == "imbalance" and "1_b: 10 pictures" in found.why
    moves = {it.path.name: it.to.name for it in found.changes if it.to}
    assert moves == {"2_a": "1_a", "1_b": "4_b", "1_c": "20_c"}
    even = tuple(subset("1_a", 40) + subset("4_b", 10) + subset("20_c", 2))
    assert findings(Look(FOLDER, even)) == []


def test_subsets_below_a_folder_are_looked_at_together(tmp_path: Path) -> None:
    for name in ("1_a", "1_b"):
        save(tmp_path / name / "p.png", picture((800, 800), seed=len(name)))
        write(tmp_path / name / "p.txt", f"kafka, {name}")
    look = look_at(tmp_path)
    assert [image.path.parent.name for image in look.images] == ["1_a", "1_b"]
    assert names(look) == ["exact_copies"]


def test_what_a_bucket_keeps_is_the_middle_of_the_picture() -> None:
    assert kept_by_bucket((512, 512), BucketConfig()) == (0, 0, 512, 512)
    left, top, right, bottom = kept_by_bucket((2000, 250), BucketConfig())
    assert (top, bottom) == (0, 250) and (left, right) == (500, 1500)
