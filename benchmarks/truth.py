"""What is true of planted places: the same measures, from attributes that the reader sees."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import mean, stdev

from benchmarks.bank import TWO, Bank, Place, Tags, base_of
from benchmarks.planted import OUTFITS
from lib_lora_cook.compare.pick import merit
from lib_lora_cook.dataset.tags import tag_key
from lib_lora_cook.demo.characters import NEW_CHARACTER_TAGS, TAG_GROUPS

FREE = [frozenset(map(tag_key, tags)) for name, tags in TAG_GROUPS.items() if name != "hair_color"]
"""Groups of attributes that the captions leave free to change from picture to picture."""
OWN = frozenset(map(tag_key, NEW_CHARACTER_TAGS))


APART = 0.1
"""Two places are an order to be found where their truths are further apart than this."""
Each = list[float]
"""A value a seed."""


def true_measures(bank: Bank, place: Place) -> dict[str, Each]:
    """Each measure that attributes tell, by seed; leak is none of them."""
    if place[0] in TWO:
        return of_outfits(bank, place)
    trigger, caption, without = bank.prompts[place[0]]
    base = base_of(place[0])
    worn, bare = bank.true[place, trigger.text], bank.true[base, trigger.text]
    usual = mean(variety(bare))
    known = set(map(attributes, bank.pictured[place[0]]))
    return {
        "recovery": beyond(worn, bare, OWN),
        "obedience": shown(bank.true[place, caption.text], map(tag_key, caption.asked)),
        "bleed": beyond(bank.true[place, without.text], bank.true[base, without.text], OWN),
        "diversity": [it / usual for it in variety(worn)],
        "copy_risk": [float(attributes(it) in known) for it in worn],
    }


def of_outfits(bank: Bank, place: Place) -> dict[str, Each]:
    """How much of its own outfit each trigger brings, and how much of the other's."""
    worn = {
        trigger: frozenset((tag_key(f"{color}_{outfit}"), tag_key(accessory)))
        for trigger, (outfit, color, accessory) in OUTFITS.items()
    }
    own, others = [], []
    for probe in bank.prompts[place[0]]:
        for trigger, tags in worn.items():
            seen, bare = (bank.true[it, probe.text] for it in (place, base_of(place[0])))
            found = own if trigger == probe.trigger else others
            found.append(beyond(seen, bare, tags))
    return {
        name: list(map(mean, zip(*each, strict=True)))
        for name, each in (("recovery", own), ("mixing", others))
    }


def worth(true: Mapping[str, Each]) -> Each:
    """The merit by seed, less no copies: by chance a few drawings agree with one of 28 pictures."""
    names = [name for name in true if name != "copy_risk"]
    rows = zip(*(true[name] for name in names), strict=True)
    return [merit(dict(zip(names, row, strict=True))) for row in rows]


def likeness(true: Mapping[str, Each]) -> float:
    """The mean of the own features shown, of the tags obeyed and of what does not bleed."""
    bled = mean(true["bleed"])
    return mean((mean(true["recovery"]), mean(true["obedience"]), 1 - bled))


def is_below(low: Each, high: Each) -> bool:
    """Whether the truth tells two places apart.

    By more than APART, and by more than twice the standard error of the difference over the seeds.
    """
    gaps = [b - a for a, b in zip(low, high, strict=True)]
    return mean(gaps) > max(APART, 2 * stdev(gaps) / math.sqrt(len(gaps)))


def shown(pictures: Sequence[Tags], wanted: Iterable[str]) -> Each:
    """The share of the wanted tags that is in each picture."""
    tags = frozenset(wanted)
    return [len(tags & seen) / len(tags) for seen in pictures]


def beyond(pictures: Sequence[Tags], base: Sequence[Tags], wanted: Iterable[str]) -> Each:
    """The same less what the base model's pictures show of it on average."""
    tags = frozenset(wanted)
    given = mean(shown(base, tags))
    return [it - given for it in shown(pictures, tags)]


def variety(pictures: Sequence[Tags]) -> Each:
    """In how many of the free attributes each picture differs from the others, 0..1."""
    seen = list(map(attributes, pictures))
    return [
        mean(
            mean(a != b for a, b in zip(one, other, strict=True))
            for place, other in enumerate(seen) if place != number
        )
        for number, one in enumerate(seen)
    ]  # fmt: skip


def attributes(seen: Tags) -> tuple[Tags, ...]:
    """What is seen of each free group."""
    return tuple(seen & group for group in FREE)
