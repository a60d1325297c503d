"""`demo`: the whole way on the toy world."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..jobs import ConsoleJob
from .base import Verbs, add_verb


def add_verbs(verbs: Verbs) -> None:
    """`demo`."""
    parser = add_verb(
        verbs, "demo", demo, "The whole way on the toy world that ships with the package.",
        "lora-cook demo --out demo",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, default=Path("lora-cook-demo"), help="folder for it all"
    )
    parser.set_defaults(tell=tell_demo)


def demo(options: argparse.Namespace, job: ConsoleJob) -> dict[str, Any]:
    """Cook and taste the toy world's new character."""
    from ..demo import meal
    from ..hosts.standalone import StandaloneHost

    out = options.out.resolve()
    host = StandaloneHost(out, cancelled=lambda: job.cancelled)
    return meal.as_json(meal.serve(out, host, job))


def tell_demo(result: dict[str, Any]) -> str:
    """The demo's end for a person."""
    recall, pick = result["tag_recall"], result["pick"]
    return (
        f"The sheet: {result['sheet']}\n"
        f"The pick: epoch {pick['epoch']} at weight {pick['weight']:g} ({pick['why']})\n"
        f"The new character's own tags seen, of the trigger alone: {recall['best']:.2f} with the "
        f"LoRA, {recall['weight_0']:.2f} without\n"
        f"It took {result['seconds']:.0f} seconds."
    )
