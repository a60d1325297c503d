"""A tagger's verdict on a cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean

from PIL import Image

from ..captioning.base import THRESHOLD, Tagger
from ..dataset.tags import tag_key
from .measures import Look, Measure, look_at, obedience


@dataclass(frozen=True)
class Score:
    """How much of what was hoped for is in the pictures of one cell."""

    tag_recall: float
    """Share of the wanted tags that the tagger sees, mean over the pictures, 0..1."""
    tags: dict[str, float]
    """The share of pictures that show each wanted tag."""
    measures: Mapping[str, Measure] = field(default_factory=dict)
    """recovery, mixing, obedience, bleed, leak, diversity, copy_risk: by what the prompt tells."""
    nearest: str = ""
    """The training picture that one of the pictures comes nearest to."""


def score_pictures(
    pictures: Sequence[Image.Image], wanted: Sequence[str], tagger: Tagger,
    threshold: float = THRESHOLD,
) -> Score:  # fmt: skip
    """The recall of wanted tags (spelt as in captions, with spaces) over the pictures of a cell."""
    return score_looks(look_at(pictures, tagger, threshold), wanted)


def score_looks(
    looks: Sequence[Look],
    wanted: Sequence[str],
    measures: Mapping[str, Measure] | None = None,
    nearest: str = "",
) -> Score:
    """The same of pictures that were looked at, beside what else was measured."""
    shares = {tag: mean(tag_key(tag) in look.seen for look in looks) for tag in wanted}
    found = dict(measures or {})
    if wanted:
        found["tag_recall"] = obedience(looks, wanted)
    return Score(mean(shares.values()) if shares else 0.0, shares, found, nearest)
