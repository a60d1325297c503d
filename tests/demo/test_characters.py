"""Characters and their tags."""

import random
from dataclasses import replace

from lib_lora_cook.demo.characters import (
    NEW_CHARACTER,
    NEW_CHARACTER_TAGS,
    TAG_GROUPS,
    TRIGGER,
    all_tags,
    caption,
    random_character,
)


def test_the_same_seed_gives_the_same_character() -> None:
    assert random_character(random.Random(5)) == random_character(random.Random(5))
    assert random_character(random.Random(5)) != random_character(random.Random(6))


def test_tags_name_every_field() -> None:
    character = replace(
        random_character(random.Random(1)),
        hair_color="red",
        eye_color="green",
        outfit="shirt",
        outfit_color="white",
        accessory="glasses",
        markings=("halo",),
    )
    tags = character.tags()
    assert tags[:2] == ["1girl", "solo"]
    assert {"red_hair", "green_eyes", "white_shirt", "glasses", "halo"} <= set(tags)
    assert {character.hair_style, character.expression, character.view} <= set(tags)


def test_each_group_has_one_tag_a_character() -> None:
    rng = random.Random(2)
    for _ in range(200):
        tags = random_character(rng).tags()
        for group, members in TAG_GROUPS.items():
            count = sum(tag in members for tag in tags)
            assert count == 1 or (group == "accessory" and count == 0)


def test_the_base_world_has_none_of_the_new_characters_features() -> None:
    rng = random.Random(3)
    seen = {tag for _ in range(500) for tag in random_character(rng).tags()}
    assert not seen & set(NEW_CHARACTER_TAGS)
    assert seen == set(all_tags()) - set(NEW_CHARACTER_TAGS) - {"no_humans", "scenery"}
    assert set(NEW_CHARACTER_TAGS) <= set(NEW_CHARACTER.tags())


def test_a_caption_has_spaces_for_underscores() -> None:
    assert caption(["1girl", "red_hair"]) == "1girl, red hair"
    assert TRIGGER.isalpha() and TRIGGER.islower()
