"""WebP to PNG: this program beside a loop of Pillow's default save, in turn on the same files.

    python -m benchmarks.convert PICTURES… [--count 60] [--side 1024] [--rounds 5]

The pictures given are scaled to `side`, cut differently and saved as WebP, as many as `count`. Ours
is the whole of `convert`: scan, plan, journal, every file brought safely to the disk. Prints one
JSON object: medians over the rounds of both in pictures a second, of their ratio, and of the sizes'
ratio. Never a timed test. Run it from the repository's root.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image

from lib_lora_cook.dataset import journal
from lib_lora_cook.dataset.changes import plan_convert
from lib_lora_cook.dataset.images import scan_subset


def make_pool(folder: Path, sources: Sequence[Path], count: int, side: int) -> None:
    """WebP pictures of side x side pixels, each a different part of a source."""
    rng = random.Random(0)
    for number in range(count):
        with Image.open(sources[number % len(sources)]) as image:
            picture = image.convert("RGB")
        least = min(picture.size)
        part = round(least * rng.uniform(0.7, 1))
        left, top = (rng.randint(0, length - part) for length in picture.size)
        cut = picture.crop((left, top, left + part, top + part)).resize((side, side))
        cut.save(folder / f"{number:04}.webp", quality=90)


def guide(folder: Path, out: Path) -> None:
    """Pillow's default, one picture after another."""
    for path in sorted(folder.glob("*.webp")):
        with Image.open(path) as image:
            image.save(out / f"{path.stem}.png")


def ours(folder: Path) -> None:
    """`lora-cook convert`."""
    applied = journal.apply_changes(folder, plan_convert(scan_subset(folder)))
    assert not applied.failed


def seconds(work: Callable[[], None]) -> float:
    """How long it takes."""
    os.sync()
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def size_of(folder: Path) -> int:
    """Bytes of its PNG files."""
    return sum(path.stat().st_size for path in folder.glob("*.png"))


def one_round(pool: Path, place: Path, ours_first: bool) -> tuple[float, float, float]:
    """(seconds of the loop, of ours, our bytes / theirs)."""
    out, folder = place / "guide", place / "ours"
    out.mkdir()
    shutil.copytree(pool, folder)
    works = [lambda: guide(pool, out), lambda: ours(folder)]
    order = [1, 0] if ours_first else [0, 1]
    took = {which: seconds(works[which]) for which in order}
    ratio = size_of(folder) / size_of(out)
    for path in (out, folder):
        shutil.rmtree(path)
    return took[0], took[1], ratio


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("sources", type=Path, nargs="+")
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        pool = Path(name) / "pool"
        pool.mkdir()
        make_pool(pool, options.sources, options.count, options.side)
        rounds = [one_round(pool, Path(name), bool(n % 2)) for n in range(options.rounds)]
    result = {
        "guide": statistics.median(options.count / it[0] for it in rounds),
        "ours": statistics.median(options.count / it[1] for it in rounds),
        "ratio": statistics.median(it[0] / it[1] for it in rounds),
        "bytes": statistics.median(it[2] for it in rounds),
    }
    print(json.dumps({key: round(value, 3) for key, value in result.items()}))


if __name__ == "__main__":
    main()
