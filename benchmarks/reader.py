"""Who tells what is true of a drawn picture: a second tagger, which no score asks."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import torch

from lib_lora_cook.captioning import onnx_tagger
from lib_lora_cook.demo import meal
from lib_lora_cook.demo.build.evaluate import load_checkpoint
from lib_lora_cook.demo.build.pictures import Drawings, make_drawings, mixed_sample
from lib_lora_cook.demo.build.tagger import TaggerRun, train_tagger, write_tagger
from lib_lora_cook.demo.build.vae import round_trip

DRAWINGS, DRAWN_FROM, AFTER_VAE = 15_000, 71, 4_000
"""Drawings, the seed they are drawn from (the scoring tagger's is 1), how many again as decoded."""


def reader(folder: Path) -> onnx_tagger.OnnxTagger:
    """A second tagger, trained on other drawings from other first weights; kept in the folder."""
    if not folder.exists():
        drawings = make_drawings(mixed_sample, DRAWINGS, DRAWN_FROM)
        vae = load_checkpoint(meal.CHECKPOINT).vae
        after = torch.from_numpy(round_trip(vae, drawings.pixels[:AFTER_VAE]))
        pixels = torch.cat([torch.from_numpy(drawings.pixels), after]).numpy()
        tags = drawings.tags + drawings.tags[:AFTER_VAE]
        tagger = train_tagger(Drawings(pixels, tags), TaggerRun(seed=72))
        write_tagger(tagger, folder, Counter(tag for some in tags for tag in some))
    return onnx_tagger.load(folder)
