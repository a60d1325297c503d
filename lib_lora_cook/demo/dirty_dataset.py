"""The new character's pictures as one finds them on a disk: a deliberately dirty folder."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image, ImageOps

from .characters import (
    ACCESSORIES,
    BACKGROUNDS,
    EXPRESSIONS,
    NEW_CHARACTER,
    NEW_CHARACTER_TAGS,
    OUTFIT_COLORS,
    OUTFITS,
    VIEWS,
    Character,
    caption,
    random_character,
)
from .drawing import draw, draw_scenery

PICTURE_SIZE = 256
TOO_SMALL = 40
"""Sides in pixels of a good picture and of one that is too small to learn from."""


@dataclass(frozen=True)
class DirtyPlan:
    """How many of each kind of file the folder gets."""

    png: int = 11
    webp: int = 7
    transparent: int = 6
    jpeg: int = 4
    too_small: int = 3
    recompressed: int = 5
    mirrored: int = 4
    captioned: int = 12


def new_character_variant(rng: random.Random, index: int) -> Character:
    """The new character in another outfit, mood and place; views and moods take turns."""
    return replace(
        NEW_CHARACTER,
        outfit=rng.choice(OUTFITS),
        outfit_color=rng.choice(OUTFIT_COLORS),
        expression=EXPRESSIONS[index % len(EXPRESSIONS)],
        accessory=rng.choice((None, None, *ACCESSORIES)),
        view=VIEWS[index // len(EXPRESSIONS) % len(VIEWS)],
        background=rng.choice(BACKGROUNDS),
    )


def known_tags(character: Character) -> list[str]:
    """The drawing's tags without the new character's own features."""
    return [tag for tag in character.tags() if tag not in NEW_CHARACTER_TAGS]


def write_dirty_dataset(folder: Path, seed: int = 0) -> None:
    """Fill the folder: 28 good drawings as PNG, WebP, transparent PNG and JPEG, then what does
    not belong there: too small ones, recompressed and mirrored duplicates, a landscape. Some
    have captions, which do not name her own features. Deterministic by seed."""
    folder.mkdir(parents=True, exist_ok=True)
    rng, plan = random.Random(seed), DirtyPlan()
    originals = _write_originals(folder, rng, plan)
    for number in range(plan.too_small):
        character = new_character_variant(rng, number)
        draw(character, TOO_SMALL, rng).save(folder / f"thumb_{number:02}.png")
    for number, path in enumerate(rng.sample(originals, plan.recompressed)):
        quality = rng.randint(45, 70)
        _flat(path).save(folder / f"{path.stem}_copy{number}.jpg", quality=quality)
    for path in rng.sample(originals, plan.mirrored):
        ImageOps.mirror(_flat(path)).save(folder / f"{path.stem}_flip.png")
    draw_scenery(PICTURE_SIZE, rng).save(folder / "holiday.jpg", quality=88)


def _write_originals(folder: Path, rng: random.Random, plan: DirtyPlan) -> list[Path]:
    kinds = [
        *["png"] * plan.png,
        *["webp"] * plan.webp,
        *["transparent"] * plan.transparent,
        *["jpeg"] * plan.jpeg,
    ]
    rng.shuffle(kinds)
    captioned = set(rng.sample(range(len(kinds)), plan.captioned))
    paths = []
    for index, kind in enumerate(kinds):
        character = new_character_variant(rng, index)
        path = _write_picture(folder / f"art_{index:02}", kind, character, rng)
        if index in captioned:
            text = caption(known_tags(character))
            path.with_suffix(".txt").write_text(text + "\n", encoding="utf-8")
        paths.append(path)
    return paths


def _write_picture(stem: Path, kind: str, character: Character, rng: random.Random) -> Path:
    picture = draw(character, PICTURE_SIZE, rng, transparent=kind == "transparent")
    suffix = {"webp": ".webp", "jpeg": ".jpg"}.get(kind, ".png")
    path = stem.with_suffix(suffix)
    if kind == "png" or kind == "transparent":
        picture.save(path)
    else:
        picture.save(path, quality=90)
    return path


def _flat(path: Path) -> Image.Image:
    """The picture as RGB, transparency on white."""
    with Image.open(path) as file:
        picture = file.convert("RGBA")
    ground = Image.new("RGBA", picture.size, "white")
    ground.alpha_composite(picture)
    return ground.convert("RGB")


def unseen_prompts(count: int, seed: int) -> list[str]:
    """Prompts of other characters, to see what a LoRA of the new one does to them."""
    rng = random.Random(seed)
    return [caption(random_character(rng).tags()) for _ in range(count)]
