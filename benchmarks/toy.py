"""Tag recall that each kind of network reaches on the toy world. Never a timed test.

    python -m benchmarks.toy --case LoRA LoCon LoHa Prodigy

The pictures are those of the demo, cleaned and tagged once. Every case is cooked and tasted as the
demo does it: the best epoch and weight are picked by four seeds a cell, and measured on 32 others.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from lib_lora_cook.captioning import onnx_tagger
from lib_lora_cook.compare.sweep import Wanted, run_sweep
from lib_lora_cook.config import LoopConfig, NetworkConfig, OptimizerConfig, TrainingConfig
from lib_lora_cook.cook import cook
from lib_lora_cook.demo import meal
from lib_lora_cook.demo.dirty_dataset import write_dirty_dataset
from lib_lora_cook.hosts.standalone import StandaloneHost
from lib_lora_cook.jobs import null_job

GUIDES_PRODIGY = (
    "decouple=True", "weight_decay=0.01", "betas=[0.9,0.999]", "d_coef=2",
    "use_bias_correction=True", "safeguard_warmup=True",
)  # fmt: skip
"""The guide's optimizer_args."""

CASES: dict[str, dict[str, Any]] = {
    "LoRA": {},
    "LoCon": {"network_type": "LoCon", "conv_dim": 4, "conv_alpha": 4.0},
    "LoHa": {"network_type": "LoHa", "network_dim": 4, "network_alpha": 4.0},
    "LoKr": {"network_type": "LoKr", "network_dim": 4, "network_alpha": 4.0},
    "DoRA": {"network_type": "DoRA"},
    "Prodigy": {
        "optimizer_type": "Prodigy", "optimizer_args": list(GUIDES_PRODIGY),
        "unet_lr": 1.0, "text_encoder_lr": 1.0, "lr_scheduler": "constant_with_warmup",
        "max_train_epochs": 12,
    },
}  # fmt: skip
"""What differs from the demo's run, by the settings' names."""


@dataclass(frozen=True)
class Measured:
    """What a case came to."""

    case: str
    steps: int
    recall_without: float
    """Recall of the new character's own tags at weight 0, from the trigger alone."""
    recall_best: float
    epoch: int
    weight: float
    seconds: float
    """CPU time of the training alone."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Cook and measure the cases one after the other; a table, or JSON Lines with --json."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.toy", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--case", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE",
                        help="settings of the run to try instead, values as JSON")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args(arguments)
    tried = {
        name: json.loads(value) for name, _, value in (it.partition("=") for it in options.set)
    }
    with tempfile.TemporaryDirectory() as folder:
        dataset = clean_dataset(Path(folder))
        for case in options.case:
            found = measure(case, {**CASES[case], **tried}, dataset, Path(folder) / case)
            print(json.dumps(asdict(found)) if options.json else row(found), flush=True)


def clean_dataset(folder: Path) -> Path:
    """The demo's pictures, cleaned and tagged."""
    dataset = meal.make_room(folder / "toy")
    write_dirty_dataset(dataset)
    meal.clean(dataset, null_job)
    meal.tag(dataset, null_job)
    return dataset


def measure(case: str, changes: dict[str, Any], dataset: Path, out: Path) -> Measured:
    """Cook one case and taste it."""
    host = StandaloneHost(out)
    config = changed(meal.demo_run(dataset, out / "loras"), changes)
    began = time.process_time()
    cooked = cook(config, host, null_job)
    seconds = time.process_time() - began
    wanted = Wanted(meal.OWN_FEATURES, onnx_tagger.load(meal.TAGGER))
    sweep = run_sweep(meal.demo_sweep(cooked.loras), meal.MODEL, host, wanted, null_job)
    without, best = meal.measure(sweep, host, wanted, null_job)
    assert sweep.pick is not None and sweep.pick.cell.lora is not None
    epoch = cooked.loras.index(sweep.pick.cell.lora) + 1
    return Measured(case, cooked.steps, without, best, epoch, sweep.pick.cell.weight, seconds)


def changed(config: TrainingConfig, changes: dict[str, Any]) -> TrainingConfig:
    """A run with other values of some of its settings."""
    groups = {"network": NetworkConfig, "optimizer": OptimizerConfig, "loop": LoopConfig}
    for group, kind in groups.items():
        own = {name: it for name, it in changes.items() if name in kind.__dataclass_fields__}
        config = replace(config, **{group: replace(getattr(config, group), **own)})
    return config


def row(found: Measured) -> str:
    """One line of the table."""
    return (
        f"{found.case:8}  {found.steps:5} steps  recall {found.recall_without:.2f} without, "
        f"{found.recall_best:.2f} with  (epoch {found.epoch}, weight {found.weight:g})  "
        f"{found.seconds:.0f} s"
    )


if __name__ == "__main__":
    main()
