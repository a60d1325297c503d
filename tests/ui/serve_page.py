"""A page for the browser's tests: `python serve_page.py PORT HOME`.

Its host has no model and its runs write empty files, so that any gradio can show it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from fake_host import FakeHost, fake_cook, fake_taste
from PIL import Image

from lib_lora_cook.ui import work
from lib_lora_cook.ui.bench import Starter
from lib_lora_cook.ui.page import open_page
from lib_lora_cook.ui.taste import tasting


def draw(folder: Path) -> None:
    """Captioned pictures, one of them twice, one too small, one with a name that is no name."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(30):
        image = Image.effect_noise((96, 96), 20 + 7 * number).convert("RGB")
        image.save(folder / f"{number:02}.png")
        text = f"1girl, purple hair, purple hair, tag {number}, <img src=x onerror=boom()>"
        (folder / f"{number:02}.txt").write_text(text, encoding="utf-8")
    image.save(folder / "<b onclick=boom()>copy.png")
    Image.new("RGB", (16, 16)).save(folder / "tiny.png")


def main(port: int, home: Path) -> None:
    """Serve until the process is ended."""
    work.cook_work = lambda config, host: fake_cook(config, host, 0.05)  # type: ignore[assignment]
    tasting.taste_work = fake_taste  # type: ignore[assignment]
    work.training_problems = lambda config: []  # type: ignore[assignment]
    starter = Starter(home / "set", draw, "kafka", 64)
    open_page(FakeHost(home), port, starter=starter)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
