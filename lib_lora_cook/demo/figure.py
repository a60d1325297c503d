"""The parts of a character, drawn from back to front: hair, body, face, accessory."""

from __future__ import annotations

from collections.abc import Callable

from .characters import Character
from .markings import AQUA
from .pen import INK, Color, Pen, Points, arc, mirrored, oval, shade, smooth

HAIR: dict[str, Color] = {
    "black": (58, 54, 74),
    "brown": (140, 86, 50),
    "blonde": (250, 220, 104),
    "red": (212, 44, 44),
    "pink": (248, 136, 186),
    "green": (66, 168, 82),
    "white": (236, 240, 248),
    "aqua": AQUA,
}
EYES: dict[str, Color] = {
    "blue": (36, 92, 244),
    "red": (226, 24, 40),
    "green": (20, 176, 62),
    "yellow": (255, 206, 0),
}
CLOTH: dict[str, Color] = {
    "red": (222, 50, 56),
    "blue": (56, 96, 222),
    "green": (60, 164, 90),
    "yellow": (248, 208, 72),
    "white": (246, 246, 250),
}
SKIN: Color = (255, 226, 204)
WHITE: Color = (255, 255, 255)
DARK: Color = (56, 58, 92)


def _both(pen: Pen, corners: Points, color: Color) -> None:
    pen.shape(smooth(corners), color)
    pen.shape(smooth(mirrored(corners)), color)


def draw_hair_back(pen: Pen, character: Character) -> None:
    """What of the hair lies behind the head and the body."""
    color = HAIR[character.hair_color]
    _HAIR_BACKS[character.hair_style](pen, color)


def _short_hair(pen: Pen, color: Color) -> None:
    half = ((0, -19), (13, -16), (20, -5), (21, 6), (23, 14), (15, 16), (0, 15))
    pen.shape(smooth((*half, *mirrored(half[-2:0:-1]))), color)


def _long_hair(pen: Pen, color: Color) -> None:
    half = ((0, -19), (13, -16), (20, -4), (21, 12), (23, 28), (25, 38), (14, 38), (0, 34))
    pen.shape(smooth((*half, *mirrored(half[-2:0:-1]))), color)
    for x in (-19.5, 19.5):
        pen.stroke([(x, 14), (x * 1.02, 30)], 1.0, shade(color, 0.78))


def _twintails(pen: Pen, color: Color) -> None:
    pen.shape(oval(0, -1, 19, 17), color)
    _both(pen, ((15, -12), (23, -14), (28, -3), (28, 14), (24, 28), (20, 16), (18, 2)), color)
    for side in (-1, 1):
        pen.stroke([(side * 23, -4), (side * 24.5, 16)], 1.0, shade(color, 0.78))


def _ponytail(pen: Pen, color: Color) -> None:
    corners = ((4, -17), (13, -25), (24, -20), (28, -4), (26, 14), (20, 26), (19, 8), (16, -6))
    pen.shape(smooth(corners), color)
    pen.stroke([(20, -14), (23.5, 0), (22.5, 14)], 1.0, shade(color, 0.78))
    pen.shape(oval(0, -1, 19, 17), color)


def _double_bun(pen: Pen, color: Color) -> None:
    pen.shape(oval(0, -1, 19, 17), color)
    for x in (-16, 16):
        pen.shape(oval(x, -16, 8.2, 8.2), color)
        pen.stroke(arc(x, -16, 4, 4, -40, 200), 1.0, shade(color, 0.78))


_HAIR_BACKS: dict[str, Callable[[Pen, Color], None]] = {
    "short_hair": _short_hair,
    "long_hair": _long_hair,
    "twintails": _twintails,
    "ponytail": _ponytail,
    "double_bun": _double_bun,
}


def draw_body(pen: Pen, character: Character, swing: float) -> None:
    """Legs, outfit and arms; swing is how far the hands are from the body."""
    color = CLOTH[character.outfit_color]
    for x in (-5, 5):
        pen.shape(smooth(((x - 3, 28), (x + 3, 28), (x + 2.6, 49), (x - 2.6, 49))), SKIN)
        pen.shape(smooth(((x - 4, 46), (x + 3, 46), (x + 4, 52), (x - 4.5, 52))), DARK)
    _OUTFITS[character.outfit](pen, color, swing)


def _arms(pen: Pen, swing: float, cloth: Color, bare: bool) -> None:
    """Arms from the shoulders: a sleeve with a hand, or a bare arm with a puffed shoulder."""
    hand = 15 + swing
    _both(pen, ((7, 15), (11, 16), (hand + 3, 28), (hand - 1, 31), (9, 23)), SKIN)
    if bare:
        _both(pen, ((6, 14), (12, 15), (14, 20), (8, 22)), cloth)
    else:
        _both(pen, ((6, 14), (12, 15.5), (hand + 3, 25), (hand - 3, 29), (8, 24)), cloth)


def _dress(pen: Pen, color: Color, swing: float) -> None:
    _arms(pen, swing, WHITE, bare=True)
    pen.shape([(-8, 14), (8, 14), (8, 22), (17, 38), (-17, 38), (-8, 22)], color)
    pen.shape([(-16, 34.5), (16, 34.5), (18, 38.5), (-18, 38.5)], WHITE, 0.8)
    pen.stroke([(-8, 23), (8, 23)], 2.0, WHITE)
    for x in (-4.5, 4.5):
        pen.stroke([(x * 0.7, 26), (x * 1.5, 33)], 0.9, shade(color, 0.75))


def _shirt(pen: Pen, color: Color, swing: float) -> None:
    pen.shape([(-9, 27), (9, 27), (15, 37), (-15, 37)], DARK)
    _arms(pen, swing, color, bare=False)
    pen.shape([(-9, 14), (9, 14), (10, 29), (-10, 29)], color)
    pen.shape([(-8, 13), (8, 13), (5, 19), (0, 16), (-5, 19)], WHITE, 0.8)
    pen.shape([(-2.4, 16.5), (2.4, 16.5), (3, 25), (0, 28), (-3, 25)], DARK, 0.6)


def _hoodie(pen: Pen, color: Color, swing: float) -> None:
    pen.shape(
        smooth(((-17, 13), (0, 10), (17, 13), (14, 20), (0, 22), (-14, 20))), shade(color, 0.72)
    )
    _arms(pen, swing, color, bare=False)
    pen.shape(smooth(((-10, 16), (10, 16), (13, 28), (11, 36), (-11, 36), (-13, 28))), color)
    pen.shape([(-6, 27), (6, 27), (9, 34), (-9, 34)], shade(color, 0.72), 0.8)
    for x in (-4, 4):
        pen.stroke([(x, 17), (x * 1.1, 24)], 1.5, WHITE if color != CLOTH["white"] else DARK)


_OUTFITS: dict[str, Callable[[Pen, Color, float], None]] = {
    "dress": _dress,
    "shirt": _shirt,
    "hoodie": _hoodie,
}


def draw_face(pen: Pen, character: Character) -> None:
    """Head, eyes, mouth."""
    pen.shape(
        smooth(
            ((0, -16), (14, -12), (18, 1), (14, 11), (0, 15.5), (-14, 11), (-18, 1), (-14, -12))
        ),
        SKIN,
    )
    for x in (-12.5, 12.5):
        pen.shape(oval(x, 8.6, 3.4, 2.2), (255, 186, 176), 0)
    color = EYES[character.eye_color]
    _eye(pen, -8.4, color)
    if character.expression == "one_eye_closed":
        pen.stroke(arc(8.4, 4, 5.2, 5, 195, 345), 2.2)
    else:
        _eye(pen, 8.4, color)
    _MOUTHS[character.expression](pen)


def _eye(pen: Pen, x: float, color: Color) -> None:
    pen.shape(oval(x, 1.6, 5.1, 6.3), color, 1.0)
    pen.stroke(arc(x, 1.4, 5.2, 6.2, 205, 335), 2.0)
    pen.shape(oval(x - 1.6, -1.6, 1.7, 2.0), WHITE, 0)


def _smile(pen: Pen) -> None:
    pen.stroke(arc(0, 7.2, 5, 4.6, 15, 165), 1.7, (150, 30, 40))


def _open_mouth(pen: Pen) -> None:
    pen.shape(
        smooth(((-5, 8.4), (0, 7.8), (5, 8.4), (4, 13), (0, 14.6), (-4, 13))), (176, 24, 44), 1.0
    )


def _frown(pen: Pen) -> None:
    pen.stroke(arc(0, 14, 5, 4.4, 200, 340), 1.7, (150, 30, 40))
    for side in (-1, 1):
        pen.stroke([(side * 13, -7.5), (side * 4, -4.2)], 2.2)


def _tongue(pen: Pen) -> None:
    pen.stroke([(-5, 9.2), (5, 9.2)], 1.6, (150, 30, 40))
    pen.shape(
        smooth(((-0.5, 9.6), (5, 9.6), (4.8, 13.5), (2.2, 15), (-0.4, 13.5))), (255, 110, 140), 0.7
    )


_MOUTHS: dict[str, Callable[[Pen], None]] = {
    "smile": _smile,
    "open_mouth": _open_mouth,
    "frown": _frown,
    "one_eye_closed": _tongue,
}


def draw_hair_front(pen: Pen, character: Character) -> None:
    """The fringe, and the locks beside the face."""
    color = HAIR[character.hair_color]
    if character.accessory == "cat_ears":
        _cat_ears(pen, color)
    locks = ((13.5, -12), (19, -6), (20, 6), (17.5, 11), (15.8, 2))
    _both(pen, locks, color)
    pen.shape(
        (*_CROWN, (13, -6), (9, -3.2), (5.5, -8), (1, -3.6), (-4, -8), (-8.5, -3.4), (-13, -6)),
        color,
    )
    pen.stroke(arc(0, -3, 14, 11, 215, 265), 1.6, shade(color, 1.45))
    if character.expression == "frown":
        for side in (-1, 1):
            pen.stroke([(side * 13, -7), (side * 4.5, -3.6)], 2.0)
    if character.hair_style == "twintails":
        for x in (-18, 18):
            pen.shape(oval(x, -11, 2.8, 3.4), DARK)


_CROWN: Points = tuple((float(x), float(y)) for x, y in arc(0, -2.5, 19.5, 17.5, 172, 368).tolist())


def draw_accessory(pen: Pen, character: Character) -> None:
    """What is worn over the hair; cat ears are drawn under the fringe."""
    painter = _ACCESSORIES.get(character.accessory or "")
    if painter is not None:
        painter(pen)


def _cat_ears(pen: Pen, color: Color) -> None:
    for side in (-1, 1):
        pen.shape([(side * 4, -17), (side * 13, -28), (side * 18, -9)], color)
        pen.shape([(side * 8, -17), (side * 12.6, -23.5), (side * 15, -13)], (255, 160, 180), 0)


def _hair_bow(pen: Pen) -> None:
    blue = (64, 84, 226)
    _both(pen, ((1, -16), (11, -24), (14, -17), (11, -10)), blue)
    pen.shape(oval(0, -16.5, 3.2, 3.6), shade(blue, 1.25))


def _glasses(pen: Pen) -> None:
    for x in (-8.6, 8.6):
        pen.stroke(arc(x, 2, 7.4, 7.6, 0, 360), 1.9, INK)
    pen.stroke([(-1.5, 1), (1.5, 1)], 1.9, INK)


def _headphones(pen: Pen) -> None:
    grey = (104, 108, 124)
    pen.stroke(arc(0, -1, 20, 19.5, 190, 350), 4.2, INK)
    pen.stroke(arc(0, -1, 20, 19.5, 190, 350), 2.6, grey)
    for x in (-20, 20):
        pen.shape(oval(x, 1.5, 5, 7.4), grey)
        pen.shape(oval(x, 1.5, 2.4, 4.2), (236, 236, 240), 0.6)


_ACCESSORIES: dict[str, Callable[[Pen], None]] = {
    "hair_bow": _hair_bow,
    "glasses": _glasses,
    "headphones": _headphones,
}
