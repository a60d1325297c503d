"""The toy tagger with WD14's contract: training, and writing model.onnx and selected_tags.csv.

Input: NHWC float32 BGR 0..255; output: probabilities, the ratings first, then the tags.
"""

from __future__ import annotations

import csv
import io
import random
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from torch import Tensor, nn
from torch.nn import functional as F

from ..characters import all_tags
from .pictures import SIZE, Drawings
from .vae import one_cycle

RATINGS = ("general", "sensitive", "questionable", "explicit")
LABELS = (*RATINGS, *all_tags())
OPSET = 16


@dataclass(frozen=True)
class TaggerRun:
    """How long and how hard the tagger is trained."""

    steps: int = 1200
    batch: int = 64
    learning_rate: float = 2e-3
    seed: int = 22
    device: str = "cpu"


class Tagger(nn.Module):
    """Six convolutions, the mean and the maximum over the picture, a linear layer; 0.5 M."""

    def __init__(self, widths: tuple[int, ...] = (32, 64, 64, 128, 128, 144)) -> None:
        super().__init__()
        strides = (2, 2, 1, 2, 1, 1)
        layers: list[nn.Module] = []
        for before, after, stride in zip((3, *widths), widths, strides, strict=False):
            size = 5 if before == 3 else 3
            layers += [
                nn.Conv2d(before, after, size, stride, size // 2, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(),
            ]
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(2 * widths[-1], len(LABELS))

    def logits(self, pictures: Tensor) -> Tensor:
        """NHWC BGR 0..255 -> (n, labels) before the sigmoid."""
        features = self.body(pictures.permute(0, 3, 1, 2) / 127.5 - 1)
        pooled = torch.cat([features.mean((2, 3)), features.amax((2, 3))], 1)
        out: Tensor = self.head(pooled)
        return out

    def forward(self, pictures: Tensor) -> Tensor:
        """NHWC BGR 0..255 -> (n, labels) probabilities."""
        return self.logits(pictures).sigmoid()


def label_rows(tags: list[list[str]]) -> NDArray[np.float32]:
    """One row of 0 and 1 a picture; every picture of the toy world is rated general."""
    index = {label: column for column, label in enumerate(LABELS)}
    rows = np.zeros((len(tags), len(LABELS)), np.float32)
    rows[:, index["general"]] = 1
    for row, true_tags in zip(rows, tags, strict=True):
        row[[index[tag] for tag in true_tags]] = 1
    return rows


def worsened(pixels: NDArray[np.uint8], rng: random.Random) -> NDArray[np.uint8]:
    """One picture as the world hands it on: recompressed, resized or blurred."""
    picture = Image.fromarray(pixels)
    kind = rng.randrange(3)
    if kind == 0:
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=rng.randint(30, 90))
        picture = Image.open(file).convert("RGB")
    elif kind == 1:
        side = rng.randint(36, 160)
        picture = picture.resize(
            (side, side), rng.choice((Image.Resampling.BILINEAR, Image.Resampling.LANCZOS))
        )
        picture = picture.resize((SIZE, SIZE), Image.Resampling.BICUBIC)
    else:
        picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.2)))
    return np.asarray(picture)


def augmented(batch: NDArray[np.uint8], rng: random.Random) -> Tensor:
    """Some mirrored, shifted, worsened, a little brighter or darker; NHWC BGR float32 0..255."""
    pictures = []
    for pixels in batch:
        if rng.random() < 0.3:
            pixels = worsened(pixels, rng)
        if rng.random() < 0.5:
            pixels = pixels[:, ::-1]
        if rng.random() < 0.5:
            shift = (rng.randint(-2, 2), rng.randint(-2, 2))
            padded = np.pad(pixels, ((2, 2), (2, 2), (0, 0)), mode="edge")
            pixels = padded[2 + shift[0] : 2 + shift[0] + SIZE, 2 + shift[1] : 2 + shift[1] + SIZE]
        pictures.append(pixels[..., ::-1])
    tensor = torch.from_numpy(np.stack(pictures)).float()
    gain = torch.empty(len(tensor), 1, 1, 3).uniform_(0.93, 1.07)
    tensor = tensor * gain + torch.randn_like(tensor) * torch.rand(len(tensor), 1, 1, 1) * 8
    return tensor.clamp(0, 255)


def train_tagger(drawings: Drawings, run: TaggerRun) -> Tagger:
    """A tagger trained on the drawings; give it drawings after the VAE too."""
    torch.manual_seed(run.seed)
    rng, picks = random.Random(run.seed), np.random.default_rng(run.seed)
    labels = torch.from_numpy(label_rows(drawings.tags))
    tagger = Tagger().to(run.device)
    optimizer = torch.optim.AdamW(tagger.parameters(), run.learning_rate, weight_decay=1e-2)
    start, losses = time.time(), []
    for step in range(run.steps):
        for group in optimizer.param_groups:
            group["lr"] = run.learning_rate * one_cycle(step, run.steps)
        chosen = picks.integers(len(labels), size=run.batch)
        pictures = augmented(drawings.pixels[chosen], rng).to(run.device)
        logits = tagger.logits(pictures)
        loss = F.binary_cross_entropy_with_logits(logits, labels[chosen].to(run.device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
        if (step + 1) % 250 == 0:
            recent = sum(losses[-250:]) / 250
            print(
                f"tagger step {step + 1} loss {recent:.5f} {time.time() - start:.0f} s", flush=True
            )
    return tagger.eval()


def write_tagger(tagger: Tagger, folder: Path, counts: dict[str, int]) -> None:
    """model.onnx (onnxruntime 1.16 reads it) and selected_tags.csv (category 9 for a rating)."""
    folder.mkdir(parents=True, exist_ok=True)
    example = torch.zeros(1, SIZE, SIZE, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            tagger.cpu().eval(),
            (example,),
            str(folder / "model.onnx"),
            dynamo=False,
            input_names=["input"],
            output_names=["output"],
            opset_version=OPSET,
            dynamic_axes={"input": {0: "batch"}, "output": {0: "batch"}},
        )
    with (folder / "selected_tags.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("tag_id", "name", "category", "count"))
        for number, label in enumerate(LABELS):
            category = 9 if label in RATINGS else 0
            tag_id = (999_999_990 if category == 9 else 1_000_000) + number
            writer.writerow((tag_id, label, category, counts.get(label, 0)))
