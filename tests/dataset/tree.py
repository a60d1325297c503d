"""Small datasets on disk for the tests, and what a folder holds byte for byte."""

import os
from pathlib import Path

import numpy as np
from PIL import Image

OLD = 1_500_000_000_123_456_700  # a time in the past, whose nanoseconds must survive


def picture(size: tuple[int, int] = (8, 6), seed: int = 0, mode: str = "RGB") -> Image.Image:
    """Noise, different for every seed."""
    shape = (size[1], size[0], len(mode))
    pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    return Image.fromarray(pixels)


def save(path: Path, image: Image.Image, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)
    os.utime(path, ns=(OLD, OLD))
    return path


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    os.utime(path, ns=(OLD, OLD + 1_000))
    return path


def snapshot(folder: Path) -> dict[str, tuple[bytes, int] | None]:
    """Every file's bytes and time, every folder, without the journal's own."""
    found: dict[str, tuple[bytes, int] | None] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if not name.startswith(".lora_cook"):
            found[name] = (path.read_bytes(), path.stat().st_mtime_ns) if path.is_file() else None
    return found


def dirty_folder(folder: Path) -> Path:
    """Five pictures of several kinds; captions and a cache for some."""
    save(folder / "a.webp", picture(seed=1), lossless=True)
    save(folder / "a.png", picture(seed=2))
    write(folder / "a.txt", "solo, blue hair\r\n")
    save(folder / "b.webp", picture(seed=3, mode="RGBA"), lossless=True)
    write(folder / "b.txt", "1girl, smile")
    write(folder / "b_0006x0008_sd.npz", "latents")
    save(folder / "c.png", picture((4, 4), seed=4))
    save(folder / "d.jpg", picture(seed=5))
    write(folder / "d.caption", "a drawing")
    write(folder / "notes.md", "not ours")
    return folder
