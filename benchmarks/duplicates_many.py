"""A large pool of small pictures with copies among them, and how long a look at it takes.

python benchmarks/duplicates_many.py [--count 20000] [--toys .2] [--copies .2] [--folder DIR]
Decoding, searching, comparing and a second look are timed apart, by the clock and in CPU time; the
most memory is that of the process. Recall is of each kind of copy against its original. A folder
that is there is looked at as it is.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from itertools import combinations, repeat
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from duplicate_pool import KINDS, Picture

from lib_lora_cook.dataset.duplicates import Group, find, find_duplicates
from lib_lora_cook.dataset.duplicates.checks import Checks
from lib_lora_cook.dataset.images import OWN_FOLDER, ImageFile, scan_subset
from lib_lora_cook.demo.characters import random_character
from lib_lora_cook.demo.drawing import draw

CHUNK = 500
PARTS = (
    (find, "_read", "decoding"),
    (Checks, "_search", "searching"),
    (Checks, "_found", "comparing"),
)
Seconds = dict[str, float]
TRUTH = "truth.json"
WAYS = ("shrunk", "enlarged", "jpeg", "crop", "mirror", "grey", "border", "brightness")


def scene(rng: random.Random) -> Picture:
    """Blurred colours with a few shapes before them, 96 to 160 pixels a side."""
    draws = np.random.default_rng(rng.getrandbits(32))
    size = rng.randint(96, 160), rng.randint(96, 160)
    ground = draws.integers(0, 256, (rng.randint(3, 7), rng.randint(3, 7), 3), np.uint8)
    picture = Image.fromarray(ground).resize(size, Image.Resampling.BICUBIC)
    for _ in range(rng.randint(2, 6)):
        left, top = rng.randrange(size[0]), rng.randrange(size[1])
        box = left, top, left + rng.randint(8, 50), top + rng.randint(8, 50)
        picture.paste(tuple(draws.integers(0, 256, 3).tolist()), box)
    return picture


def write_chunk(
    folder: Path, start: int, number: int, toys: float, copies: float
) -> dict[str, tuple[str, str]]:
    """`number` pictures from number `start` on, the same for the same arguments.

    Returns by name which picture each is a copy of and the way it was made, "" of an original.
    """
    rng = random.Random(start)
    picture, original = scene(rng), ""
    made = {}
    for at in range(start, start + number):
        name = f"{at:06d}.jpg"
        copy = rng.random() < copies and bool(original)
        if not copy:
            toy = rng.random() < toys
            picture = draw(random_character(rng), 64, rng) if toy else scene(rng)
            original = name
        shown, way = picture, rng.choice(WAYS) if copy else ""
        for step in KINDS[way] if copy else ():
            shown = step(shown, rng)
        shown.save(folder / name, quality=90)
        made[name] = original, way
    return made


def build_many(folder: Path, number: int, toys: float, copies: float) -> None:
    """Write the pool and what is known of it, on all cores."""
    folder.mkdir(parents=True)
    starts = range(0, number, CHUNK)
    sizes = [min(CHUNK, number - start) for start in starts]
    with ProcessPoolExecutor() as processes:
        made = processes.map(
            write_chunk, repeat(folder), starts, sizes, repeat(toys), repeat(copies)
        )
        truth = {name: known for chunk in made for name, known in chunk.items()}
    (folder / TRUTH).write_text(json.dumps(truth), encoding="utf-8")


@contextmanager
def timed(seconds: Seconds, what: str) -> Iterator[None]:
    """Add what is spent, by the clock and in CPU time."""
    start, cpu = time.perf_counter(), time.process_time()
    yield
    spent = {what: time.perf_counter() - start, f"{what}, CPU": time.process_time() - cpu}
    for name, took in spent.items():
        seconds[name] = round(seconds.get(name, 0) + took, 2)


def clock(seconds: Seconds, owner: object, name: str, what: str) -> None:
    """Have every call of that function timed."""
    call = getattr(owner, name)

    def timed_call(*arguments: object) -> object:
        with timed(seconds, what):
            return call(*arguments)

    setattr(owner, name, timed_call)


def look(images: list[ImageFile], folder: Path, seconds: Seconds) -> tuple[list[Group], Seconds]:
    """The groups, and how long each part took."""
    seconds.clear()
    with timed(seconds, "all"):
        groups = find_duplicates(images, folder=folder)
    for end in ("", ", CPU"):
        after = seconds[f"all{end}"] - seconds[f"decoding{end}"]
        seconds[f"after decoding{end}"] = round(after, 2)
    return groups, dict(seconds)


def score(truth: dict[str, tuple[str, str]], groups: list[Group]) -> dict[str, object]:
    """Recall of each way, and the share of pairs in one group that are no copies."""
    sets = [{it.path.name for it in group.files} for group in groups if group.kind != "variant"]
    home = {name: at for at, names in enumerate(sets) for name in names}
    found: dict[str, list[bool]] = {way: [] for way in WAYS}
    for name, (original, way) in truth.items():
        if way:
            found[way].append(name in home and home[name] == home.get(original))
    pairs = [truth[a][0] == truth[b][0] for names in sets for a, b in combinations(names, 2)]
    recall = {way: round(sum(them) / max(1, len(them)), 3) for way, them in found.items()}
    return {"recall": recall, "precision": round(sum(pairs) / max(1, len(pairs)), 4)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--toys", type=float, default=0.2, help="share of toy world drawings")
    parser.add_argument("--copies", type=float, default=0.2, help="share of copies")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    seconds: Seconds = {}
    for owner, name, part in PARTS:
        clock(seconds, owner, name, part)
    with tempfile.TemporaryDirectory() as place:
        folder = options.folder or Path(place) / "pool"
        if not folder.exists():
            build_many(folder, options.count, options.toys, options.copies)
        shutil.rmtree(folder / OWN_FOLDER, ignore_errors=True)
        images = scan_subset(folder)
        groups, first = look(images, folder, seconds)
        _, second = look(images, folder, seconds)
        truth = json.loads((folder / TRUTH).read_text(encoding="utf-8"))
    near = sum(len(group.files) - 1 for group in groups if group.kind != "variant")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    result = {"files": len(images), "copies": near, "mib": memory, **score(truth, groups)}
    print(json.dumps(result | {"first look": first, "second look": second}, indent=1))


if __name__ == "__main__":
    main()
