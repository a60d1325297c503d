"""The doctor's findings and mends, as values."""

from pathlib import Path

import pytest

from lib_lora_cook.config import BucketConfig
from lib_lora_cook.dataset.changes import Change
from lib_lora_cook.dataset.duplicates import Group
from lib_lora_cook.dataset.images import ImageFile
from lib_lora_cook.dataset.look import Look, is_misread, look_at
from lib_lora_cook.dataset.report import CHECKS, findings, plan_fixes
from lib_lora_cook.dataset.report.pictures import cut_by_bucket
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
        plan_fixes(Look(FOLDER, ()), ["extreme_aspect"])


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
