"""What is wrong with the trigger."""

from __future__ import annotations

import os
from pathlib import Path

from .. import changes as plans
from ..captions import split_tags
from ..common_tags import COMMON_TAGS
from ..images import ImageFile
from ..look import Finding, Look
from ..proposals import check_trigger
from ..tag_kinds import tag_kind
from ..tags import count_tags, evident_trigger, tag_key
from .finding import finding, with_changes


def trigger_of(look: Look, images: list[ImageFile] | None = None) -> str:
    """The trigger that was given, or the evident one of these captions; "" if there is none."""
    if look.asked.trigger.strip():
        return look.asked.trigger.strip()
    tagged = [split_tags(image.caption) for image in images or look.captioned]
    return evident_trigger(tagged, Path(os.path.abspath(look.folder)).name)


def trigger_missing(look: Look) -> list[Finding]:
    """Captions without the trigger that the others have."""
    return _about_trigger(look, "trigger_missing", there=False)


def trigger_not_first(look: Look) -> list[Finding]:
    """Captions with the trigger further back."""
    return _about_trigger(look, "trigger_not_first", there=True)


def _about_trigger(look: Look, name: str, there: bool) -> list[Finding]:
    trigger = trigger_of(look)
    if not trigger:
        return []
    keys = set(map(tag_key, split_tags(trigger)))
    images = [
        image
        for image in look.captioned
        if (keys <= set(map(tag_key, split_tags(image.caption)))) == there
    ]
    made = plans.plan_trigger(images, trigger)
    why = f"the trigger {trigger} " + ("stands further back" if there else "is not in the caption")
    return finding(name, with_changes(look, made), why, f"{trigger} first", made)


def trigger_has_meaning(look: Look) -> list[Finding]:
    """All pictures, where the trigger is a tag or a word that the model knows already."""
    trigger = trigger_of(look)
    if not trigger or not look.captioned:
        return []
    counts = count_tags(split_tags(image.caption) for image in look.captioned)
    others = {tag: n for tag, n in counts.items() if tag_key(tag) != tag_key(trigger)}
    doubts = check_trigger(trigger, others, look.asked.known, look.asked.tokenize)
    doubts = [doubt for doubt in doubts if doubt.name != "comma"]
    kind = "a common tag" if tag_key(trigger) in COMMON_TAGS else tag_kind(trigger)
    if kind != "other" and not doubts:
        why = f"the trigger {trigger} says something by itself ({kind})."
    elif doubts:
        why = f"the trigger {trigger}: {doubts[0].why}"
    else:
        return []
    return finding("trigger_has_meaning", look.captioned, f"{why} Choose a word that means nothing")
