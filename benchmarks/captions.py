"""Seconds of the caption editor's operations, and its memory. Never a timed test.

    python -m benchmarks.captions --captions 1000 2000 20000 100000
    python -m benchmarks.captions --captions 1000 2000 --beside "python other_editor.py"

--beside runs another program on the same captions just after: it is given their folder, and prints
one JSON object of operation -> seconds. Every size runs in a process of its own, so that its peak
of memory is its own. --processor tells processor time instead of the clock's, which a busy machine
disturbs less; only the other program knows which of both it prints. Run it from the repository's
root.
"""

from __future__ import annotations

import argparse
import json
import random
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lib_lora_cook.dataset import caption_edits as edits
from lib_lora_cook.dataset import journal
from lib_lora_cook.dataset.caption_edits import CaptionEdit
from lib_lora_cook.dataset.editor import open_editor
from lib_lora_cook.dataset.filters import RegexFilter, TagFilter, completions, ordered

TAGS = 35
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b550000000a49444154789c63600000"
    "0002000148afa4710000000049454e44ae426082"
)
"""A whole PNG of one pixel."""
ADJECTIVES = ("long", "short", "blue", "red", "green", "black", "white", "open", "shut", "torn")
COMMON = ("1girl", "solo", "long hair", "blue eyes", "smile")
BATCH: dict[str, CaptionEdit] = {
    "prepend": edits.prepend("kafka"),
    "append": edits.append(["masterpiece"]),
    "remove": edits.remove(["smile"]),
    "replace": edits.replace("thing1", "stuff"),
    "replace by regex": edits.replace(r"thing(\d)", r"x\1", regex=True),
    "replace in captions": edits.replace("long ", "short ", "caption"),
    "dedupe": edits.dedupe(),
    "sort": edits.sort(keep_tokens=1),
    "truncate": edits.truncate(75, str.split),
}


def make_dataset(folder: Path, captions: int) -> None:
    """Pictures of one pixel with captions of 35 tags out of 3,000; five are nearly everywhere."""
    rng = random.Random(captions)
    words = [f"{adjective} thing{number}" for adjective in ADJECTIVES for number in range(300)]
    for number in range(captions):
        tags = [tag for tag in COMMON if rng.random() < 0.95]
        tags += rng.sample(words, TAGS - len(tags))
        (folder / f"{number:06}.png").write_bytes(PIXEL)
        (folder / f"{number:06}.txt").write_text(", ".join(tags))


def measure(folder: Path, clock: Callable[[], float]) -> dict[str, float]:
    """Operation -> seconds, and `memory`: the most megabytes this process has held."""
    seconds: dict[str, float] = {}

    def lap(name: str, work: Callable[[], Any]) -> Any:
        start = clock()
        result = work()
        seconds[name] = clock() - start
        return result

    editor = lap("load", lambda: open_editor(folder))
    lap("tags by frequency", lambda: ordered(editor.counts()))
    wanted = [TagFilter(("long hair", "smile")), TagFilter(("solo",), "none")]
    lap("filter by tags", lambda: editor.found(wanted))
    lap("filter by regex", lambda: editor.found([RegexFilter("^blue.*9$")]))
    lap("complete a tag", lambda: completions("lon", editor.counts()))
    for name, edit in BATCH.items():
        lap(name, lambda edit=edit: editor.apply(edit))
    lap("undo all", lambda: [editor.undo() for _ in BATCH])
    editor.redo()
    assert len(editor.unsaved()) == len(editor)
    saved = lap("save", editor.save)
    assert len(saved.applied) == len(editor) and not saved.failed
    seconds["memory"] = peak_megabytes()
    lap("undo on disk", lambda: journal.undo(folder))
    return seconds


def peak_megabytes() -> float:
    """The most memory that this process has held; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def measured(
    captions: int, beside: str, more: Sequence[str]
) -> tuple[dict[str, float], dict[str, float]]:
    """Ours and the other program's numbers for one size."""
    with tempfile.TemporaryDirectory() as folder:
        make_dataset(Path(folder), captions)
        ours = json.loads(
            run([sys.executable, "-m", "benchmarks.captions", "--one", folder, *more])
        )
        return ours, json.loads(run([*shlex.split(beside), folder])) if beside else {}


def run(command: Sequence[str]) -> str:
    """A command's output; what it says on stderr is shown."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def table(sizes: Sequence[int], found: Sequence[tuple[dict[str, float], dict[str, float]]]) -> str:
    """Markdown: a line an operation, a column a size, and beside it the other's and the ratio."""
    heads = []
    for size, (_, other) in zip(sizes, found, strict=True):
        heads += [f"{size:,}"] + (["other", "ratio"] if other else [])
    lines = [f"| seconds | {' | '.join(heads)} |", "|" + "---|" * (len(heads) + 1)]
    for name in found[0][0]:
        cells = []
        for ours, other in found:
            cells.append(f"{ours[name]:.0f} MB" if name == "memory" else f"{ours[name]:.3f}")
            if other:
                there = other.get(name)
                cells += ["", ""] if there is None else [
                    f"{there:.2f}", f"{there / ours[name]:.0f}",
                ]  # fmt: skip
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--captions", type=int, nargs="+", default=[1000, 20000])
    parser.add_argument("--beside", default="", metavar="COMMAND")
    parser.add_argument("--processor", action="store_true", help="processor time")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        clock = time.process_time if options.processor else time.perf_counter
        print(json.dumps(measure(options.one, clock)))
        return
    more = ["--processor"] if options.processor else []
    found = [measured(it, options.beside, more) for it in options.captions]
    print(table(options.captions, found))


if __name__ == "__main__":
    main()
