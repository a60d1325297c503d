"""Pictures a second of `lora-cook tag`, start and loading left out. Never a timed test.

    python -m benchmarks.tagger --gflops 1 20 --kinds webp jpg
    python -m benchmarks.tagger --beside "sh other_tagger.sh"

The model is shaped like the WD family's (448 x 448 BGR in, 10,861 probabilities out), with random
weights of a chosen cost; the pictures are drawings of about 1024 pixels. --beside runs another
program on the same: it is given the model's folder and the pictures' folder. Each is run on few and
on many pictures in turn, and what counts is the difference; the median of the rounds is shown, by
the clock and, where the system tells, in processor time, which a busy machine disturbs less.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image, ImageDraw

TAGS, SEEN = 10_861, 30
SIDE, PATCH, WIDTH = 448, 32, 512
FEW = 8
"""Pictures of the short run, whose time is taken off."""


def write_model(folder: Path, gflops: float) -> None:
    """A WD-shaped tagger: patches, pointwise layers until the cost is reached, mean, sigmoid."""
    rng = np.random.default_rng(0)
    places = (SIDE // PATCH) ** 2
    layers = max(1, round(gflops * 1e9 / (2 * places * WIDTH * WIDTH)))
    weights = {"w0": rng.normal(0, 0.02, (WIDTH, 3, PATCH, PATCH)), "scale": np.array([1 / 255])}
    nodes = [
        helper.make_node("Transpose", ["input"], ["nchw"], perm=[0, 3, 1, 2]),
        helper.make_node("Mul", ["nchw", "scale"], ["x"]),
        helper.make_node("Conv", ["x", "w0"], ["h0"], strides=[PATCH, PATCH]),
    ]
    for layer in range(1, layers + 1):
        weights[f"w{layer}"] = rng.normal(0, (2 / WIDTH) ** 0.5, (WIDTH, WIDTH, 1, 1))
        nodes.append(helper.make_node("Conv", [f"h{layer - 1}", f"w{layer}"], [f"c{layer}"]))
        nodes.append(helper.make_node("Relu", [f"c{layer}"], [f"h{layer}"]))
    weights["head"] = rng.normal(0, 1e-4, (WIDTH, TAGS))
    weights["bias"] = np.full(TAGS, -9.0)
    weights["bias"][[0, *range(4, 4 + SEEN)]] = 2.0  # as many as a picture mostly has
    nodes += [
        helper.make_node("GlobalAveragePool", [f"h{layers}"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Gemm", ["flat", "head", "bias"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["output"]),
    ]
    graph = helper.make_graph(
        nodes, "wd",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", SIDE, SIDE, 3])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["N", TAGS])],
        [numpy_helper.from_array(it.astype(np.float32), name) for name, it in weights.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, str(folder / "model.onnx"))
    write_labels(folder)


def write_labels(folder: Path) -> None:
    """As many labels as the WD family has, of its categories."""
    kinds = [9] * 4 + [0] * 8106 + [4] * (TAGS - 8110)
    lines = [f"{place},tag_{place},{kind},1" for place, kind in enumerate(kinds)]
    (folder / "selected_tags.csv").write_text("\n".join(["tag_id,name,category,count", *lines]))


def draw(folder: Path, count: int, kind: str) -> None:
    """Pictures of about 1024 pixels with flat colours, lines and some noise."""
    folder.mkdir()
    for number in range(count):
        rng = np.random.default_rng(number)
        size = (int(rng.integers(768, 1280)), int(rng.integers(768, 1280)))
        image = Image.new("RGB", size, tuple(int(c) for c in rng.integers(0, 256, 3)))
        pen = ImageDraw.Draw(image)
        for _ in range(60):
            box = (
                sorted(rng.integers(0, size[0], 2).tolist()),
                sorted(rng.integers(0, size[1], 2).tolist()),
            )
            colour = tuple(int(c) for c in rng.integers(0, 256, 3))
            pen.ellipse((box[0][0], box[1][0], box[0][1], box[1][1]), fill=colour, outline=0)
        noise = rng.integers(0, 12, (size[1], size[0], 3), dtype=np.uint8)
        image = Image.fromarray(np.clip(np.asarray(image) + noise.astype(int), 0, 255).astype("u1"))
        image.save(folder / f"{number:04}.{kind}", quality=90)


def seconds(command: Sequence[str], pictures: Path) -> np.ndarray:
    """(by the clock, of processor time) that a command takes for a folder without captions."""
    for caption in pictures.glob("*.txt"):
        caption.unlink()
    start = np.array([time.perf_counter(), *os.times()[2:4]])
    subprocess.run([*command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    clock, user, system = np.array([time.perf_counter(), *os.times()[2:4]]) - start
    if len(list(pictures.glob("*.txt"))) != len(list(pictures.glob("0*.[!t]*"))):
        raise SystemExit(f"{shlex.join(command)} left pictures without captions")
    return np.array([clock, user + system])


def costs(
    model: Path, few: Path, many: Path, beside: Sequence[str], rounds: int
) -> list[np.ndarray]:
    """(clock, processor) seconds a picture of ours and of each other program, in turn."""
    ours = [sys.executable, "-m", "lib_lora_cook", "tag", "--when", "overwrite", "--tagger"]
    programs = [lambda folder: [*ours, str(model), str(folder)]]
    for text in beside:
        programs.append(lambda folder, text=text: [*shlex.split(text), str(model), str(folder)])
    found: list[list[np.ndarray]] = [[] for _ in programs]
    count = len(list(many.iterdir())) - FEW
    for _ in range(rounds):
        for cost, program in zip(found, programs, strict=True):
            cost.append((seconds(program(many), many) - seconds(program(few), few)) / count)
    return [np.median(cost, axis=0) for cost in found]


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gflops", type=float, nargs="+", default=[1.0])
    parser.add_argument("--kinds", nargs="+", default=["webp"], help="webp, jpg, png")
    parser.add_argument("--pictures", type=int, default=104)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--beside", nargs="*", default=[], metavar="COMMAND")
    options = parser.parse_args()
    heads = ["GFLOP a picture", "pictures", "pictures a second, processor ms", *options.beside]
    print("| " + " | ".join(heads) + " |\n" + "|---" * len(heads) + "|")
    for gflops, kind in product(options.gflops, options.kinds):
        with tempfile.TemporaryDirectory() as place:
            model, few, many = (Path(place) / name for name in ("model", "few", "many"))
            model.mkdir()
            write_model(model, gflops)
            draw(few, FEW, kind)
            draw(many, options.pictures, kind)
            found = costs(model, few, many, options.beside, options.rounds)
        cells = [f"{1 / clock:.1f}, {1000 * processor:.0f}" for clock, processor in found]
        for place, (clock, processor) in enumerate(found[1:], 1):
            times = clock / found[0][0], processor / found[0][1]
            cells[place] += f" (ours {times[0]:.2f}, {times[1]:.2f} times)"
        print(f"| {gflops:g} | {kind} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
