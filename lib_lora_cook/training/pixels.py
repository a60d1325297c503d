"""A picture as it is trained: scaled, cut, mirrored; and its mask, which goes the same way."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from ..dataset.images import open_image
from .buckets import LATENT, BucketFit, Size
from .pictures import Picture


def read_pixels(picture: Picture, *, mirrored: bool = False) -> Tensor:
    """[3, H, W] in -1..1, of the bucket's size; under random_crop as much as was not cut yet.

    Transparency is seen on white, but under alpha_mask, as in sd-scripts: there the colours below
    it are meant to be seen, only not to be learnt.
    """
    image = open_image(picture.image.path)
    if image.mode == "RGBA" and not picture.subset.alpha_mask:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    pixels = _fitted(image.convert("RGB"), picture, mirrored)
    return torch.from_numpy(pixels).permute(2, 0, 1).float() / 127.5 - 1.0


def read_mask(picture: Picture, *, mirrored: bool = False) -> Tensor | None:
    """[h, w] in 0..1, how much each latent pixel counts; None where no mask is asked for.

    The mask picture's red, or else the picture's alpha, averaged over the 8x8 pixels of each latent
    one. It is not scaled to a mean of 1: a small mask gives a small loss, as in sd-scripts.
    """
    if picture.mask is not None:
        channel = open_image(picture.mask).convert("RGB").getchannel("R")
    elif picture.subset.alpha_mask:
        image = open_image(picture.image.path)
        white = Image.new("L", image.size, 255)
        channel = image.getchannel("A") if image.mode == "RGBA" else white
    else:
        return None
    mask = torch.from_numpy(_fitted(channel, picture, mirrored)).float() / 255.0
    return F.avg_pool2d(mask[None, None], LATENT)[0, 0]


def _fitted(image: Image.Image, picture: Picture, mirrored: bool) -> np.ndarray:
    """[H, W] or [H, W, 3] in 0..255: scaled, cut and mirrored."""
    image = resized(image, picture.fit.resized).crop(encoded_box(picture))
    if mirrored:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return np.asarray(image).copy()


def encoded_box(picture: Picture) -> tuple[int, int, int, int]:
    """What of the resized picture is encoded."""
    fit: BucketFit = picture.fit
    return fit.whole_box if picture.subset.random_crop else fit.crop_box


def resized(image: Image.Image, size: Size) -> Image.Image:
    """The picture at (width, height) as kohya does: by area where both shrink, else by Lanczos."""
    if size[0] <= image.width and size[1] <= image.height:
        return Image.fromarray(shrunk(np.asarray(image), size))
    return image.resize(size, Image.Resampling.LANCZOS)


def shrunk(pixels: np.ndarray, size: Size) -> np.ndarray:
    """[H, W] or [H, W, 3] at a smaller (width, height), each pixel the mean of what it covers.

    This is OpenCV's INTER_AREA. Pillow's BOX takes whole pixels only, and so differs by several
    levels wherever the scale is no whole number.
    """
    rows, columns = _coverage(pixels.shape[0], size[1]), _coverage(pixels.shape[1], size[0])
    high = np.tensordot(rows, pixels.astype(np.float32), 1)
    wide = np.tensordot(columns, high, (1, 1)).swapaxes(0, 1)
    return wide.round().clip(0, 255).astype(np.uint8)


def _coverage(length: int, count: int) -> np.ndarray:
    """[count, length]: how much each of `length` pixels gives to each of `count`; rows add to 1."""
    edges, pixel = np.linspace(0, length, count + 1)[:, None], np.arange(length)
    overlap = np.minimum(edges[1:], pixel + 1) - np.maximum(edges[:-1], pixel)
    return (overlap.clip(0) * count / length).astype(np.float32)
