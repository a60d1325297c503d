"""Which captions and which tags are meant."""

import pytest

from lib_lora_cook.dataset.filters import (
    Filter,
    RegexFilter,
    TagFilter,
    completions,
    ordered,
    searched,
)
from lib_lora_cook.errors import UserError

ROWS = ["long hair, smile", "long_hair, hat", "hat", "", "a girl in the rain"]
COUNTS = {"smile": 3, "hat": 3, "long hair": 1, "hair ornament": 2, "^_^": 1}


def passing(one: Filter) -> list[int]:
    tags = [tuple(row.split(", ")) if row else () for row in ROWS]
    test = one.among({tag for some in tags for tag in some})
    return [row for row, text in enumerate(ROWS) if test(tags[row], lambda text=text: text)]


@pytest.mark.parametrize(
    ("one", "rows"),
    [
        (TagFilter(("Long Hair", "hat")), [1]),
        (TagFilter(("long_hair", "hat"), "or"), [0, 1, 2]),
        (TagFilter(("long hair",), "none"), [2, 3, 4]),
        (TagFilter(("unknown",)), []),
        (TagFilter(("unknown",), "none"), [0, 1, 2, 3, 4]),
        (RegexFilter("HAIR$"), [0, 1]),
        (RegexFilter("^h", found=False), [0, 3, 4]),
        (RegexFilter("smile$", "caption"), [0]),
        (RegexFilter(".", "caption", found=False), [3]),
    ],
)
def test_filters_choose_rows(one: Filter, rows: list[int]) -> None:
    assert passing(one) == rows


def test_a_broken_expression_is_told() -> None:
    with pytest.raises(UserError, match="no regular expression"):
        RegexFilter("(").among([])


def test_tags_come_by_frequency_name_and_length_and_turned_round() -> None:
    assert [tag for tag, _ in ordered(COUNTS)] == [
        "hat", "smile", "hair ornament", "^_^", "long hair",
    ]  # fmt: skip
    assert [tag for tag, _ in ordered(COUNTS, "name")][:2] == ["^_^", "hair ornament"]
    assert [tag for tag, _ in ordered(COUNTS, "length")][:2] == ["^_^", "hat"]
    assert next(iter(ordered(COUNTS, "length", descending=True)))[0] == "hair ornament"


def test_tags_are_searched_by_part_beginning_end_and_expression() -> None:
    assert searched(COUNTS, "hair") == ["long hair", "hair ornament"]
    assert searched(COUNTS, "Hair_", "prefix") == ["hair ornament"]
    assert searched(COUNTS, "hair o", "prefix") == ["hair ornament"]
    assert searched(COUNTS, "HAIR", "suffix") == ["long hair"]
    assert searched(COUNTS, "^.{3}$", "regex") == ["hat", "^_^"]


def test_completions_put_the_dataset_before_the_list_and_beginnings_before_words() -> None:
    known = ["hair bow", "hat", "hatsune_miku", "chair"]
    assert completions("ha", COUNTS, known) == [
        "hat", "hair ornament", "hair bow", "hatsune_miku", "long hair",
    ]  # fmt: skip
    assert completions("ha", COUNTS, known, limit=1) == ["hat"]
    assert "hat" not in completions("ha", COUNTS, known, without=["hat"])
    assert completions(" ", COUNTS, known) == []
