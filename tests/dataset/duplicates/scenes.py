"""Pictures with large shapes, made of numbers."""

import numpy as np
from PIL import Image


def scene(seed: int, side: int = 240) -> Image.Image:
    """Blurred colours with blocks before them."""
    draws = np.random.default_rng(seed)
    ground = draws.integers(0, 256, (6, 6, 3), np.uint8)
    picture = Image.fromarray(ground).resize((side, side), Image.Resampling.BICUBIC)
    for _ in range(5):
        left, top, wide, high = draws.integers(side // 8, side // 2, 4).tolist()
        colour = tuple(draws.integers(0, 256, 3).tolist())
        picture.paste(colour, (left, top, left + wide, top + high))
    return picture
