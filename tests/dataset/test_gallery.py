"""The gallery behind the page: cards, filters, pages, marks that follow their pictures."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from lib_lora_cook.dataset import headers, journal
from lib_lora_cook.dataset.changes import plan_small
from lib_lora_cook.dataset.gallery import (
    Card,
    Wanted,
    found,
    page,
    plan_dropped,
    plan_mark,
    plan_stars,
    scan_gallery,
    with_findings,
)
from lib_lora_cook.dataset.images import Failure, ImageFile, scan_subset
from lib_lora_cook.dataset.look import Finding
from lib_lora_cook.errors import UserError

from .tree import dirty_folder, picture, save, snapshot, write


def names(cards: list[Card]) -> list[str]:
    return [card.image.path.name for card in cards]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = dirty_folder(tmp_path)
    write(folder / "b.json", '{"rating": "s", "id": 7}')
    return folder


def test_cards_are_the_pictures_as_they_are_scanned(folder: Path) -> None:
    write(folder / "bad.png", "no picture")
    failed: list[Failure] = []
    cards = scan_gallery(folder, failed)
    scanned = [replace(it, caption="", caption_path=None) for it in scan_subset(folder, [])]
    assert [card.image for card in cards] == scanned
    assert [path.name for path, _ in failed] == ["bad.png"]
    assert [card.rating for card in cards] == ["", "", "s", "", ""]
    assert not any(card.rating for card in scan_gallery(folder, [], wanted=Wanted()))


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted(least=6), "aabd"),
        (Wanted(most=6), "c"),
        (Wanted(aspect=(0, 1.1)), "c"),
        (Wanted(ratings=frozenset("s")), "b"),
        (Wanted(stars=2), "b"),
        (Wanted(marks=frozenset({""})), "aacd"),
        (Wanted(marks=frozenset({"drop"})), "b"),
        (Wanted(marks=frozenset({"drop", ""}), least=6), "aabd"),
        (Wanted(stars=2, most=6), ""),
    ],
)
def test_a_scan_for_what_is_wanted_is_the_scan_filtered(
    folder: Path, wanted: Wanted, expected: str
) -> None:
    journal.apply_changes(folder, plan_stars(scan_gallery(folder)[2:3], 2))
    journal.apply_changes(folder, plan_mark(scan_gallery(folder)[2:3], "drop"))
    cards = found(scan_gallery(folder), wanted)
    assert names(scan_gallery(folder, wanted=wanted)) == names(cards)
    assert "".join(name[0] for name in names(cards)) == expected


def test_a_second_look_opens_only_what_has_changed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = scan_gallery(folder)
    save(folder / "c.png", picture((3, 9)))
    opened: list[str] = []
    real = headers.read_image_file
    monkeypatch.setattr(
        headers, "read_image_file", lambda path: opened.append(path.name) or real(path)
    )
    second = scan_gallery(folder)
    assert opened == ["c.png"] and names(first) == names(second)
    assert (second[3].image.width, second[3].image.height) == (3, 9)
    assert names(scan_gallery(folder, among=["c.png", "gone.png"])) == ["c.png"]
    assert scan_gallery(folder) == second and opened == ["c.png"], "the others are not forgotten"
    (folder / ".lora_cook" / "headers.json").write_text("junk")
    assert scan_gallery(folder) == second


def card(name: str, size: tuple[int, int] = (800, 800), **more: object) -> Card:
    return Card(ImageFile(Path(name), *size), **more)


def test_filters_hold_together() -> None:
    cards = [
        card("a", (800, 600), rating="g", stars=3),
        card("b", (400, 1200), rating="e", mark="keep"),
        card("c", (900, 900), mark="drop"),
    ]
    cards = with_findings(cards, [Finding("blurred", (Path("a"), Path("c")), "")])
    for wanted, expected in [
        (Wanted(), "abc"),
        (Wanted(findings=frozenset({"blurred"})), "ac"),
        (Wanted(least=600, most=900), "a"),
        (Wanted(aspect=(0, 0.9)), "b"),
        (Wanted(ratings=frozenset({"g", "s"})), "a"),
        (Wanted(marks=frozenset({"", "keep"})), "ab"),
        (Wanted(stars=3), "a"),
        (Wanted(findings=frozenset({"blurred"}), marks=frozenset({"drop"})), "c"),
    ]:
        assert "".join(names(found(cards, wanted))) == expected, wanted


def test_pages_are_whole_and_the_last_is_never_left() -> None:
    cards = [card(str(number)) for number in range(125)]
    assert [len(page(cards, number)[0]) for number in (1, 2, 3, 4, 0)] == [60, 60, 5, 5, 60]
    assert page(cards, 1)[1] == 3 and page([], 5) == ([], 1)


def test_marks_stand_in_the_sidecar_follow_the_picture_and_are_undone(folder: Path) -> None:
    before = snapshot(folder)
    cards = scan_gallery(folder)
    journal.apply_changes(folder, plan_mark(cards[2:4], "drop"))
    journal.apply_changes(folder, plan_stars(scan_gallery(folder)[2:3], 5))
    kept = json.loads((folder / "b.json").read_text())
    assert kept == {"rating": "s", "id": 7, "lora_cook": {"mark": "drop", "stars": 5}}
    cards = scan_gallery(folder)
    assert [(it.mark, it.stars) for it in cards[2:4]] == [("drop", 5), ("drop", 0)]
    journal.apply_changes(folder, plan_small(scan_subset(folder), 5))
    assert (folder / "small" / "c.json").exists() and not (folder / "c.json").exists()
    applied = journal.apply_changes(folder, plan_dropped(scan_gallery(folder)))
    assert [change.path.name for change in applied.applied] == ["b.webp"]
    assert not (folder / "b.json").exists()
    journal.undo(folder, to="0")
    assert snapshot(folder) == before


def test_a_mark_taken_away_leaves_the_sidecar_as_it_was(folder: Path) -> None:
    journal.apply_changes(folder, plan_mark(scan_gallery(folder)[2:3], "keep"))
    assert plan_mark(scan_gallery(folder)[2:3], "keep") == []
    journal.apply_changes(folder, plan_mark(scan_gallery(folder)[2:3], ""))
    assert json.loads((folder / "b.json").read_text()) == {"rating": "s", "id": 7}


def test_a_sidecar_that_is_no_json_is_not_written_over(folder: Path) -> None:
    write(folder / "c.json", "not ours")
    cards = scan_gallery(folder)
    assert names(cards)[3] == "c.png"
    with pytest.raises(UserError, match=r"This is no JSON.*c\.json"):
        plan_mark(cards[3:4], "keep")
    with pytest.raises(UserError, match="Stars go from 0 to 5"):
        plan_stars(cards, 6)


def test_transparent_and_turned_pictures_are_remembered_as_they_are(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    save(tmp_path / "a.jpg", picture((8, 4)), exif=exif)
    save(tmp_path / "b.png", picture((8, 4), mode="RGBA"))
    for _ in range(2):
        first, second = (card.image for card in scan_gallery(tmp_path))
        assert (first.width, first.height) == (4, 8)
        assert second.has_alpha and not first.has_alpha
