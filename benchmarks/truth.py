"""What is true of planted places: the same measures, from attributes that the reader sees."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from statistics import mean

from benchmarks.bank import TWO, Bank, Place, Tags, base_of
from benchmarks.planted import OUTFITS
from lib_lora_cook.dataset.tags import tag_key
from lib_lora_cook.demo.characters import NEW_CHARACTER_TAGS, TAG_GROUPS

FREE = [frozenset(map(tag_key, tags)) for name, tags in TAG_GROUPS.items() if name != "hair_color"]
"""Groups of attributes that the captions leave free to change from picture to picture."""
OWN = frozenset(map(tag_key, NEW_CHARACTER_TAGS))


def true_measures(bank: Bank, place: Place) -> dict[str, float]:
    """Each measure that attributes tell, over all seeds; leak is none of them."""
    if place[0] in TWO:
        return of_outfits(bank, place)
    trigger, caption, without = bank.prompts[place[0]]
    base = base_of(place[0])
    worn, bare = bank.true[place, trigger.text], bank.true[base, trigger.text]
    return {
        "recovery": shown(worn, OWN) - shown(bare, OWN),
        "obedience": shown(bank.true[place, caption.text], map(tag_key, caption.asked)),
        "bleed": shown(bank.true[place, without.text], OWN)
        - shown(bank.true[base, without.text], OWN),
        "diversity": variety(worn) / variety(bare),
        "copy_risk": copies(worn, bank.pictured[place[0]]),
    }


def of_outfits(bank: Bank, place: Place) -> dict[str, float]:
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
            found.append(shown(seen, tags) - shown(bare, tags))
    return {"recovery": mean(own), "mixing": mean(others)}


def shown(pictures: Sequence[Tags], wanted: Iterable[str]) -> float:
    """The share of the wanted tags that is there, mean over the pictures."""
    tags = frozenset(wanted)
    return mean(len(tags & seen) / len(tags) for seen in pictures)


def variety(pictures: Sequence[Tags]) -> float:
    """In how many of the free attributes two of the pictures differ, 0..1."""
    pairs = list(combinations(map(attributes, pictures), 2))
    return mean(mean(a != b for a, b in zip(*pair, strict=True)) for pair in pairs)


def copies(pictures: Sequence[Tags], training: Sequence[Tags]) -> float:
    """The share of the pictures with every free attribute as in one of the training pictures."""
    known = set(map(attributes, training))
    return mean(attributes(it) in known for it in pictures)


def attributes(seen: Tags) -> tuple[Tags, ...]:
    """What is seen of each free group."""
    return tuple(seen & group for group in FREE)


def differs(one: Mapping[str, float], other: Mapping[str, float], name: str, by: float) -> bool:
    """Whether a measure is lower in one than in the other by more than that."""
    return name in one and name in other and other[name] - one[name] > by
