"""Seconds of each button of the Tag step and of the gallery, as the browser presses them.

    python -m benchmarks.buttons --pictures 20000

Each is the page's own handler on a folder on disk, from the pressed button's values to the HTML
that goes back; gradio's and the browser's share is not in it. What can be pressed again is, and the
least time is shown. Never a timed test. Run it from the repository's root.
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.captions import make_dataset
from benchmarks.tagger import write_labels
from lib_lora_cook.ui import texts
from lib_lora_cook.ui.bench import Bench
from lib_lora_cook.ui.clean.gallery_tab import GalleryHandlers
from lib_lora_cook.ui.runner import Runner
from lib_lora_cook.ui.tag.editor_tab import EditorHandlers

DRAWINGS, SIDE, ROUNDS = 64, 512, 5
OPERATIONS = {
    texts.DO_PREPEND: ("kafka", "", False),
    texts.DO_APPEND: ("masterpiece", "", False),
    texts.DO_REMOVE: ("smile", "", False),
    texts.DO_RENAME: ("solo", "alone", False),
    texts.DO_REPLACE: (r"thing(\d)", r"x\1", True),
    texts.DO_REPLACE_ALL: ("long ", "short ", False),
    texts.DO_SORT: ("", "", False),
    texts.DO_DEDUPE: ("", "", False),
    texts.DO_TRUNCATE: ("75", "", False),
}


def make_folder(folder: Path, count: int) -> None:
    """Pictures of 512 pixels, each of 64 many times, with the captions of benchmarks.captions."""
    make_dataset(folder, count)
    rng, drawings = np.random.default_rng(0), []
    for _ in range(DRAWINGS):
        blocks = rng.integers(0, 256, (SIDE // 8, SIDE // 8, 3), dtype=np.uint8)
        stream = io.BytesIO()
        Image.fromarray(blocks).resize((SIDE, SIDE), 0).save(stream, "PNG")
        drawings.append(stream.getvalue())
    for number, path in enumerate(sorted(folder.glob("*.png"))):
        path.write_bytes(drawings[number % DRAWINGS])


def form(**wishes: Any) -> list[Any]:
    """The editor's widgets as they stand at first, but for these."""
    filled = {
        "having": "", "any_of": "", "lacking": "", "pattern": "", "where": "in a tag",
        "only": False, "order": "by frequency", "search": "", "operation": texts.DO_APPEND,
        "first": "", "second": "", "regex": False, **wishes,
    }  # fmt: skip
    return list(filled.values())


Press = tuple[str, Callable[[], Any]]


def presses(editor: EditorHandlers, gallery: GalleryHandlers, folder: str) -> Iterator[Press]:
    """(name, press) of every button, in an order in which each has something to do."""
    none: list[Any] = [[], "", "", "any", [], "0", "", ""]

    def said(act: str, **facts: Any) -> list[Any]:
        return editor.on_press(json.dumps({"act": act, **facts}), folder, *form())

    def complete(typed: str) -> str:
        asked = json.dumps({"act": "complete", "typed": typed, "others": "solo, smile"})
        return editor.on_complete(asked, folder, ["wd"])

    def page(act: str) -> list[Any]:
        return gallery.on_gallery(json.dumps({"act": act, "page": 3}), folder)

    yield "gallery: first page", lambda: gallery.on_show(folder, *none)
    yield "gallery: first page again", lambda: gallery.on_show(folder, *none)
    yield "gallery: next page", lambda: page("next")
    tagged = [*none[:6], "smile", "long hair"]
    yield "gallery: filter by tags, first time", lambda: gallery.on_show(folder, *tagged)
    yield "gallery: filter by tags", lambda: gallery.on_show(folder, *tagged)
    yield "gallery: filter by stars", lambda: gallery.on_show(folder, *none[:5], "1", "", "")
    yield "gallery: filter by side", lambda: gallery.on_show(folder, [], "600", *none[2:])
    yield "editor: open, first time", lambda: editor.on_open(folder, *form())
    yield "editor: open again", lambda: editor.on_open(folder, *form())
    yield (
        "editor: filter by tags",
        lambda: editor.on_open(folder, *form(having="smile", lacking="long hair")),
    )
    yield "editor: filter by expression", lambda: editor.on_open(folder, *form(pattern="^blue.*9$"))
    yield "editor: next page", lambda: said("next")
    yield "editor: select all", lambda: said("all")
    yield "editor: select one", lambda: said("choose", row=7)
    yield "editor: select none", lambda: said("none")
    yield "editor: write one", lambda: said("write", row=7, text="a caption, of its own")
    yield "complete: l", lambda: complete("l")
    yield "complete: long", lambda: complete("long")
    for operation, (first, second, regex) in OPERATIONS.items():
        filled = form(operation=operation, first=first, second=second, regex=regex)
        yield f"difference: {operation}", lambda filled=filled: editor.on_look(folder, *filled)
        yield f"apply: {operation}", lambda filled=filled: editor.on_apply(folder, *filled)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=20_000)
    parser.add_argument("--folder", type=Path, help="one that is there already")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder, home = options.folder or Path(place, "set"), Path(place, "home")
        if not options.folder:
            folder.mkdir()
            make_folder(folder, options.pictures)
        tagger = home / "wd"
        tagger.mkdir(parents=True)
        write_labels(tagger)
        host = SimpleNamespace(cache_dir=home / "cache", taggers=lambda: {"wd": tagger})
        bench = Bench(host, Runner())  # type: ignore[arg-type]
        print("| button | seconds | of processor time |\n|---|---|---|")
        editor = EditorHandlers(bench)
        undone = []
        for name, press in presses(editor, GalleryHandlers(bench), str(folder)):
            rounds = 1 if "first" in name and "apply" not in name else ROUNDS
            seconds = []
            for _ in range(rounds):
                start, busy = time.perf_counter(), time.process_time()
                press()
                seconds.append((time.perf_counter() - start, time.process_time() - busy))
                if name.startswith("apply"):
                    start, busy = time.perf_counter(), time.process_time()
                    editor.on_undo(str(folder), *form())
                    undone.append((time.perf_counter() - start, time.process_time() - busy))
            clock, busy = (min(it) for it in zip(*seconds, strict=True))
            print(f"| {name} | {clock:.2f} | {busy:.2f} |", flush=True)
        clock, busy = (sorted(it)[len(it) // 2] for it in zip(*undone, strict=True))
        print(f"| editor: undo, the median | {clock:.2f} | {busy:.2f} |")


if __name__ == "__main__":
    main()
