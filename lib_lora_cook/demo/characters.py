"""Characters of the toy world as values, and the danbooru-spelt tags that are true of them."""

from __future__ import annotations

import random
from dataclasses import dataclass

HAIR_COLORS = ("black", "brown", "blonde", "red", "pink", "green", "white")
HAIR_STYLES = ("short_hair", "long_hair", "twintails", "ponytail", "double_bun")
EYE_COLORS = ("blue", "red", "green", "yellow")
OUTFITS = ("dress", "shirt", "hoodie")
OUTFIT_COLORS = ("red", "blue", "green", "yellow", "white")
EXPRESSIONS = ("smile", "open_mouth", "frown", "one_eye_closed")
ACCESSORIES = ("hair_bow", "glasses", "cat_ears", "headphones")
VIEWS = ("upper_body", "full_body")
BACKGROUNDS = (
    "white_background",
    "pink_background",
    "checkered_background",
    "blue_sky",
    "night_sky",
    "forest",
)
MARKINGS = ("star_facial_mark", "halo", "orange_scarf")
"""Markings that no base character wears; with aqua hair they make up the new character."""
NEW_HAIR_COLOR = "aqua"

SUBJECT_TAGS = ("1girl", "solo")
SCENERY_TAGS = ("no_humans", "scenery")

TAG_GROUPS: dict[str, tuple[str, ...]] = {
    "hair_color": tuple(f"{color}_hair" for color in HAIR_COLORS),
    "hair_style": HAIR_STYLES,
    "eye_color": tuple(f"{color}_eyes" for color in EYE_COLORS),
    "outfit": tuple(f"{color}_{outfit}" for outfit in OUTFITS for color in OUTFIT_COLORS),
    "expression": EXPRESSIONS,
    "accessory": ACCESSORIES,
    "view": VIEWS,
    "background": BACKGROUNDS,
}
"""Group of tags -> its tags, as the checkpoint knows them; one of each is true of a character
(of an accessory at most one)."""

NEW_CHARACTER_TAGS = ("aqua_hair", *MARKINGS)
"""The new character's own features, which no drawing for the UNet and the text encoder shows."""

TRIGGER = "mizuhoshi"
"""The new character's invented name."""


@dataclass(frozen=True)
class Character:
    """What one drawing shows; colours are words (`red`), the rest are danbooru tags."""

    hair_color: str
    hair_style: str
    eye_color: str
    outfit: str
    outfit_color: str
    expression: str
    accessory: str | None
    view: str
    background: str
    markings: tuple[str, ...] = ()

    def tags(self) -> list[str]:
        """Every tag that is true of the drawing, the subject first."""
        tags = [
            *SUBJECT_TAGS,
            f"{self.hair_color}_hair",
            self.hair_style,
            f"{self.eye_color}_eyes",
            f"{self.outfit_color}_{self.outfit}",
            self.expression,
        ]
        if self.accessory is not None:
            tags.append(self.accessory)
        return [*tags, self.view, self.background, *self.markings]


NEW_CHARACTER = Character(
    hair_color=NEW_HAIR_COLOR,
    hair_style="ponytail",
    eye_color="yellow",
    outfit="dress",
    outfit_color="white",
    expression="smile",
    accessory=None,
    view="upper_body",
    background="white_background",
    markings=MARKINGS,
)


def random_character(rng: random.Random) -> Character:
    """A character of the checkpoint's world: none of the new character's features."""
    return Character(
        hair_color=rng.choice(HAIR_COLORS),
        hair_style=rng.choice(HAIR_STYLES),
        eye_color=rng.choice(EYE_COLORS),
        outfit=rng.choice(OUTFITS),
        outfit_color=rng.choice(OUTFIT_COLORS),
        expression=rng.choice(EXPRESSIONS),
        accessory=rng.choice((None, *ACCESSORIES)),
        view=rng.choice(VIEWS),
        background=rng.choice(BACKGROUNDS),
    )


def all_tags() -> list[str]:
    """Every tag of the toy world once, in the order of the tagger's outputs."""
    grouped = [tag for group in TAG_GROUPS.values() for tag in group]
    return [*SUBJECT_TAGS, *SCENERY_TAGS, *grouped, *NEW_CHARACTER_TAGS]


def caption(tags: list[str]) -> str:
    """A caption as a person writes it: comma-joined, spaces for underscores."""
    return ", ".join(tag.replace("_", " ") for tag in tags)
