"""Lists of tags: what each function promises, for any list."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib_lora_cook.dataset.tags import (
    KAOMOJI,
    add_trigger,
    append_tags,
    count_tags,
    dedupe_tags,
    evident_trigger,
    remove_tags,
    replace_each,
    replace_tag,
    sort_tags,
    spaces_for_underscores,
    tag_key,
    tag_replacement,
)
from lib_lora_cook.errors import UserError

tag = st.sampled_from(["a", "B", "b", "long hair", "long_hair", "^_^", "1girl", "x_x"])
tags = st.lists(tag, max_size=8)


def keys(some: list[str]) -> list[str]:
    return [tag_key(one) for one in some]


@given(tags, tags)
def test_the_trigger_comes_first_once_and_nothing_else_moves(
    old: list[str], new: list[str]
) -> None:
    result = add_trigger(old, new)
    front = dedupe_tags(new)
    assert result[: len(front)] == front
    assert result[len(front) :] == [one for one in old if tag_key(one) not in keys(front)]
    assert add_trigger(result, new) == result


@given(tags, tags)
def test_appended_tags_are_there_once_behind_what_was_there(old: list[str], new: list[str]) -> None:
    result = append_tags(old, new)
    assert result[: len(old)] == old
    assert set(keys(new)) <= set(keys(result))
    assert append_tags(result, new) == result


@given(tags, tags)
def test_removed_tags_are_gone_in_every_spelling(old: list[str], unwanted: list[str]) -> None:
    result = remove_tags(old, unwanted)
    assert not set(keys(result)) & set(keys(unwanted))
    assert result == [one for one in old if one in result]


@given(tags, tag, tag)
def test_a_replaced_tag_is_gone_and_the_new_one_there_once(
    old: list[str], one: str, new: str
) -> None:
    result = replace_tag(old, one, new)
    if tag_key(one) not in keys(old):
        assert result == old
    else:
        assert keys(result).count(tag_key(new)) == 1
        assert tag_key(one) == tag_key(new) or tag_key(one) not in keys(result)


def test_a_replacement_takes_the_place_of_the_old_tag() -> None:
    assert replace_tag(["a", "b", "c"], "b", "x") == ["a", "x", "c"]
    assert replace_tag(["x", "a", "b"], "b", "x") == ["a", "x"]
    assert replace_tag(["a", "b"], "b", "") == ["a"]


@given(tags)
def test_deduped_tags_keep_their_first_spelling_and_order(old: list[str]) -> None:
    result = dedupe_tags(old)
    assert len(set(keys(result))) == len(result) and set(keys(result)) == set(keys(old))
    assert dedupe_tags(result) == result


@given(tags, st.integers(0, 3))
def test_sorting_leaves_the_kept_tokens_in_front(old: list[str], keep: int) -> None:
    result = sort_tags(old, keep)
    assert result[:keep] == old[:keep] and sorted(result) == sorted(old)
    assert keys(result[keep:]) == sorted(keys(result[keep:]))


def test_counts_are_per_caption() -> None:
    assert count_tags([["a", "a", "b"], ["a"]]) == {"a": 2, "b": 1}


def test_underscores_become_spaces_but_faces_stay() -> None:
    assert spaces_for_underscores("long_hair") == "long hair"
    assert len(KAOMOJI) == 19
    assert all(spaces_for_underscores(face) == face for face in KAOMOJI)


@given(tags, tag, tag)
def test_swapping_each_tag_leaves_no_new_double_and_no_other_tag_behind(
    old: list[str], one: str, new: str
) -> None:
    result = replace_each(old, tag_replacement(one, new))
    if tag_key(one) != tag_key(new) and tag_key(one) in keys(old) and one not in new:
        assert tag_key(one) not in keys(result)
        assert keys(result).count(tag_key(new)) == 1


def test_parts_of_tags_are_replaced_but_faces_only_as_a_whole() -> None:
    underscores = tag_replacement("_", " ")
    assert {underscores(face) for face in KAOMOJI} == {(face,) for face in KAOMOJI}
    assert replace_each(["long_hair", "^_^", "long hair"], underscores) == ["long hair", "^_^"]
    assert replace_each(["^_^", "a"], tag_replacement("^_^", "smile")) == ["smile", "a"]
    assert replace_each(["^_^"], tag_replacement("_", "", regex=True)) == ["^_^"]
    assert replace_each(["x_x", "a"], tag_replacement("(.*)", "b", regex=True)) == ["b"]
    assert replace_each(["Long_Hair"], tag_replacement("long hair", "a, b")) == ["a", "b"]
    assert replace_each(["a", "b", "b"], tag_replacement("a", "")) == ["b", "b"]


def test_an_expression_that_is_none_is_refused() -> None:
    for old, new in (("(", ""), ("a", "\\2"), ("a", "\\g<x>"), ("", "")):
        with pytest.raises(UserError):
            tag_replacement(old, new, regex=True)


def test_a_trigger_is_evident_from_the_first_tags_or_the_folder() -> None:
    kafka = [["kafka", "solo"], ["Kafka", "smile"], ["kafka"], ["solo"]]
    assert evident_trigger(kafka) == "kafka"
    assert evident_trigger([["1girl", "a"]] * 9) == evident_trigger([["solo"]] * 9) == ""
    assert evident_trigger(kafka[:2]) == evident_trigger([]) == ""
    assert evident_trigger([["1girl", "sks girl"]] * 2, "3_sks_girl") == "sks girl"
    assert evident_trigger([["1girl", "b"]] * 2, "3_sks") == ""
