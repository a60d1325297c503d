"""Runs of SD1.5 and SDXL at their true sizes beside sd-scripts' on the same files; no timed test.

    LORA_COOK_SD_SCRIPTS=../sd-scripts LORA_COOK_SD_SCRIPTS_PYTHON=../sd-scripts/venv/bin/python \
        python -m benchmarks.beside --network LoRA LoHa --rounds 2
    ... python -m benchmarks.beside --family sdxl --network LoRA --precision bf16 --batch 1

SD1.5 trains its text encoder too. SDXL trains the UNet alone with checkpointing, and both programs
encode each caption once.

Model and pictures are random. Every run is a process of its own, ours and theirs in turn: seconds a
step (median, the first two left out), the most memory of the process, seconds from the start to the
end of the first step; ours also from where the model is loaded and the run is asked for. LoRA is
sd-scripts' networks.lora; LoCon and LoHa are lycoris.kohya. Without LORA_COOK_SD_SCRIPTS only ours
are measured. LORA_COOK_SD_SCRIPTS_TOKENIZERS may name a folder for its --tokenizer_cache_dir. Run
it from the repository's root: it shares the tests' models.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

PROGRESS = re.compile(rb"steps:[^\r\n]*?\| (\d+)/\d+ \[")
OURS = re.compile(rb"step (\d+)\n")
READY = b"ready\n"
DIM, ALPHA, CONV_DIM, CONV_ALPHA = 16, 8, 8, 4
SCRIPTS = {"sd1": "train_network.py", "sdxl": "sdxl_train_network.py"}
FAMILY = {
    "sd1": ["--text_encoder_lr", "1e-4", "--clip_skip", "2"],
    "sdxl": ["--network_train_unet_only", "--cache_text_encoder_outputs",
             "--gradient_checkpointing"],
}  # fmt: skip
"""What sd-scripts is told for each family."""


@dataclass(frozen=True)
class Case:
    """A kind of network and what all runs share."""

    family: str
    network: str
    precision: str
    side: int
    batch: int
    steps: int
    pictures: int

    def pictures_in(self, folder: Path) -> Path:
        """Where the pictures lie."""
        return folder / f"pictures-{self.side}-{self.pictures}"


@dataclass(frozen=True)
class Measured:
    """One run of one program."""

    program: str
    family: str
    network: str
    precision: str
    seconds_per_step: float
    peak_bytes: int
    first_step: float
    """Seconds from the start of the process to the end of its first step."""
    click_to_first_step: float | None
    """The same with the program started and the model loaded, where that can be told."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure every case in every round; a table, or JSON Lines with --json."""
    options = make_parser().parse_args(arguments)
    if options.ours:
        cook_ours(Path(options.ours))
        return
    from .true_size import write_model, write_pictures  # what is measured needs none of it

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(options.folder or temporary)
        if not (folder / options.family).is_dir():
            write_model(options.family, folder / options.family)
        found = []
        for number in range(options.rounds):
            for network, precision in ((n, p) for n in options.network for p in options.precision):
                case = Case(options.family, network, precision, options.side, options.batch,
                            options.steps, options.pictures)  # fmt: skip
                write_pictures(case.pictures_in(folder), case.side, case.pictures)
                for program in programs()[:: 1 if number % 2 else -1]:
                    found.append(program(case, folder))
                    print(json.dumps(asdict(found[-1])) if options.json else row(found[-1]),
                          flush=True)  # fmt: skip
    if not options.json:
        print(*shares(found), sep="\n")


def make_parser() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.beside", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    kinds = ("LoRA", "LoCon", "LoHa")
    parser.add_argument("--family", choices=("sd1", "sdxl"), default="sd1")
    parser.add_argument("--network", nargs="+", choices=kinds, default=list(kinds))
    parser.add_argument("--precision", nargs="+", choices=("no", "bf16"), default=["no"])
    parser.add_argument("--side", type=int, default=256, help="pixels of a side")
    parser.add_argument("--batch", type=int, default=2, help="pictures a step")
    parser.add_argument(
        "--steps", type=int, default=5, help="of each run; the first two are left out"
    )
    parser.add_argument("--pictures", type=int, default=20, help="in the dataset")
    parser.add_argument("--rounds", type=int, default=1, help="how often all are run in turn")
    parser.add_argument("--folder", help="where model and pictures are kept for the next time")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--ours", metavar="RUN.toml", help=argparse.SUPPRESS)
    return parser


def programs() -> list[Callable[[Case, Path], Measured]]:
    """What is measured: ours, and sd-scripts where its place is told."""
    return [run_ours, *([run_theirs] if os.environ.get("LORA_COOK_SD_SCRIPTS") else [])]


def run_ours(case: Case, folder: Path) -> Measured:
    """Our run in a process of its own."""
    table = {
        "version": 1, "pretrained_model_name_or_path": str(folder / case.family),
        "output_dir": str(folder / "out"), "output_name": "ours", "network_type": case.network,
        "network_dim": DIM, "network_alpha": ALPHA, "resolution": case.side,
        "train_batch_size": case.batch, "max_train_steps": case.steps, "unet_lr": 5e-4,
        "optimizer_type": "AdamW", "min_snr_gamma": 5.0,
        "max_token_length": 75, "mixed_precision": case.precision, "seed": 42,
        "cache_latents_to_disk": False, "vae_batch_size": 1,  # sd-scripts' default
    }  # fmt: skip
    if case.family == "sd1":
        table |= {"text_encoder_lr": 1e-4, "clip_skip": 2}
    else:
        table |= {"text_encoder_lr": 0.0, "gradient_checkpointing": True}
    if case.network != "LoRA":
        table |= {"conv_dim": CONV_DIM, "conv_alpha": CONV_ALPHA}
    lines = [f"{name} = {json.dumps(value)}" for name, value in table.items()]
    lines += ["[[subsets]]", f"image_dir = {json.dumps(str(case.pictures_in(folder)))}",
              "num_repeats = 1"]  # fmt: skip
    run = folder / "ours.toml"
    run.write_text("\n".join(lines), encoding="utf-8")
    command = [sys.executable, "-m", "benchmarks.beside", "--ours", str(run)]
    return measured("ours", case, command, Path.cwd(), OURS)


def cook_ours(run: Path) -> None:
    """Load the model, say so, cook the run, and say when a step is done."""
    from lib_lora_cook.config_file import read_run
    from lib_lora_cook.cook import Options, cook
    from lib_lora_cook.hosts.standalone import StandaloneHost
    from lib_lora_cook.jobs import null_job
    from lib_lora_cook.training.train import Step

    config = read_run(run)
    host = StandaloneHost(run.parent / "home")
    host.load(config.model, config.loop.mixed_precision)
    print("ready", flush=True)

    def watch(event: Any) -> None:
        if isinstance(event, Step):
            print(f"step {event.step}", flush=True)

    cook(config, host, null_job, Options(watch=watch))


def run_theirs(case: Case, folder: Path) -> Measured:
    """sd-scripts' own program with the same settings under its own names."""
    source = Path(os.environ["LORA_COOK_SD_SCRIPTS"]).absolute()
    dataset = folder / "theirs.toml"
    dataset.write_text(
        f'[general]\ncaption_extension = ".txt"\n[[datasets]]\n'
        f"resolution = {case.side}\nbatch_size = {case.batch}\n[[datasets.subsets]]\n"
        f"image_dir = {json.dumps(str(case.pictures_in(folder)))}\nnum_repeats = 1\n",
        encoding="utf-8",
    )
    network = ["--network_module", "networks.lora"]
    if case.network != "LoRA":
        algo = {"LoCon": "locon", "LoHa": "loha"}[case.network]
        network = ["--network_module", "lycoris.kohya", "--network_args", f"algo={algo}",
                   f"conv_dim={CONV_DIM}", f"conv_alpha={CONV_ALPHA}"]  # fmt: skip
    tokenizers = os.environ.get("LORA_COOK_SD_SCRIPTS_TOKENIZERS")
    cached = ["--tokenizer_cache_dir", tokenizers] if tokenizers else []
    python = os.environ.get("LORA_COOK_SD_SCRIPTS_PYTHON", sys.executable)
    command = [
        python, SCRIPTS[case.family], "--pretrained_model_name_or_path", str(folder / case.family),
        "--dataset_config", str(dataset), "--output_dir", str(folder / "out"),
        "--output_name", "theirs", "--network_dim", str(DIM), "--network_alpha", str(ALPHA),
        *network, *cached, "--max_train_steps", str(case.steps), "--unet_lr", "5e-4",
        "--optimizer_type", "AdamW",
        "--min_snr_gamma", "5", "--mixed_precision", case.precision,
        "--seed", "42", "--cache_latents", "--sdpa", "--max_data_loader_n_workers", "0",
        "--save_model_as", "safetensors", *FAMILY[case.family],
    ]  # fmt: skip
    return measured("sd-scripts", case, command, source, PROGRESS)


def measured(
    program: str, case: Case, command: list[str], where: Path, step: re.Pattern[bytes]
) -> Measured:
    """Run a program to its end and note when it tells that a step is done."""
    began, ready, told, text = time.monotonic(), None, {}, b""
    with subprocess.Popen(
        command, cwd=where, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as running:  # fmt: skip
        assert running.stdout is not None
        while part := os.read(running.stdout.fileno(), 1 << 16):
            now, text = time.monotonic(), text + part
            ready = ready or (now if READY in text else None)
            for match in step.finditer(text):
                told.setdefault(int(match[1]), now)
        _, status, usage = os.wait4(running.pid, 0)
        running.returncode = os.waitstatus_to_exitcode(status)
    if running.returncode:
        raise SystemExit(f"{program} failed:\n{text.decode(errors='replace')[-3000:]}")
    ends = [told[number] for number in sorted(told) if number]
    times = [after - before for before, after in pairwise(ends[1:])]
    return Measured(
        program, case.family, case.network, case.precision, statistics.median(times),
        usage.ru_maxrss * 1024, ends[0] - began, ends[0] - ready if ready else None,
    )  # fmt: skip


def row(it: Measured) -> str:
    """One line of the table."""
    click = f"{it.click_to_first_step:6.1f} s" if it.click_to_first_step else "-"
    return (
        f"{it.family:4} {it.network:6} {it.precision:5} {it.program:11} "
        f"{it.seconds_per_step:7.2f} s a step  {it.peak_bytes >> 20:6} MiB  "
        f"first step after {it.first_step:6.1f} s, loaded {click}"
    )


def shares(found: Sequence[Measured]) -> list[str]:
    """Ours as a share of theirs, by the medians over the rounds."""
    lines = []
    for network, precision in dict.fromkeys((it.network, it.precision) for it in found):
        of = {
            program: [it for it in found if (it.program, it.network, it.precision)
                      == (program, network, precision)]
            for program in ("ours", "sd-scripts")
        }  # fmt: skip
        if not all(of.values()):
            continue
        step, peak, first = (
            share(of, key) for key in ("seconds_per_step", "peak_bytes", "first_step")
        )
        click = statistics.median(it.click_to_first_step or 0 for it in of["ours"])
        start = click / statistics.median(it.first_step for it in of["sd-scripts"])
        lines.append(
            f"{network} {precision}: step {step:.2f}, memory {peak:.2f}, cold start {first:.2f}, "
            f"click to first step {start:.2f} of sd-scripts'"
        )
    return lines


def share(of: dict[str, list[Measured]], key: str) -> float:
    """A figure of ours as a share of theirs."""
    ours, theirs = (statistics.median(getattr(it, key) for it in runs) for runs in of.values())
    return ours / theirs


if __name__ == "__main__":
    main()
