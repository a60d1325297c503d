"""What is proposed for pruning, and what speaks against a trigger."""

import pytest

from lib_lora_cook.dataset.proposals import (
    SUBJECTS,
    Proposal,
    Subject,
    check_trigger,
    propose,
    pruning,
)
from lib_lora_cook.errors import UserError

COUNTS = {
    "kafka": 20, "1girl": 20, "purple hair": 19, "white shirt": 18, "smile": 15, "sitting": 14,
    "simple background": 13, "hat": 5, "red eyes": 11,
}  # fmt: skip


def proposed(subject: Subject) -> dict[str, Proposal]:
    return {it.tag: it for it in propose(COUNTS, 20, subject, "kafka")}


@pytest.mark.parametrize(
    ("subject", "pruned"),
    [
        ("character", ["purple hair"]),
        ("style", []),
        ("pose", ["sitting"]),
        ("outfit", ["white shirt"]),
        ("concept", ["smile"]),
    ],
)
def test_what_belongs_to_the_subject_is_proposed(subject: Subject, pruned: list[str]) -> None:
    found = proposed(subject)
    assert [tag for tag, it in found.items() if it.prune] == pruned
    edit = pruning(found.values())
    kept = [tag for tag in COUNTS if tag not in pruned]
    assert edit.text(", ".join(COUNTS)) == ", ".join(kept)


def test_only_what_nearly_all_have_is_named_and_never_the_trigger() -> None:
    found = proposed("character")
    assert list(found) == [
        "1girl", "purple hair", "white shirt", "smile", "sitting", "simple background",
    ]  # fmt: skip
    assert found["purple hair"].share == 0.95 and found["purple hair"].count == 19
    assert propose({}, 0, "character") == []


def test_each_tells_what_it_would_cost() -> None:
    found = proposed("character")
    assert "other clothes are hard to prompt" in found["white shirt"].why
    assert "the trigger alone brings it" in found["purple hair"].why
    assert all(it.why for subject in SUBJECTS for it in proposed(subject).values())
    assert set(found["smile"].as_json()) == {"tag", "count", "share", "kind", "prune", "why"}


def pieces(text: str) -> list[str]:
    """A tokenizer of a few words: known ones whole, the rest letter by letter."""
    known = {"penguin": ["penguin</w>"], "tag999": ["tag</w>", "9</w>", "9</w>", "9</w>"],
             "kfk": ["k", "fk</w>"], "penguinkfk": ["penguin", "k", "fk</w>"]}  # fmt: skip
    return [piece for word in text.split() for piece in known.get(word, list(word))]


@pytest.mark.parametrize(
    ("trigger", "names"),
    [
        ("kfk", []),
        ("penguin tag999", ["pieces"]),
        ("penguinkfk", ["pieces"]),
        ("Blue_Hair", ["tag"]),
        ("smile", ["dataset"]),
        ("kfk, x", ["comma"]),
    ],
)
def test_a_trigger_is_looked_at_from_every_side(trigger: str, names: list[str]) -> None:
    doubts = check_trigger(trigger, COUNTS, ["blue hair", "penguin"], pieces)
    assert [doubt.name for doubt in doubts] == names


def test_the_pieces_are_shown_and_words_do_without_a_tokenizer() -> None:
    (doubt,) = check_trigger("penguin tag999", {}, [], pieces)
    assert "penguin + tag + 9" in doubt.why and "'penguin' has a meaning" in doubt.why
    assert doubt.pieces[0] == "penguin</w>"
    (doubt,) = check_trigger("hair99", COUNTS)
    assert doubt.name == "words" and doubt.as_json()["pieces"] == []
    assert check_trigger("kfk", COUNTS) == []
    with pytest.raises(UserError, match="no trigger"):
        check_trigger(" ", COUNTS)
