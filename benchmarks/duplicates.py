"""How well and how fast copies are found, beside plain phash, imagededup and dupeGuru.

python benchmarks/duplicates.py [--seed 7] [--characters 30] [--copies 8] [--json FILE]
Needs scikit-image and matplotlib for their pictures; imagehash, imagededup (and a built checkout of
dupeGuru, --dupeguru FOLDER) are measured where they are there.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from duplicate_pool import KINDS, Pool, build_pool

from lib_lora_cook.dataset.duplicates import find_duplicates, plan_duplicates
from lib_lora_cook.dataset.images import scan_subset

Pairs = set[tuple[str, str]]


def pairs_of(groups: Iterable[Iterable[str]]) -> Pairs:
    """Every pair of names that share a group."""
    return {pair for group in groups for pair in combinations(sorted(group), 2)}


def connected(pairs: Pairs) -> list[list[str]]:
    """Groups of names that lead to one another, as tools without stars make them."""
    home: dict[str, set[str]] = {}
    for one, other in pairs:
        joined = home.get(one, {one}) | home.get(other, {other})
        home.update(dict.fromkeys(joined, joined))
    return [sorted(group) for group in {id(group): group for group in home.values()}.values()]


def ours(folder: Path) -> list[list[str]]:
    groups = find_duplicates(scan_subset(folder), folder=folder)
    planned = {change.path for change in plan_duplicates(groups)}
    kept = [any(image.path not in planned for image in group.files) for group in groups]
    assert all(kept), "a group would lose its last picture"
    return [
        [image.path.name for image in group.files] for group in groups if group.kind != "variant"
    ]


def phash(folder: Path, most: int = 10) -> list[list[str]]:
    """64 bits, as imagehash makes them."""
    import imagehash
    from PIL import Image

    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    bits = np.array([imagehash.phash(Image.open(folder / name)).hash.ravel() for name in names])
    signs = np.where(bits, 1.0, -1.0)
    near = np.argwhere(np.triu(signs @ signs.T >= 64 - 2 * most, 1))
    return connected({(names[one], names[other]) for one, other in near})


def imagededup(folder: Path) -> list[list[str]]:
    """PHash at its default."""
    from imagededup.methods import PHash

    found = PHash(verbose=False).find_duplicates(image_dir=str(folder))
    return connected({tuple(sorted((a, b))) for a, others in found.items() for b in others})


def dupeguru(folder: Path, checkout: Path, least: int) -> list[list[str]]:
    """Its blocks and its comparison, different dimensions allowed; alpha is dropped, as there."""
    sys.path.insert(0, str(checkout))
    from core.pe._block import avgdiff, getblocks2
    from PIL import Image

    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    blocks = []
    for name in names:
        with Image.open(folder / name) as image:
            blocks.append(getblocks2(image.convert("RGB"), 15))
    found: Pairs = set()
    for (one, a), (other, b) in combinations(zip(names, blocks, strict=True), 2):
        if 100 - avgdiff(a, b, 100 - least, 3) >= least:
            found.add((one, other))
    return connected(found)


def look_alikes(pool: Pool) -> list[tuple[int, int]]:
    """The groups of one family, in pairs."""
    pairs = combinations(sorted(pool.family), 2)
    return [(a, b) for a, b in pairs if pool.family[a] == pool.family[b]]


def shown(pool: Pool) -> float:
    """The share of look-alikes that are shown side by side, as variants."""
    groups = find_duplicates(scan_subset(pool.folder), folder=pool.folder)
    beside = [
        {pool.files[image.path.name][0] for image in group.files}
        for group in groups
        if group.kind == "variant"
    ]
    pairs = look_alikes(pool)
    return sum(any({a, b} <= them for them in beside) for a, b in pairs) / max(1, len(pairs))


def score(pool: Pool, groups: list[list[str]]) -> dict[str, Any]:
    """Precision, recall and F1 of pairs; recall by kind; look-alikes taken for copies."""
    group = {name: at for name, (at, _) in pool.files.items()}
    original = {at: name for name, (at, kind) in pool.files.items() if kind == "original"}
    members = defaultdict(list)
    for name, at in group.items():
        members[at].append(name)
    true, found = pairs_of(members.values()), pairs_of(groups)
    precision = len(true & found) / max(1, len(found))
    recall = len(true & found) / len(true)
    kinds = defaultdict(list)
    for name, (at, kind) in pool.files.items():
        if kind != "original":
            kinds[kind].append(tuple(sorted((name, original[at]))) in found)
    alike = [tuple(sorted((original[a], original[b]))) for a, b in look_alikes(pool)]
    return {
        "precision": round(precision, 4),
        "recall": round(recall, 4),
        "f1": round(2 * precision * recall / max(1e-9, precision + recall), 4),
        "variants_called_near": round(float(np.mean([p in found for p in alike])), 4),
        "variant_pairs": len(alike),
        "kinds": {kind: round(float(np.mean(kinds[kind])), 3) for kind in KINDS if kinds[kind]},
    }


def measured(
    pool: Pool, name: str, find: Callable[[Path], list[list[str]]]
) -> dict[str, Any] | None:
    start = time.perf_counter()
    try:
        groups = find(pool.folder)
    except ImportError as error:
        print(f"{name}: not here ({error})", file=sys.stderr)
        return None
    seconds = time.perf_counter() - start
    return {"method": name, "seconds": round(seconds, 1), **score(pool, groups)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--characters", type=int, default=30)
    parser.add_argument("--copies", type=int, default=8)
    parser.add_argument("--dupeguru", type=Path, metavar="FOLDER")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pool = build_pool(Path(folder), options.seed, options.characters, options.copies)
        rows = [
            measured(pool, "LoRA Cook", ours),
            measured(pool, "LoRA Cook, second look", ours),
            measured(pool, "phash, distance <= 10", phash),
            measured(pool, "phash, distance <= 4", lambda it: phash(it, 4)),
            measured(pool, "imagededup PHash", imagededup),
        ]
        if options.dupeguru:
            for least in (95, 80):
                find = lambda it, least=least: dupeguru(it, options.dupeguru, least)  # noqa: E731
                rows.append(measured(pool, f"dupeGuru, {least}", find))
        variants = round(shown(pool), 3)
    found = [row for row in rows if row]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    result = {
        "files": len(pool.files), "groups": len(pool.family), "rows": found, "mib": memory,
        "variants_shown": variants,
    }  # fmt: skip
    if options.json:
        options.json.write_text(json.dumps(result, indent=1), encoding="utf-8")
    print(f"{len(pool.files)} files in {len(pool.family)} groups")
    print(f"look-alikes that are shown side by side: {variants}")
    print("| method | P | R | F1 | variants called near | seconds |\n|---|---|---|---|---|---|")
    for row in found:
        print(
            f"| {row['method']} | {row['precision']:.3f} | {row['recall']:.3f} | {row['f1']:.3f} "
            f"| {row['variants_called_near']:.3f} | {row['seconds']} |"
        )
    print("\n| kind | " + " | ".join(row["method"] for row in found) + " |")
    print("|---" * (len(found) + 1) + "|")
    for kind in KINDS:
        cells = [f"{row['kinds'].get(kind, float('nan')):.2f}" for row in found]
        print(f"| {kind} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
