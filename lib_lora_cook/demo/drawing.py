"""Draws a character of the toy world with Pillow: a chibi with a big head and big flat features.

Figure units: the origin is the middle of the head, which is about 36 units wide; an upper body
is drawn at about one pixel a unit in a picture of 64 x 64.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from PIL import Image

from .backgrounds import paint_background, paint_landscape
from .characters import BACKGROUNDS, Character
from .figure import draw_accessory, draw_body, draw_face, draw_hair_back, draw_hair_front
from .markings import draw_decoy, draw_marking
from .pen import SUPERSAMPLING, Pen, Pose

_VIEW_POSES = {"upper_body": Pose(32, 31.5, 1.0), "full_body": Pose(32, 23.2, 0.76)}


def random_pose(view: str, rng: random.Random) -> Pose:
    """The view's pose with a little shift, turn and change of size."""
    middle = _VIEW_POSES[view]
    return Pose(
        x=middle.x + rng.uniform(-2, 2),
        y=middle.y + rng.uniform(-1.2, 1.2),
        scale=middle.scale * rng.uniform(0.97, 1.03),
        degrees=rng.uniform(-5, 5),
        swing=rng.uniform(0, 4),
    )


def draw(
    character: Character,
    size: int = 64,
    rng: random.Random | None = None,
    *,
    transparent: bool = False,
    decoys: Sequence[str] = (),
) -> Image.Image:
    """The character as an RGB picture of size x size pixels, in a pose drawn from rng.

    transparent: RGBA without a background. decoys: names from `markings.DECOYS`.
    """
    rng = rng or random.Random(0)
    canvas = Image.new("RGB", (size * SUPERSAMPLING,) * 2)
    paint_background(character.background, canvas, rng)
    pose = random_pose(character.view, rng)
    if not transparent:
        _draw_figure(canvas, character, pose, rng, decoys)
        return _reduced(canvas)
    return _cut_out(canvas.size, character, pose, rng)


def draw_scenery(size: int = 64, rng: random.Random | None = None) -> Image.Image:
    """A picture without a character, size x size pixels, RGB."""
    rng = rng or random.Random(0)
    canvas = Image.new("RGB", (size * SUPERSAMPLING,) * 2)
    paint_background(rng.choice(BACKGROUNDS), canvas, rng)
    paint_landscape(canvas, rng)
    return _reduced(canvas)


def _reduced(canvas: Image.Image) -> Image.Image:
    return canvas.reduce(SUPERSAMPLING)


def _draw_figure(
    canvas: Image.Image,
    character: Character,
    pose: Pose,
    rng: random.Random,
    decoys: Sequence[str] = (),
) -> None:
    """The layers from back to front."""
    pen = Pen(canvas, pose)
    draw_hair_back(pen, character)
    draw_body(pen, character, pose.swing)
    if "orange_scarf" in character.markings:
        draw_marking(pen, "orange_scarf")
    draw_face(pen, character)
    draw_hair_front(pen, character)
    draw_accessory(pen, character)
    for marking in character.markings:
        if marking != "orange_scarf":
            draw_marking(pen, marking)
    for decoy in decoys:
        draw_decoy(pen, decoy, rng)


def _cut_out(
    size: tuple[int, int], character: Character, pose: Pose, rng: random.Random
) -> Image.Image:
    """The figure alone: what is the same over black and over white is opaque."""
    state = rng.getstate()
    layers = []
    for ground in ((0, 0, 0), (255, 255, 255)):
        rng.setstate(state)
        layer = Image.new("RGB", size, ground)
        _draw_figure(layer, character, pose, rng)
        layers.append(layer)
    over_black, over_white = layers
    difference = [b - a for a, b in zip(over_black.tobytes(), over_white.tobytes(), strict=True)]
    mask = Image.frombytes("L", size, bytes(255 - d for d in difference[::3]))
    over_black.putalpha(mask)
    return over_black.convert("RGBa").reduce(SUPERSAMPLING).convert("RGBA")
