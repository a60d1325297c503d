"""What a tagger sees, and which of it makes a caption."""

from typing import Any

import pytest

from lib_lora_cook.captioning.base import (
    Choice,
    Several,
    Tags,
    at_once,
    average,
    chosen,
    expanded,
    mcut_threshold,
    ready,
)

SEEN = Tags(
    general={"long_hair": 0.5, "^_^": 0.9, "smile": 0.35},
    character={"kafka_(star_rail)": 0.95, "other": 0.8},
    rating={"general": 0.3, "sensitive": 0.6},
    more={"copyright": {"star_rail": 0.7}},
)


def test_names_are_above_their_thresholds_surest_first_and_spelt_as_in_captions() -> None:
    assert SEEN.names() == ["kafka (star rail)", "^_^", "long hair"]
    assert SEEN.names(threshold=0.3, character_threshold=0.7) == [
        "kafka (star rail)", "^_^", "other", "long hair", "smile",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        (Choice({"general": 0.35}), ["^_^", "long hair"]),
        (Choice({"general": 0.6, "copyright": 0.5}), ["^_^", "star rail"]),
        (Choice(rating="first"), ["sensitive", "kafka (star rail)", "^_^", "long hair"]),
        (Choice(rating="last"), ["kafka (star rail)", "^_^", "long hair", "sensitive"]),
        (Choice(expand=True), ["kafka", "star rail", "^_^", "long hair"]),
        (Choice({"general": 0.2, "character": 0.1}, characters_first=True),
         ["kafka (star rail)", "other", "^_^", "long hair", "smile"]),
        (Choice(leave_out=frozenset({"Long Hair", "^_^"})), ["kafka (star rail)"]),
        (Choice(expand=True, leave_out=frozenset({"star rail"})), ["kafka", "^_^", "long hair"]),
        (Choice(spaces=False), ["kafka_(star_rail)", "^_^", "long_hair"]),
        (Choice({"general": 0.35, "character": 0.85, "copyright": 0.5}, expand=True),
         ["kafka", "star rail", "^_^", "long hair"]),
    ],
)  # fmt: skip
def test_a_choice_says_what_is_taken_and_where_it_goes(choice: Choice, names: list[str]) -> None:
    assert chosen(SEEN, choice) == names


@pytest.mark.parametrize(
    ("character", "tags"),
    [
        ("kafka", ("kafka",)),
        ("kafka_(star_rail)", ("kafka", "star_rail")),
        ("kafka_(casual)_(star_rail)", ("kafka_(casual)", "star_rail")),
        ("(o)_(o)", ("(o)", "o")),
        ("(series)", ("(series)",)),
        ("a_(b)c", ("a_(b)c",)),
    ],
)
def test_a_character_is_told_from_its_series(character: str, tags: tuple[str, ...]) -> None:
    assert expanded(character) == tags


def test_mcut_takes_the_largest_gap() -> None:
    def names(tags: Tags) -> list[str]:
        return chosen(tags, Choice(mcut=True))

    assert mcut_threshold({"a": 0.9, "b": 0.8, "c": 0.2, "d": 0.1}) == pytest.approx(0.5)
    assert names(Tags(general={"a": 0.9, "b": 0.8, "c": 0.2})) == ["a", "b"]
    assert names(Tags(character={"a": 0.1, "b": 0.01})) == []
    assert names(Tags()) == []


class Fixed:
    """A tagger that says the same of every picture."""

    def __init__(self, tags: Tags) -> None:
        self.tags = tags

    def ready(self, image: Any) -> str:
        return f"ready {image}"

    def predict(self, images: Any) -> list[Tags]:
        assert all(image == "ready x" for image in images)
        return [self.tags] * len(images)


class Plain(Fixed):
    ready = None  # type: ignore[assignment]

    def predict(self, images: Any) -> list[Tags]:
        return [self.tags] * len(images)


def test_several_are_averaged_over_those_that_know_a_tag() -> None:
    one = Tags(general={"a": 0.9, "b": 0.2}, rating={"safe": 1.0})
    other = Tags(general={"a": 0.5, "c": 0.6}, more={"artist": {"x": 0.5}})
    mean = average([one, other])
    assert mean.general == pytest.approx({"a": 0.7, "b": 0.2, "c": 0.6})
    assert mean.rating == {"safe": 1.0} and mean.more == {"artist": {"x": 0.5}}
    both = Several([Fixed(one), Plain(other)])
    assert at_once(both) == 0, "one of them knows of no threads"
    assert both.predict([ready(both, "x"), "x"]) == [mean, mean]
    assert both.predict([]) == []
