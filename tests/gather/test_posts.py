"""What is wanted, what captions say."""

from __future__ import annotations

import json

import pytest

from lib_lora_cook.config import GatherConfig
from lib_lora_cook.gather.posts import (
    Post,
    absolute,
    caption_of,
    extension_of,
    number,
    sidecar_of,
    valid_md5,
    why_not,
)

POST = Post(
    7, "https://x/a.png", rating="explicit", width=800, height=600, extension=".png",
    tags={"general": ("1girl", "o_o", "long_hair", "a,b"), "artist": ("me",),
          "character": ("kafka_(honkai)",), "meta": ("highres",)},
)  # fmt: skip


@pytest.mark.parametrize(
    ("wish", "wanted"),
    [
        ({}, True),
        ({"blacklist": ("me",)}, False),
        ({"blacklist": ("me blue_hair", "solo")}, True),
        ({"blacklist": ("1girl -blue_hair",)}, False),
        ({"blacklist": ("rating:e highres",)}, False),
        ({"blacklist": ("rating:general", "")}, True),
        ({"ratings": ("general",)}, False),
        ({"ratings": ("explicit", "general")}, True),
        ({"min_size": 601}, False),
        ({"min_size": 600}, True),
        ({"posts": ("8",)}, False),
        ({"posts": ("7",)}, True),
    ],
)
def test_wishes(wish: dict[str, object], wanted: bool) -> None:
    assert (why_not(POST, GatherConfig(**wish)) == "") is wanted


def test_what_a_site_does_not_say_is_no_reason() -> None:
    config = GatherConfig(ratings=("general",), min_size=9999)
    assert why_not(Post(1, "https://x/a"), config) == ""


def test_safe_is_general_or_sensitive() -> None:
    safe = Post(1, "https://x/a.png", rating="safe")
    assert why_not(safe, GatherConfig(ratings=("sensitive",))) == ""
    assert why_not(safe, GatherConfig(ratings=("questionable",)))


@pytest.mark.parametrize(
    ("categories", "caption"),
    [
        (("character", "general"), "kafka (honkai), 1girl, o_o, long hair, ab"),
        (("general", "character"), "1girl, o_o, long hair, ab, kafka (honkai)"),
        (("meta", "artist"), "highres, me"),
        (("copyright",), ""),
    ],
)
def test_captions_have_the_chosen_categories_in_order(
    categories: tuple[str, ...], caption: str
) -> None:
    assert caption_of(POST, GatherConfig(categories=categories)) == caption


def test_the_rating_stands_last_if_wanted() -> None:
    assert caption_of(POST, GatherConfig(rating_tag=True)).endswith(", explicit")


def test_the_same_post_has_the_same_sidecar() -> None:
    text = sidecar_of(POST, "https://x")
    assert text == sidecar_of(POST, "https://x")
    assert json.loads(text)["tags"]["artist"] == ["me"]


@pytest.mark.parametrize(
    ("names", "extension"),
    [
        (("https://x/a.PNG?1234.jpg",), ".png"), (("", "x.webp"), ".webp"), (("a", "b"), ""),
        (("https://x/a.p%6eg",), ".png"), (("x.", "a.tar/b"), ""), (("a.../../etc",), ""),
    ],
)  # fmt: skip
def test_extensions(names: tuple[str, ...], extension: str) -> None:
    assert extension_of(*names) == extension


def test_an_address_that_is_none_is_left_to_the_guard() -> None:
    assert absolute("https://x", "http://[1") == "http://[1"
    assert absolute("https://x", "") == ""
    assert absolute("https://x/b", "//y/a.png") == "https://y/a.png"
    assert extension_of("http://[1/a.png", "a.png") == ".png"


def test_odd_values_are_nothing() -> None:
    assert (number("12"), number(None), number("x")) == (12, 0, 0)
    assert valid_md5("../../etc/passwd") == valid_md5(None) == ""
    assert valid_md5(" " + "A" * 32) == "a" * 32
