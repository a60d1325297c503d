"""What Pillow decodes -> the picture as a person sees it: upright, sRGB, 8 bit, RGB or RGBA."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageCms

_TURN = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ORIENTATION, _TIFF_WIDTH, _TIFF_HEIGHT = 0x0112, 256, 257
_ALPHA_MODES = frozenset({"RGBA", "LA", "PA", "RGBa", "La"})


def orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8, as the header gives it; no pixel is decoded."""
    try:
        # The PNG reader's own getexif() would decode the whole picture to find late chunks.
        value = Image.Image.getexif(image).get(_ORIENTATION, 1)
    except Exception:  # a broken EXIF block fails in many ways, and the pixels are still good
        return 1
    return value if value in _TURN else 1


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Width and height once the orientation is applied."""
    width, height = image.size
    if image.format == "TIFF":  # of old, its reader swapped the sides only once decoded
        tags = getattr(image, "tag_v2", {})
        width, height = tags.get(_TIFF_WIDTH, width), tags.get(_TIFF_HEIGHT, height)
    return (height, width) if orientation(image) >= 5 else (width, height)


def has_alpha(image: Image.Image) -> bool:
    """Whether the file can carry transparency, by its header."""
    return image.mode in _ALPHA_MODES or "transparency" in image.info


def as_seen(image: Image.Image) -> Image.Image:
    """The upright 8-bit sRGB picture, RGBA where the file carries transparency, else RGB.

    It is `image` itself, and no copy, where that is what the file holds.
    """
    decoded_upright = image.format == "TIFF"
    turn = None if decoded_upright else _TURN.get(orientation(image))
    profile = image.info.get("icc_profile")
    _scale_key(image)
    image.load()
    seen = _to_srgb(_eight_bit(image), profile)
    return seen if turn is None else seen.transpose(turn)


def on_background(image: Image.Image, background: str = "white") -> Image.Image:
    """The picture composited on a colour, RGB."""
    if image.mode == "RGB":
        return image
    over = image.convert("RGBA")
    canvas = Image.new("RGBA", over.size, background)
    canvas.alpha_composite(over)
    return canvas.convert("RGB")


def _scale_key(image: Image.Image) -> None:
    """The transparent grey of a PNG of 2 or 4 bits, which Pillow scales only the pixels of."""
    for tile in getattr(image, "tile", ()):
        bits = {"L;2": 2, "L;4": 4}.get(str(tile[3]))
        key = image.info.get("transparency")
        if image.format == "PNG" and bits and isinstance(key, int):
            image.info["transparency"] = key * (255 // (2**bits - 1))


def _eight_bit(image: Image.Image) -> Image.Image:
    """Any of Pillow's modes as L, LA, CMYK, RGB or RGBA with 8 bits a channel."""
    if image.mode.startswith(("I", "F")):
        return _scaled(image)
    if image.mode in ("L", "CMYK", "RGB") and "transparency" not in image.info:
        return image
    if image.mode == "1" and image.info.get("transparency") == 1:  # as Pillow 9.5 reads white
        image.info["transparency"] = 255
    if image.mode == "RGB" and max(image.info["transparency"]) > 255:
        return _keyed_rgb(image)
    if image.mode == "LA":
        return image
    return image.convert("RGBA" if has_alpha(image) else "RGB")


def _scaled(image: Image.Image) -> Image.Image:
    """16-bit, 32-bit and float greys in 8 bits; Pillow's own conversion clips them to white."""
    values = np.asarray(image).astype(np.float64)
    top = values.max(initial=0.0)
    if image.mode == "F":
        white = next((limit for limit in (1.0, 255.0, 65535.0) if top <= limit), top)
    else:
        white = 65535.0 if top <= 65535 else 2.0**31 - 1
    grey = Image.fromarray(np.clip(np.rint(values * (255 / white)), 0, 255).astype(np.uint8))
    key = image.info.get("transparency")
    if isinstance(key, int):
        grey.putalpha(Image.fromarray(np.where(values == key, 0, 255).astype(np.uint8)))
    return grey


def _keyed_rgb(image: Image.Image) -> Image.Image:
    """RGB whose transparent colour is given in 16 bits, of which the pixels kept the high 8."""
    key = tuple(value >> 8 for value in image.info["transparency"])
    clear = (np.asarray(image) == key).all(axis=-1)
    seen = image.copy()
    seen.info.pop("transparency")
    seen.putalpha(Image.fromarray(np.where(clear, 0, 255).astype(np.uint8)))
    return seen


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """RGB or RGBA in sRGB; a profile that is broken or does not fit the pixels is left out."""
    alpha = image.getchannel("A") if image.mode in ("LA", "RGBA") else None
    opaque = {"LA": "L", "RGBA": "RGB"}.get(image.mode)
    colours = image.convert(opaque) if opaque else image  # a copy costs a fifth of the decoding
    seen = _through_profile(colours, profile) if profile else None
    if seen is None:
        seen = colours if colours.mode == "RGB" else colours.convert("RGB")
    if alpha is not None:
        seen.putalpha(alpha)
    seen.info = {}
    return seen


def _through_profile(image: Image.Image, profile: bytes) -> Image.Image | None:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        name = ImageCms.getProfileDescription(source).lower()
        if image.mode == "RGB" and "srgb" in name and "linear" not in name:
            return None  # the transform would only add rounding errors
        target = ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, source, target, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError, ImportError):
        return None
