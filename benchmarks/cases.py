"""Which combinations of settings a benchmark goes through, and what it tells of each."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, TypeVar

import torch

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Found = TypeVar("Found", bound=DataclassInstance)

HEADER = "family  network  precision  ckpt  text  side  batch"


@dataclass(frozen=True)
class Case:
    """One combination."""

    family: str
    network: str
    precision: str
    checkpointing: str
    resolution: int
    batch: int
    steps: int
    text_encoder: str
    tiny: bool
    blocks_to_swap: int = 0


def tell(
    name: str,
    about: str | None,
    find: Callable[[Case], Found],
    header: str,
    row: Callable[[Found], str],
    arguments: Sequence[str] | None = None,
) -> None:
    """What is found of every case that is asked for: a row of a table each, or a JSON object."""
    options = make_parser(name, about).parse_args(arguments)
    if not options.json:
        print(f"torch {torch.__version__} on {device_name()}")
        print(f"{HEADER}  {header}")
    for case in cases_of(options):
        found = find(case)
        if options.json:
            told = json.dumps({**asdict(case), **asdict(found), "device": device_name()})
        else:
            told = f"{start_of(case)}  {row(found)}"
        print(told, flush=True)


def cases_of(options: argparse.Namespace) -> list[Case]:
    """Every combination of the options, at the family's own resolution if none was given."""
    cases = [
        Case(*chosen, options.resolution or 0, options.batch, options.steps,
             options.text_encoder, options.tiny, options.blocks_to_swap)
        for chosen in product(
            options.family, options.network, options.precision, options.checkpointing
        )
    ]  # fmt: skip
    return [replace(case, resolution=case.resolution or usual_side(case)) for case in cases]


def make_parser(name: str, about: str | None) -> argparse.ArgumentParser:
    """The options; those that are combined take several values."""
    parser = argparse.ArgumentParser(prog=f"python -m {name}", description=about)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter

    def several(name: str, *choices: str) -> None:
        parser.add_argument(name, nargs="+", choices=choices, default=[choices[0]])

    several("--family", "sd1", "sdxl")
    several("--network", "LoRA", "LoCon", "LoHa")
    several("--precision", "no", "fp16", "bf16")
    several("--checkpointing", "off", "on")
    parser.add_argument("--resolution", type=int, help="pixels of a side; the family's own")
    parser.add_argument("--batch", type=int, default=1, help="pictures a step")
    parser.add_argument("--steps", type=int, default=8, help="steps that are counted")
    parser.add_argument("--text-encoder", choices=("on", "off"), default="on",
                        help="whether it is trained too")  # fmt: skip
    parser.add_argument("--blocks-to-swap", type=int, default=0, help="as the setting")
    parser.add_argument("--tiny", action="store_true", help="toy sizes: does it run at all?")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    return parser


def usual_side(case: Case) -> int:
    """The resolution that a family is trained at."""
    return 64 if case.tiny else {"sd1": 512, "sdxl": 1024}[case.family]


def start_of(case: Case) -> str:
    """What stands below HEADER."""
    return (
        f"{case.family:6}  {case.network:7}  {case.precision:9}  {case.checkpointing:4}"
        f"  {case.text_encoder:4}  {case.resolution:4}  {case.batch:5}"
    )


def device() -> str:
    """Where the trainer runs."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def device_name() -> str:
    """The GPU, or how many threads of the CPU."""
    if device() == "cuda":
        return str(torch.cuda.get_device_name())
    return f"CPU, {torch.get_num_threads()} threads"


def now() -> float:
    """Seconds, with all that the GPU was asked for done."""
    if device() == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()
