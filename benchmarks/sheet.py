"""Time of a sheet of epochs x six weights, a picture a cell, by the size of the batch.

python -m benchmarks.sheet LORA...
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from lib_lora_cook.compare.render import render_cells
from lib_lora_cook.config import SweepConfig
from lib_lora_cook.demo import meal
from lib_lora_cook.hosts.standalone import StandaloneHost, default_home
from lib_lora_cook.jobs import null_job

SIZES, TIMES = (1, 6, 12), 3


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw the sheet with each size in turn, several times; CPU seconds, and how far pixels are."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sheet", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("loras", nargs="+", type=Path, help="LoRA files of the toy world, one each")
    options = parser.parse_args(arguments)
    host = StandaloneHost(default_home())
    took: dict[int, list[float]] = {size: [] for size in SIZES}
    sheets: dict[int, NDArray[np.float64]] = {}
    for _ in range(TIMES):
        for size in SIZES:
            config = SweepConfig(
                loras=tuple(map(str, options.loras)), weights=(0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
                prompts=(meal.TRIGGER,), seeds=(1,), cfg_scale=meal.CFG_SCALE, steps=12,
                width=meal.SIDE, height=meal.SIDE, batch_size=size,
            )  # fmt: skip
            began = time.process_time()
            drawn = [it[0] for _, it in render_cells(config, meal.MODEL, host, null_job)]
            took[size].append(time.process_time() - began)
            sheets[size] = np.stack([np.asarray(it.convert("RGB"), float) for it in drawn])
    for size in SIZES:
        off = np.abs(sheets[size] - sheets[SIZES[0]]).mean(axis=(1, 2, 3)).max()
        print(f"{size} at once: {median(took[size]):.1f} s, pictures {off:.3f} grey levels apart")


if __name__ == "__main__":
    main()
