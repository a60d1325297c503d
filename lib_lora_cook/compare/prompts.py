"""Prompts that test a LoRA, made from the captions that it was trained on. Pure values."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from ..dataset.tag_kinds import tag_kind
from ..dataset.tags import count_tags, tag_key

Kind = Literal["trigger", "captions", "other", "without"]
OUTFITS = (
    "school uniform", "swimsuit", "kimono", "suit", "armor", "white dress", "hoodie", "apron",
    "red dress", "green dress", "blue shirt", "green hoodie", "pajamas",
)  # fmt: skip
PLACES = (
    "beach", "forest", "classroom", "city", "night sky", "snow", "white background", "blue sky",
    "bedroom", "checkered background",
)  # fmt: skip
VIEWS = ("full body", "upper body", "from side", "from behind", "cowboy shot", "portrait")
"""Booru tags that most taggers and models know, those that say most about a LoRA first."""
RARE = 0.1
"""A tag in no more than this share of the captions was hardly taught."""
LONGEST = 8
"""Tags of a caption that are asked for at once."""


@dataclass(frozen=True)
class Taught:
    """What one subset taught: its trigger, and the tags of each caption without it."""

    trigger: str
    captions: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Probe:
    """A prompt, what it tests, and the tags that it asks for."""

    kind: Kind
    text: str
    asked: tuple[str, ...] = ()
    trigger: str = ""
    """The word in it that calls the subject; "" where none does."""


def make_prompts(subsets: Sequence[Taught], known: Collection[str] = ()) -> list[Probe]:
    """The trigger alone, with its captions' tags, with others; without it; one subset's, then next.

    known: the tags that the tagger can see, in any spelling; empty where that is not known.
    """
    prompts = [prompt for subset in subsets for prompt in prompts_of(subset, known)]
    captions = [caption for subset in subsets for caption in subset.captions]
    prompts += without_trigger(Taught("", captions), known)
    first: dict[str, Probe] = {}
    for prompt in prompts:
        first.setdefault(prompt.text, prompt)
    return list(first.values())


def prompts_of(subset: Taught, known: Collection[str]) -> Iterator[Probe]:
    """The prompts with one trigger."""
    trigger = subset.trigger
    yield Probe("trigger", trigger, (), trigger)
    if usual := usual_caption(subset, known):
        yield Probe("captions", ", ".join((trigger, *usual)), usual, trigger)
    subject = subject_tags(subset)
    for group in (OUTFITS, PLACES, VIEWS):
        for tag in rare_tags(group, subset, known)[:1]:
            text = ", ".join((trigger, *subject, tag))
            yield Probe("other", text, (tag,), trigger)


def without_trigger(subset: Taught, known: Collection[str]) -> Iterator[Probe]:
    """The same kind of subject, and a place with nobody in it: neither should change."""
    subject = subject_tags(subset)
    outfits, places = (rare_tags(group, subset, known)[:1] for group in (OUTFITS, PLACES))
    if subject:
        yield Probe("without", ", ".join((*subject, *outfits)), tuple(outfits))
    yield Probe("without", ", ".join(("no humans", "scenery", *places)), tuple(places))


def subject_tags(subset: Taught) -> tuple[str, ...]:
    """The counts that stand in at least half of the captions: `1girl`, `solo`."""
    counted = count_tags(list(map(list, subset.captions)))
    usual = [tag for tag, count in counted.items() if 2 * count >= len(subset.captions)]
    return tuple(sorted(tag for tag in usual if tag_kind(tag) == "count"))


def usual_caption(subset: Taught, known: Collection[str]) -> tuple[str, ...]:
    """The caption whose tags are the commonest on average, as far as the tagger knows them."""
    counted = count_tags(list(map(list, subset.captions)))
    ranked = sorted(
        (tuple(caption) for caption in subset.captions if caption),
        key=lambda it: (-sum(counted[tag] for tag in it) / len(it), it),
    )
    best = ranked[0] if ranked else ()
    return tuple(tag for tag in best if is_known(tag, known))[:LONGEST]


def rare_tags(group: Sequence[str], subset: Taught, known: Collection[str]) -> list[str]:
    """The tags of a group that the captions hardly have, the rarest first."""
    counted = count_tags([[tag_key(tag) for tag in caption] for caption in subset.captions])
    most = RARE * len(subset.captions)
    rare = [it for it in group if counted[tag_key(it)] <= most and is_known(it, known)]
    return sorted(rare, key=lambda tag: counted[tag_key(tag)])


def is_known(tag: str, known: Collection[str]) -> bool:
    """Whether the tagger can see a tag."""
    return not known or tag_key(tag) in {tag_key(it) for it in known}
