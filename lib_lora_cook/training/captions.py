"""What becomes of a caption each time its picture is used. Text only."""

from __future__ import annotations

import math
import random
import re
from dataclasses import dataclass

from ..config import SubsetConfig


def caption_of_file_text(text: str, subset: SubsetConfig) -> str:
    """A file's caption: its first line that is not blank; all such lines under enable_wildcard.

    sd-scripts takes the first line even where it is blank, and so trains without a caption.
    """
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    return "\n".join(lines if subset.enable_wildcard else lines[:1])


@dataclass(frozen=True)
class Moment:
    """When a caption is used."""

    epoch: int
    """From 1."""
    step: int = 0
    """Optimizer steps done."""
    steps: int = 1
    """Optimizer steps of the whole run."""


def training_caption(caption: str, subset: SubsetConfig, when: Moment, rng: random.Random) -> str:
    """The caption for one use, in sd-scripts' order of steps and draws."""
    if subset.caption_prefix:
        caption = f"{subset.caption_prefix} {caption}"
    if subset.caption_suffix:
        caption = f"{caption} {subset.caption_suffix}"
    if _left_out(subset, when.epoch, rng):
        return ""
    caption = _chosen(caption, rng) if subset.enable_wildcard else caption.split("\n")[0]
    marked = bool(subset.keep_tokens_separator) and subset.keep_tokens_separator in caption
    # sd-scripts leaves the mark in the caption when nothing is shuffled or dropped, and so teaches
    # the model a "|||". We always take it out.
    moved = subset.shuffle_caption or subset.caption_tag_dropout_rate > 0
    if marked or moved or subset.token_warmup_step > 0:
        caption = _rearranged(caption, subset, when, rng)
    if subset.secondary_separator:
        caption = caption.replace(subset.secondary_separator, subset.caption_separator)
    return caption


def _left_out(subset: SubsetConfig, epoch: int, rng: random.Random) -> bool:
    """Whether the whole caption is dropped this time."""
    every = subset.caption_dropout_every_n_epochs
    by_chance = subset.caption_dropout_rate > 0 and rng.random() < subset.caption_dropout_rate
    return by_chance or (every > 0 and epoch % every == 0)


def _chosen(caption: str, rng: random.Random) -> str:
    """One line of the caption, each {a|b} in it replaced by a choice; {{ }} are plain braces."""
    if "\n" in caption:
        caption = rng.choice(caption.split("\n"))
    opened, closed = "\x00", "\x01"  # Stand for plain braces; no caption holds such characters.
    caption = caption.replace("{{", opened).replace("}}", closed)
    caption = re.sub(r"\{([^}]+)\}", lambda found: rng.choice(found[1].split("|")), caption)
    return caption.replace(opened, "{").replace(closed, "}")


def _rearranged(caption: str, subset: SubsetConfig, when: Moment, rng: random.Random) -> str:
    """Tags shuffled and dropped, but for those that are kept at either end."""
    kept, moving, last = _parts(caption, subset)
    moving = moving[: _warm(len(moving), subset, when)]
    if subset.shuffle_caption:
        rng.shuffle(moving)
    rate = subset.caption_tag_dropout_rate
    if rate > 0:
        moving = [tag for tag in moving if rng.random() >= rate]
    return ", ".join(kept + moving + last)


def _warm(tags: int, subset: SubsetConfig, when: Moment) -> int:
    """How many of the tags a caption has by now: from token_warmup_min to all of them."""
    share = subset.token_warmup_step
    warm = math.floor(share * when.steps) if share < 1 else share
    if when.step >= warm:
        return tags
    least = min(tags, subset.token_warmup_min)  # sd-scripts would take tags away meanwhile
    return math.floor(when.step * (tags - least) / warm) + least


def _parts(caption: str, subset: SubsetConfig) -> tuple[list[str], list[str], list[str]]:
    """(kept at the front, free to move, kept at the end); the last only behind a second mark."""
    mark, comma = subset.keep_tokens_separator, subset.caption_separator
    if not mark or mark not in caption:
        tags = [tag.strip() for tag in caption.strip().split(comma)]
        return tags[: subset.keep_tokens], tags[subset.keep_tokens :], []
    front, middle, *end = caption.split(mark, 2)
    last = "".join(end).replace(mark, comma)
    return _tags(front, comma), _tags(middle, comma), _tags(last, comma)


def _tags(text: str, comma: str) -> list[str]:
    return [tag.strip() for tag in text.split(comma) if tag.strip()]
