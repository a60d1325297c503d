"""Edits of captions as values."""

import pytest

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


@pytest.mark.parametrize(
    ("edit", "seen"),
    [
        (prepend("kafka, Solo"), {"solo", "kafka"}),
        (append(["smile"]), {"smile"}),
        (remove(["Long Hair"]), {"long_hair"}),
        (rename("solo", "alone"), {"solo"}),
        (replace("ai", "i"), {"long_hair"}),
    ],
)
def test_captions_without_a_tag_that_an_edit_looks_at_are_edited_alike_but_sooner(
    edit: CaptionEdit, seen: set[str]
) -> None:
    tags = ("long_hair", "smile", "solo", "kafka", "hat")
    assert edit.concerns is not None and edit.of_tags is not None
    assert {tag for tag in tags if edit.concerns(tag)} == seen
    rest = [tag for tag in tags if tag not in seen]
    assert [*edit.before, *rest, *edit.behind] == edit.of_tags(rest)


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
