"""What a new LoRA file is shown with in the WebUI, and what it is tried with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..config import TrainingConfig
from ..dataset.captions import split_tags
from ..hosts.base import GenerateRequest
from ..models.trainable import TrainableModel
from ..networks.card import LoraCard
from ..training.pictures import Picture

TRIAL_STEPS, TRIAL_SIDE = 8, 512
"""Sampling steps of a trial picture, and its longest side in pixels."""


class Run(Protocol):
    """What a card is made from."""

    config: TrainingConfig
    model: TrainableModel
    pictures: Sequence[Picture]


def activation_text(config: TrainingConfig, pictures: Sequence[Picture]) -> str:
    """The word that calls what was learnt: class_tokens, else the tag that all captions begin with.

    "" where there is no such word.
    """
    tokens = next((it.class_tokens for it in config.subsets if it.class_tokens), "")
    first = {next(iter(split_tags(it.caption)), "") for it in pictures if not it.subset.is_reg}
    return tokens or (first.pop() if len(first) == 1 else "")


def card_of(run: Run, epoch: int, step: int) -> LoraCard:
    """The card of the file that a run writes at an epoch and a step."""
    network, pictures = run.config.network, run.pictures
    facts = [
        f"Epoch {epoch}, step {step}", f"{len(pictures)} pictures",
        f"{network.network_type} of dim {network.network_dim}, alpha {network.network_alpha:g}",
        f"trained on {run.model.checkpoint}",
    ]  # fmt: skip
    text = activation_text(run.config, pictures)
    return LoraCard(text, "; ".join(facts), run.model.family.name)


def trial_of(config: TrainingConfig, text: str) -> GenerateRequest:
    """The picture that the host is to draw with a new file."""
    width, height = (min(side, TRIAL_SIDE) // 64 * 64 for side in config.bucket.resolution)
    return GenerateRequest(
        (text,), (config.loop.seed,), steps=TRIAL_STEPS, width=width or 64, height=height or 64
    )
