"""`ui`: the tab without a WebUI."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..jobs import ConsoleJob
from .base import Verbs, add_verb

PORT = 7861
"""One above the WebUI's, which may be running beside it."""


def add_verbs(verbs: Verbs) -> None:
    """`ui`."""
    parser = add_verb(
        verbs, "ui", ui, "The tab in a browser, without a WebUI; Ctrl-C ends it.",
        "lora-cook ui --port 7861",
    )  # fmt: skip
    parser.add_argument("--port", type=int, default=PORT, help=f"{PORT} if left out")
    parser.add_argument("--home", type=Path, help="the folder for LoRAs, taggers and pictures")
    parser.set_defaults(tell=lambda result: f"The page at port {result['port']} is closed.")


def ui(options: argparse.Namespace, job: ConsoleJob) -> dict[str, Any]:
    """Serve the page, on the embedded toy model until a checkpoint is chosen."""
    from ..demo import meal
    from ..demo.characters import TRIGGER
    from ..demo.dirty_dataset import write_dirty_dataset
    from ..hosts.standalone import StandaloneHost, default_home
    from ..ui.bench import Starter
    from ..ui.page import open_page

    home = options.home.resolve() if options.home else default_home()
    job.log(f"the page is at http://127.0.0.1:{options.port} until Ctrl-C; files are in {home}")
    host = StandaloneHost(home, taggers={"toy": meal.TAGGER})
    samples = {"sample_prompts": (TRIGGER,), "sample_every_n_epochs": 1}
    starter = Starter(home / "datasets" / TRIGGER, write_dirty_dataset, TRIGGER, meal.SIDE)
    open_page(
        host, options.port, recipe={**meal.page_recipe(), **samples}, starter=starter,
        ended=lambda: job.cancelled,
    )  # fmt: skip
    return {"port": options.port}
