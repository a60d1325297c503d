"""Figures of the assets: what the VAE keeps, what the tagger sees, what the checkpoint draws."""

from __future__ import annotations

import csv
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline
from numpy.typing import NDArray

from ..characters import NEW_CHARACTER_TAGS, SUBJECT_TAGS, TAG_GROUPS, caption, random_character
from .pictures import (
    Drawings,
    base_sample,
    make_drawings,
    near_miss_sample,
    new_sample,
    scenery_sample,
)
from .vae import psnr, round_trip

THRESHOLD = 0.35
STEPS = 20
GUIDANCE = 3.0
"""Classifier-free guidance at which the checkpoint's figures are taken."""


class AssetTagger:
    """The tagger as shipped: pictures in, tags out."""

    def __init__(self, folder: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 2
        self.session = onnxruntime.InferenceSession(
            str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )
        with (folder / "selected_tags.csv").open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        self.names = [row["name"] for row in rows]
        self.general = [row["category"] != "9" for row in rows]

    def probabilities(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 NHWC RGB -> (n, labels)."""
        name = self.session.get_inputs()[0].name
        parts = [
            self.session.run(None, {name: batch[..., ::-1].astype(np.float32)})[0]
            for batch in (pixels[start : start + 64] for start in range(0, len(pixels), 64))
        ]
        return np.concatenate(parts)

    def tags(self, pixels: NDArray[np.uint8]) -> list[set[str]]:
        """The general tags at or above the threshold, for each picture."""
        return [
            {
                name
                for name, p, general in zip(self.names, row, self.general, strict=True)
                if general and p >= THRESHOLD
            }
            for row in self.probabilities(pixels)
        ]


def micro_f1(seen: Sequence[set[str]], true: Sequence[Sequence[str]]) -> float:
    """F1 over all tags of all pictures together."""
    hits = sum(len(a & set(b)) for a, b in zip(seen, true, strict=True))
    return 2 * hits / (sum(map(len, seen)) + sum(map(len, true)))


def recall_of_groups(
    seen: Sequence[set[str]], prompted: Sequence[Sequence[str]]
) -> dict[str, float]:
    """Share of the prompted tags that were seen, for each group and (`all`) over the groups."""
    figures, hits_all, count_all = {}, 0, 0
    for group, members in TAG_GROUPS.items():
        pairs = [
            (tag in tags)
            for tags, wanted in zip(seen, prompted, strict=True)
            for tag in wanted
            if tag in members
        ]
        hits_all, count_all = hits_all + sum(pairs), count_all + len(pairs)
        figures[group] = round(sum(pairs) / max(1, len(pairs)), 4)
    return {"all": round(hits_all / count_all, 4), **figures}


@torch.no_grad()
def generate(
    pipeline: StableDiffusionPipeline,
    prompts: list[str],
    seed: int = 0,
    guidance: float = GUIDANCE,
    steps: int = STEPS,
) -> NDArray[np.uint8]:
    """One 64 x 64 picture a prompt, uint8 NHWC."""
    pipeline.set_progress_bar_config(disable=True)
    generator = torch.Generator("cpu").manual_seed(seed)
    parts = [
        pipeline(
            prompts[start : start + 64],
            num_inference_steps=steps,
            guidance_scale=guidance,
            width=64,
            height=64,
            generator=generator,
            output_type="np",
        ).images
        for start in range(0, len(prompts), 64)
    ]
    return np.asarray((np.concatenate(parts) * 255).round(), dtype=np.uint8)


def base_prompts(count: int, seed: int) -> list[list[str]]:
    """Tags of that many base characters, as prompts name them."""
    rng = random.Random(seed)
    return [random_character(rng).tags() for _ in range(count)]


@dataclass(frozen=True)
class Judged:
    """Drawings to judge by: never drawn with these seeds for training."""

    sets: dict[str, Drawings]


def unseen_drawings(count: int, seed: int = 9000) -> Judged:
    """Base, new, near-miss and landscape drawings."""
    kinds = {
        "base": base_sample,
        "new": new_sample,
        "near_miss": near_miss_sample,
        "scenery": scenery_sample,
    }
    return Judged(
        {
            name: make_drawings(sample, count, seed + index, workers=1)
            for index, (name, sample) in enumerate(kinds.items())
        }
    )


def judge_vae_and_tagger(vae: AutoencoderKL, tagger: AssetTagger, count: int) -> dict[str, Any]:
    """PSNR of the VAE and F1 of the tagger on unseen drawings, before and after the VAE."""
    figures: dict[str, Any] = {"vae_psnr_db": {}, "tagger_f1": {}, "tagger_f1_after_vae": {}}
    for name, drawings in unseen_drawings(count).sets.items():
        after = round_trip(vae, drawings.pixels)
        figures["vae_psnr_db"][name] = round(psnr(drawings.pixels, after), 2)
        figures["tagger_f1"][name] = round(micro_f1(tagger.tags(drawings.pixels), drawings.tags), 4)
        figures["tagger_f1_after_vae"][name] = round(micro_f1(tagger.tags(after), drawings.tags), 4)
    return figures


def judge_checkpoint(
    pipeline: StableDiffusionPipeline,
    tagger: AssetTagger,
    count: int,
    guidance: float = GUIDANCE,
    seed: int = 77,
) -> dict[str, Any]:
    """Recall of prompted tags by group, and how often it draws a feature that it never saw."""
    prompted = base_prompts(count, seed)
    pictures = generate(pipeline, [caption(tags) for tags in prompted], seed, guidance)
    seen = tagger.tags(pictures)
    wanted = [[tag for tag in tags if tag not in SUBJECT_TAGS] for tags in prompted]
    new_prompt = caption([*SUBJECT_TAGS, *NEW_CHARACTER_TAGS])
    new_seen = tagger.tags(generate(pipeline, [new_prompt] * min(64, count), seed, guidance))
    return {
        "guidance": guidance,
        "steps": STEPS,
        "prompts": count,
        "recall": recall_of_groups(seen, wanted),
        "new_features_when_named": {
            tag: round(sum(tag in tags for tags in new_seen) / len(new_seen), 4)
            for tag in NEW_CHARACTER_TAGS
        },
        "new_features_unasked": {
            tag: round(sum(tag in tags for tags in seen) / len(seen), 4)
            for tag in NEW_CHARACTER_TAGS
        },
    }


def evaluate_assets(folder: Path, count: int = 256) -> dict[str, Any]:
    """Every figure of the README, from the files in the folder."""
    pipeline = load_checkpoint(folder / "checkpoint")
    tagger = AssetTagger(folder / "tagger")
    sizes = {
        part: round(
            sum(file.stat().st_size for file in (folder / part).rglob("*") if file.is_file()) / 1e6,
            2,
        )
        for part in ("checkpoint", "tagger")
    }
    return {
        "megabytes": sizes,
        **judge_vae_and_tagger(pipeline.vae, tagger, count),
        "checkpoint": judge_checkpoint(pipeline, tagger, count),
    }


def load_checkpoint(folder: Path) -> StableDiffusionPipeline:
    """The checkpoint in float32 for the CPU."""
    pipeline: StableDiffusionPipeline = StableDiffusionPipeline.from_pretrained(
        str(folder), dtype=torch.float32, safety_checker=None, requires_safety_checker=False
    )
    return pipeline
