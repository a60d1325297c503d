"""A tagger's verdict on a cell, and the pick."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Protocol

from PIL import Image

from ..captioning.base import Tags
from .grid import Cell


class Tagger(Protocol):
    """What names what is in a picture."""

    def predict(self, images: Sequence[Image.Image]) -> list[Tags]:
        """The tags of each picture."""


@dataclass(frozen=True)
class Score:
    """How much of what was hoped for is in the pictures of one cell, each 0..1."""

    tag_recall: float
    """Share of the wanted tags that the tagger sees, mean over the pictures."""
    tags: dict[str, float]
    """The share of pictures that show each wanted tag."""


@dataclass(frozen=True)
class Pick:
    """The cell to use, and why."""

    cell: Cell
    score: Score
    why: str


def score_pictures(
    pictures: Sequence[Image.Image], wanted: Sequence[str], tagger: Tagger, threshold: float = 0.35
) -> Score:
    """The recall of wanted tags (spelt as in captions, with spaces) over the pictures of a cell."""
    seen = [set(tags.names(threshold)) for tags in tagger.predict(pictures)]
    shares = {tag: mean(tag in names for names in seen) for tag in wanted}
    return Score(mean(shares.values()) if shares else 0.0, shares)


def pick_cell(scored: Sequence[tuple[Cell, Score]], tolerance: float = 0.02) -> Pick:
    """The plainest cell among those that score as well as the best.

    Within `tolerance` of the best recall: the nearest to weight 0.8, then the earliest epoch, since
    more training pulls more than the wanted tags into every picture.
    """
    dressed = [(cell, score) for cell, score in scored if cell.lora is not None]
    best = max(score.tag_recall for _, score in dressed)
    good = [(c, s) for c, s in dressed if s.tag_recall >= best - tolerance]
    cell, score = min(good, key=lambda it: (abs(it[0].weight - 0.8), str(it[0].lora)))
    why = (
        f"tag recall {score.tag_recall:.2f}, with {best:.2f} the best of {len(dressed)} cells; "
        f"of the {len(good)} that come within {tolerance:.2f} of it, the nearest to weight 0.8 "
        "and then the earliest"
    )
    return Pick(cell, score, why)
