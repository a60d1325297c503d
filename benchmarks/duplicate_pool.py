"""A pool of pictures with known copies: what packages ship and the toy world draws, and each way
in which a picture comes to lie in a folder twice. Pictures that only look alike are in it too.
"""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path

from PIL import Image, ImageDraw, ImageEnhance, ImageFont, ImageOps

from lib_lora_cook.demo.characters import (
    ACCESSORIES,
    EXPRESSIONS,
    OUTFIT_COLORS,
    OUTFITS,
    Character,
    random_character,
)
from lib_lora_cook.demo.drawing import draw

Picture = Image.Image
Step = Callable[[Picture, random.Random], Picture]
SHIPPED = {
    "skimage": ("data/*.png", "data/*.jpg"),
    "matplotlib": ("mpl-data/sample_data/*.png", "mpl-data/sample_data/*.jpg"),
}
SAME = {"chessboard_RGB"}  # what another one ships under a second name
SIDE = 1024  # larger originals are reduced to this first, to spare time


@dataclass
class Pool:
    """What was written: file -> (group, kind of copy), and group -> family of look-alikes."""

    folder: Path
    files: dict[str, tuple[int, str]] = field(default_factory=dict)
    family: dict[int, str] = field(default_factory=dict)

    def add(self, group: int, kind: str, picture: Picture, save: dict[str, object]) -> None:
        """Write one picture."""
        ending = {"JPEG": "jpg", "WEBP": "webp"}.get(str(save["format"]), "png")
        if ending == "jpg":
            picture = flat(picture)
        name = f"{len(self.files):05d}.{ending}"
        picture.save(self.folder / name, **save)
        self.files[name] = (group, kind)


def flat(picture: Picture, colour: str = "white") -> Picture:
    """The picture on a colour, RGB."""
    if picture.mode == "RGB":
        return picture
    over = picture.convert("RGBA")
    ground = Image.new("RGBA", over.size, colour)
    ground.alpha_composite(over)
    return ground.convert("RGB")


def scaled(low: float, high: float) -> Step:
    def step(picture: Picture, rng: random.Random) -> Picture:
        factor = rng.uniform(low, high)
        size = [max(1, round(side * factor)) for side in picture.size]
        ways = (Image.Resampling.BICUBIC, Image.Resampling.LANCZOS, Image.Resampling.BILINEAR)
        return picture.resize(size, rng.choice(ways))

    return step


def cropped(*sides: tuple[float, float]) -> Step:
    """Cut at left, top, right, bottom between two shares of the side each, sides shuffled."""

    def step(picture: Picture, rng: random.Random) -> Picture:
        cuts = [rng.uniform(*side) for side in rng.sample(sides, len(sides))]
        width, height = picture.size
        box = (cuts[0] * width, cuts[1] * height, (1 - cuts[2]) * width, (1 - cuts[3]) * height)
        return picture.crop(tuple(round(edge) for edge in box))

    return step


def compressed(ending: str, low: int, high: int) -> Step:
    def step(picture: Picture, rng: random.Random) -> Picture:
        file = io.BytesIO()
        flat(picture).save(file, ending, quality=rng.randint(low, high))
        return Image.open(file).convert("RGB")

    return step


def bordered(low: float, high: float) -> Step:
    def step(picture: Picture, rng: random.Random) -> Picture:
        colour = rng.choice(("white", "black", "grey", "#d02040", "#204080"))
        width = max(1, round(rng.uniform(low, high) * min(picture.size)))
        return ImageOps.expand(flat(picture), width, colour)

    return step


def letterboxed(share: float) -> Step:
    """Bars of this share of the side above and below, or left and right."""

    def step(picture: Picture, rng: random.Random) -> Picture:
        bars = (0, share) if rng.random() < 0.6 else (share, 0)
        pads = [round(bar * side) for bar, side in zip(bars, picture.size, strict=True)]
        return ImageOps.expand(flat(picture), tuple(pads), rng.choice(("black", "black", "white")))

    return step


def watermarked(picture: Picture, rng: random.Random) -> Picture:
    picture = flat(picture).convert("RGBA")
    width, height = picture.size
    text = rng.choice(("@artist", "(c) sample 2023", "patreon.com/name", "SAMPLE", "pixiv 12345"))
    font = ImageFont.load_default(max(9, round(width * rng.uniform(0.035, 0.08))))
    layer = Image.new("RGBA", picture.size)
    pen = ImageDraw.Draw(layer)
    _, _, right, bottom = pen.textbbox((0, 0), text, font)
    places = ((0.03, 0.93), (0.97, 0.93), (0.5, 0.5), (0.97, 0.03), (0.5, 0.95))
    across, down = rng.choice(places)
    shade = (*rng.choice(((255, 255, 255), (0, 0, 0), (230, 230, 230))), rng.randint(90, 220))
    pen.text((across * (width - right), down * (height - bottom)), text, shade, font)
    return Image.alpha_composite(picture, layer).convert("RGB")


def hue(low: int, high: int) -> Step:
    def step(picture: Picture, rng: random.Random) -> Picture:
        turn = rng.choice((-1, 1)) * rng.randint(low, high) * 256 // 360
        hue, *rest = flat(picture).convert("HSV").split()
        return Image.merge("HSV", (hue.point(lambda v: (v + turn) % 256), *rest)).convert("RGB")

    return step


def enhanced(kind: type[ImageEnhance._Enhance], low: float, high: float) -> Step:
    return lambda picture, rng: kind(flat(picture)).enhance(rng.uniform(low, high))


def grey(picture: Picture, rng: random.Random) -> Picture:
    return flat(picture).convert("L").convert("RGB")


def flattened(picture: Picture, rng: random.Random) -> Picture:
    return flat(picture, rng.choice(("white", "white", "black")))


def mirrored(picture: Picture, rng: random.Random) -> Picture:
    return ImageOps.mirror(picture)


ANY = (0.0, 0.12)
KINDS: dict[str, tuple[Step, ...]] = {
    "exact": (),
    "shrunk": (scaled(0.4, 0.9),),
    "enlarged": (scaled(1.2, 1.9),),
    "jpeg": (compressed("JPEG", 28, 90),),
    "webp": (compressed("WEBP", 35, 90),),
    "crop": (cropped(ANY, ANY, ANY, ANY),),
    "crop 12% all round": (cropped(*[(0.115, 0.12)] * 4),),
    "crop one side": (cropped((0.08, 0.12), (0, 0), (0, 0), (0, 0)),),
    "border": (bordered(0.02, 0.13),),
    "letterbox": (letterboxed(0.12),),
    "watermark": (watermarked,),
    "brightness": (enhanced(ImageEnhance.Brightness, 0.65, 1.35),),
    "contrast": (enhanced(ImageEnhance.Contrast, 0.65, 1.4),),
    "hue": (hue(12, 90),),
    "saturation": (enhanced(ImageEnhance.Color, 0.3, 1.8),),
    "grey": (grey,),
    "mirror": (mirrored,),
    "flattened": (flattened,),
    "mirror, shrunk": (mirrored, scaled(0.5, 0.8)),
    "crop, jpeg": (cropped(ANY, ANY, ANY, ANY), compressed("JPEG", 40, 85)),
    "crop, mirror, shrunk": (cropped(ANY, ANY, ANY, ANY), mirrored, scaled(0.5, 0.9)),
    "border, jpeg": (bordered(0.02, 0.1), compressed("JPEG", 40, 85)),
    "brightness, webp": (enhanced(ImageEnhance.Brightness, 0.75, 1.3), compressed("WEBP", 50, 85)),
    "letterbox, shrunk, jpeg": (letterboxed(0.12), scaled(0.5, 0.9), compressed("JPEG", 50, 85)),
}
PNG: dict[str, object] = {"format": "PNG", "compress_level": 1}
ENDS = {"jpeg": "JPEG", "webp": "WEBP"}


def saving(kind: str, rng: random.Random) -> dict[str, object]:
    """What a copy is saved as: the lossy kinds are lossy already, a few others become so."""
    return PNG if rng.random() < 0.8 or "exact" in kind else {"format": "WEBP", "lossless": True}


def originals(
    characters: int, rng: random.Random, extra: list[Path]
) -> Iterator[tuple[str, Picture]]:
    """(family, picture); pictures of one family are look-alikes and no copies."""
    for package, patterns in SHIPPED.items():
        spec = find_spec(package)
        home = Path(spec.origin or "").parent if spec else Path()
        paths = sorted(path for pattern in patterns if spec for path in home.glob(pattern))
        for path in paths:
            if path.stem in SAME:
                continue
            with Image.open(path) as image:
                image.load()
            yield f"{package}/{path.stem}", reduced(image)
    for path in extra:
        with Image.open(path) as image:
            image.load()
        yield "_".join(path.stem.split("_")[:-1]) or path.stem, reduced(image)
    for number in range(characters):
        yield from ((f"toy {number}", picture) for picture in toy_family(rng))


def reduced(image: Picture) -> Picture:
    """RGB or RGBA, at most SIDE on a side."""
    clear = image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info
    image = image.convert("RGBA" if clear else "RGB")
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    return image


def toy_family(rng: random.Random) -> Iterator[Picture]:
    """One character in one pose: as it is, with other expressions, and in other costumes."""
    first = random_character(rng)
    size, pose = rng.choice((64, 128, 256, 384, 512)), rng.randrange(10**6)
    clear = rng.random() < 0.2

    def drawn(character: Character) -> Picture:
        return draw(character, size, random.Random(pose), transparent=clear)

    yield drawn(first)
    others: list[Character] = [
        replace(first, expression=name) for name in EXPRESSIONS if name != first.expression
    ]
    wardrobe = [
        replace(
            first, outfit_color=rng.choice([c for c in OUTFIT_COLORS if c != first.outfit_color])
        ),
        replace(first, outfit=rng.choice([o for o in OUTFITS if o != first.outfit])),
        replace(first, accessory=rng.choice([a for a in ACCESSORIES if a != first.accessory])),
    ]
    yield from map(drawn, rng.sample(others, 2) + rng.sample(wardrobe, 2))


def build_pool(
    folder: Path, seed: int, characters: int, copies: int, extra: list[Path] | None = None
) -> Pool:
    """Write originals and `copies` copies of each, kinds taken in turn, parameters drawn."""
    rng = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    pool = Pool(folder)
    turn = 0
    kinds = list(KINDS)
    for group, (family, picture) in enumerate(originals(characters, rng, extra or [])):
        pool.family[group] = family
        pool.add(group, "original", picture, PNG)
        for _ in range(copies):
            kind = kinds[turn % len(kinds)]
            turn += 1
            copy = picture
            for step in KINDS[kind]:
                copy = step(copy, rng)
            pool.add(group, kind, copy, saving(kind, rng))
    return pool
