"""Edits of captions as values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib_lora_cook.dataset.caption_edits import (
    CaptionEdit,
    append,
    dedupe,
    prepend,
    remove,
    rename,
    replace,
    rewrite,
    sort,
    truncate,
)
from lib_lora_cook.errors import UserError


@pytest.mark.parametrize(
    ("edit", "before", "after"),
    [
        (prepend("kafka, solo"), "smile, solo", "kafka, solo, smile"),
        (append(["smile", "star"]), "Smile", "Smile, star"),
        (remove(["long hair"]), "long_hair, x", "x"),
        (rename("long hair", "bob cut"), "x, long_hair, bob cut", "x, bob cut"),
        (replace("hair", "mane"), "long hair, ^_^", "long mane, ^_^"),
        (replace("_", " "), "^_^, long_hair", "^_^, long hair"),
        (replace("^(.*) hair$", r"\1 mane, \1", regex=True), "red hair", "red mane, red"),
        (replace(", ", ",", "caption"), "a, b", "a,b"),
        (rewrite("  a new one "), "old", "a new one"),
        (sort(1), "x, c, b", "x, b, c"),
        (dedupe(), "a_b, a b, c", "a_b, c"),
    ],
)  # fmt: skip
def test_an_edit_gives_the_new_text_and_again_nothing_new(
    edit: CaptionEdit, before: str, after: str
) -> None:
    assert edit.text(before) == after
    assert edit.text(after) == after


EDITS = [
    prepend("kafka, Solo"), prepend(""), append(["smile", "star", "Star"]), append([]),
    remove(["Long Hair", "hat"]), rename("solo", "Smile"), rename("hat", ""), rename("x", "y"),
    replace("ai", "i"), replace("smile", "hat, solo"), replace("(.)at", r"\1ig", regex=True),
    replace("^.*i.*$", "same", regex=True), sort(1), dedupe(), truncate(3, str.split),
]  # fmt: skip
TAGS = ["long_hair", "Long Hair", "smile", "solo", "SOLO", "kafka", "hat", "^_^", "star"]


@given(st.sampled_from(EDITS), st.lists(st.lists(st.sampled_from(TAGS), max_size=5), max_size=4))
def test_an_edit_made_for_many_captions_does_the_same(
    edit: CaptionEdit, captions: list[list[str]]
) -> None:
    assert edit.of_tags is not None
    quick = edit.among({tag for tags in captions for tag in tags})
    for tags in captions:
        assert quick(tuple(tags)) == tuple(edit.of_tags(list(tags)))


def test_a_text_that_is_no_clean_list_stays_to_the_letter_where_nothing_changes() -> None:
    text = "a girl,in  the rain\nat night"
    assert remove(["smile"]).text(text) == text
    assert append(["smile"]).text(text) == "a girl, in  the rain, at night, smile"


def test_truncation_keeps_whole_tags_and_counts_commas() -> None:
    caption = "long hair, smile, blue eyes, solo"  # 2 + 1 + 1 + 1 + 2 + 1 + 1 tokens
    assert [truncate(n, str.split).text(caption).count(",") for n in (1, 2, 3, 4, 7, 9, 75)] == [
        0, 0, 0, 1, 2, 3, 3,
    ]  # fmt: skip
    assert truncate(1, str.split).text(caption) == ""
    assert truncate(9, str.split).text(caption) == caption
    with pytest.raises(UserError, match="room for a token"):
        truncate(0, str.split)
