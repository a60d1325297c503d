"""Captions: sd-scripts' order of steps and of draws; nothing lost, nothing doubled."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib_lora_cook.config import SubsetConfig
from lib_lora_cook.training.captions import Moment, caption_of_file_text, training_caption

VARIATIONS = json.loads((Path(__file__).parent / "variations.json").read_text())["captions"]
unhurried = settings(deadline=None)
"""A busy machine is no failure."""


def caption(text: str, epoch: int = 1, seed: int = 0, **settings: Any) -> str:
    return training_caption(text, SubsetConfig(**settings), Moment(epoch), random.Random(seed))


def test_untouched_without_settings() -> None:
    assert caption("1girl,  solo,, {a|b}, (hat:1.2)") == "1girl,  solo,, {a|b}, (hat:1.2)"


def test_prefix_and_suffix_are_joined_by_a_space() -> None:
    found = caption("1girl", caption_prefix="masterpiece,", caption_suffix="solo")
    assert found == "masterpiece, 1girl solo"


def test_prefix_and_suffix_are_shuffled_with_the_rest() -> None:
    found = caption("b, c", caption_prefix="a,", shuffle_caption=True, keep_tokens=1)
    assert found.startswith("a, ") and sorted(found.split(", ")) == ["a", "b", "c"]


def test_dropout_leaves_the_prefix_out_too() -> None:
    assert caption("1girl", caption_prefix="x", caption_dropout_rate=1.0) == ""


def test_dropout_comes_at_its_rate() -> None:
    subset, rng = SubsetConfig(caption_dropout_rate=0.25), random.Random(0)
    dropped = sum(training_caption("a", subset, Moment(1), rng) == "" for _ in range(4000))
    assert 900 < dropped < 1100


def test_dropout_every_n_epochs() -> None:
    found = [caption("a", epoch=epoch, caption_dropout_every_n_epochs=3) for epoch in range(1, 7)]
    assert found == ["a", "a", "", "a", "a", ""]


def test_wildcards_choose_a_line_and_a_word() -> None:
    text = "a {cat|dog} {{x}}\na bird"
    found = {caption(text, seed=seed, enable_wildcard=True) for seed in range(50)}
    assert found == {"a cat {x}", "a dog {x}", "a bird"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{only}", {"only"}),
        ("{}", {"{}"}),
        ("{a|b}}", {"{a|b}"}),
        ("{{a|b}}", {"{a|b}"}),
        ("{|red }hat", {"hat", "red hat"}),
    ],
)
def test_wildcards_and_braces(text: str, found: set[str]) -> None:
    assert {caption(text, seed=seed, enable_wildcard=True) for seed in range(20)} == found


def test_without_wildcards_only_the_first_line_counts() -> None:
    assert caption("{a|b}\nc") == "{a|b}"


def test_kept_tokens_stay_first() -> None:
    found = {
        caption("a, b, c, d", seed=seed, shuffle_caption=True, keep_tokens=2) for seed in range(20)
    }
    assert found == {"a, b, c, d", "a, b, d, c"}


def test_separator_keeps_both_ends() -> None:
    text = "a, b ||| c, d ||| e, f"
    settings: dict[str, Any] = {
        "keep_tokens_separator": "|||",
        "shuffle_caption": True,
        "keep_tokens": 3,
    }
    found = {caption(text, seed=seed, **settings) for seed in range(20)}
    assert found == {"a, b, c, d, e, f", "a, b, d, c, e, f"}


def test_separator_is_taken_out_even_without_shuffle() -> None:
    assert caption("a ||| b", keep_tokens_separator="|||") == "a, b"
    assert caption("a ||| b ||| c ||| d", keep_tokens_separator="|||") == "a, b, c, d"
    assert caption("||| b", keep_tokens_separator="|||") == "b"
    assert caption("a, b", keep_tokens_separator="|||") == "a, b"


def test_tag_dropout_spares_what_is_kept() -> None:
    settings: dict[str, Any] = {"caption_tag_dropout_rate": 1.0}
    assert caption("a, b, c", keep_tokens=1, **settings) == "a"
    assert caption("a ||| b ||| c", keep_tokens_separator="|||", **settings) == "a, c"
    assert caption("a, b, c", **settings) == ""


def test_secondary_separator_holds_tags_together() -> None:
    for seed in range(20):
        found = caption("a;;;b, c, d", seed=seed, secondary_separator=";;;", shuffle_caption=True)
        assert "a,b" in found.split(", ") and found.count(",") == 3
    assert caption("a;;;b", secondary_separator=";;;") == "a,b"


def test_draws_come_in_sd_scripts_order() -> None:
    settings: dict[str, Any] = {
        "caption_dropout_rate": 0.1, "enable_wildcard": True, "shuffle_caption": True,
        "caption_tag_dropout_rate": 0.3, "keep_tokens": 1,
    }  # fmt: skip
    for seed in range(30):
        rng = random.Random(seed)
        expected = ""
        if rng.random() >= 0.1:
            line = rng.choice(["a, {x|y}, b, c", "a, {x|y}, d, e"])
            tags = line.replace("{x|y}", rng.choice(["x", "y"])).split(", ")
            moving = tags[1:]
            rng.shuffle(moving)
            expected = ", ".join(tags[:1] + [tag for tag in moving if rng.random() >= 0.3])
        assert caption("a, {x|y}, b, c\na, {x|y}, d, e", seed=seed, **settings) == expected


@pytest.mark.parametrize("case", VARIATIONS, ids=lambda it: f"{it['settings']} {it['seed']}")
def test_captions_are_those_of_sd_scripts_under_the_same_seed(case: dict[str, Any]) -> None:
    when = Moment(case["epoch"], case["step"], case["steps"])
    subset, rng = SubsetConfig(**case["settings"]), random.Random(case["seed"])
    assert training_caption(case["text"], subset, when, rng) == case["caption"]


def test_nothing_is_drawn_for_what_is_off() -> None:
    rng = random.Random(0)
    state = rng.getstate()
    training_caption("a, b", SubsetConfig(keep_tokens=1), Moment(1), rng)
    assert rng.getstate() == state


tags = st.lists(
    st.text(alphabet="abc (:1.2)_|{}é猫", min_size=1).map(str.strip).filter(bool), max_size=12
)


@unhurried
@given(tags, st.integers(0, 5), st.randoms(use_true_random=False))
def test_no_tag_is_lost_or_doubled(words: list[str], keep: int, rng: random.Random) -> None:
    subset = SubsetConfig(shuffle_caption=True, keep_tokens=keep)
    found = training_caption(", ".join(words), subset, Moment(1), rng)
    split = found.split(", ") if words else []
    assert sorted(split) == sorted(words)
    assert split[:keep] == words[:keep]


@unhurried
@given(tags, tags, tags, st.randoms(use_true_random=False))
def test_the_separator_keeps_both_ends(
    first: list[str], middle: list[str], last: list[str], rng: random.Random
) -> None:
    subset = SubsetConfig(shuffle_caption=True, keep_tokens_separator="@@")
    text = "@@".join(", ".join(part) for part in (first, middle, last))
    found = training_caption(text, subset, Moment(1), rng)
    split = found.split(", ") if found else []
    assert sorted(split) == sorted(first + middle + last)
    assert split[: len(first)] == first and split[len(split) - len(last) :] == last


@pytest.mark.parametrize(
    ("text", "first", "all_lines"),
    [
        ("1girl, solo\n", "1girl, solo", "1girl, solo"),
        ("  a \r\n\r\n b\r\n", "a", "a\nb"),
        ("\n\na\nb", "a", "a\nb"),
        ("", "", ""),
        (" \n ", "", ""),
    ],
)
def test_caption_of_a_file(text: str, first: str, all_lines: str) -> None:
    assert caption_of_file_text(text, SubsetConfig()) == first
    assert caption_of_file_text(text, SubsetConfig(enable_wildcard=True)) == all_lines


def test_another_separator_splits_and_a_comma_joins() -> None:
    found = caption("a, b; c", caption_separator=";", shuffle_caption=True, keep_tokens=1)
    assert found == "a, b, c"
    assert caption("a+b; c", caption_separator=";", secondary_separator="+") == "a;b; c"


@pytest.mark.parametrize("warm", [10, 0.5])
def test_tags_come_one_after_another_while_they_warm_up(warm: float) -> None:
    subset = SubsetConfig(token_warmup_min=2, token_warmup_step=warm, keep_tokens=1)
    found = [
        training_caption("x, a, b, c, d, e, f", subset, Moment(1, step, 20), random.Random(0))
        for step in (0, 2, 3, 5, 9, 10, 15)
    ]
    counts = [len(it.split(", ")) - 1 for it in found]
    assert counts == [2, 2, 3, 4, 5, 6, 6]  # floor(step * (6 - 2) / 10) + 2
    short = training_caption("x, a", subset, Moment(1, 5, 20), random.Random(0))
    assert short == "x, a"
