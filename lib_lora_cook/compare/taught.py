"""What was trained, by its triggers: the prompts that test it, and its pictures as a tagger's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..captioning.base import Tagger
from ..dataset.captions import split_tags
from ..dataset.images import ImageFile
from ..dataset.tags import evident_trigger
from .judge import Wanted, look_at_training
from .prompts import Taught, make_prompts

Folder = tuple[str, str, Sequence[ImageFile]]
"""class_tokens, the folder's name, its pictures."""


def by_trigger(folders: Iterable[Folder]) -> dict[str, list[ImageFile]]:
    """Trigger -> pictures; what has no evident trigger is left out."""
    found: dict[str, list[ImageFile]] = {}
    for tokens, name, images in folders:
        captions = [split_tags(it.caption) for it in images]
        if trigger := tokens or evident_trigger(captions, name):
            found.setdefault(trigger, []).extend(images)
    return found


def wanted_of(
    taught: Mapping[str, Sequence[ImageFile]], tags: Sequence[str], tagger: Tagger
) -> Wanted:
    """The prompts of these triggers, and their pictures, each looked at by the tagger."""
    subsets, training = [], {}
    for trigger, images in taught.items():
        training[trigger] = look_at_training(images, tagger)
        captions = [[it for it in one if it != trigger] for one in training[trigger].captions]
        subsets.append(Taught(trigger, captions))
    labels: Any = getattr(tagger, "labels", ())  # a host's own tagger does not tell its list
    probes = make_prompts(subsets, [name for _, name in labels])
    return Wanted(tags, tagger, probes, training)
