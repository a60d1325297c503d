"""Which tags to prune into the trigger, and what that costs; nothing is pruned unasked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ..errors import UserError
from .caption_edits import CaptionEdit, Tokenize, remove
from .filters import ordered
from .tag_kinds import TagKind, tag_kind
from .tags import tag_key

Subject = Literal["character", "style", "pose", "outfit", "concept"]
SUBJECTS: tuple[Subject, ...] = ("character", "style", "pose", "outfit", "concept")
NEARLY_ALL = 0.6
"""Of the pictures: a tagger misses a trait now and then, and some pictures do not show it."""
_PRUNED: dict[Subject, tuple[TagKind, ...]] = {
    "character": ("trait",),
    "style": (),
    "pose": ("pose",),
    "outfit": ("clothing",),
    "concept": ("other",),
}
_GAIN = {
    "trait": "Always there: pruned, the trigger alone brings it. Kept, it must be written in every "
    "prompt, and can be changed there.",
    "clothing": "Belongs to the outfit: pruned, the trigger alone brings it.",
    "pose": "Belongs to the pose: pruned, the trigger alone brings it.",
    "other": "Nearly always there: pruned, the trigger comes to mean it.",
}
_COST = {
    "trait": "A trait of whoever is in these pictures: keep it, or the trigger brings it too.",
    "clothing": "Clothing: pruned, the trigger brings it every time, and other clothes are hard to "
    "prompt. Kept, it can be put on and taken off.",
    "pose": "A pose: keep it, or the trigger always brings it.",
    "count": "Says how many are there: keep it, the base model knows it well.",
    "setting": "Of the picture, not of the subject: keep it, or the trigger brings it too.",
    "other": "Nearly always there. Prune it only if it is always part of the subject.",
}


@dataclass(frozen=True)
class Proposal:
    """A tag that nearly every picture has; share is of the pictures, 0 to 1."""

    tag: str
    count: int
    share: float
    kind: TagKind
    prune: bool
    why: str

    def as_json(self) -> dict[str, Any]:
        """The proposal as other programs are shown it."""
        return asdict(self)


def propose(
    counts: Mapping[str, int], captions: int, subject: Subject, trigger: str = ""
) -> list[Proposal]:
    """The tags of nearly all captions, the most frequent first; none for a style.

    What belongs to the subject is proposed for pruning; beside each stands what it means.
    """
    if subject == "style":
        return []
    own = {tag_key(part) for part in trigger.split(",")}
    return [
        _proposal(tag, count, count / captions, subject)
        for tag, count in ordered(counts)
        if count >= NEARLY_ALL * captions and tag_key(tag) not in own
    ]


def _proposal(tag: str, count: int, share: float, subject: Subject) -> Proposal:
    kind = tag_kind(tag)
    prune = kind in _PRUNED[subject]
    why = _GAIN[kind] if prune else _COST[kind]
    return Proposal(tag, count, round(share, 4), kind, prune, why)


def pruning(proposals: Iterable[Proposal]) -> CaptionEdit:
    """The edit that takes out what is ticked."""
    return remove([proposal.tag for proposal in proposals if proposal.prune])


@dataclass(frozen=True)
class Doubt:
    """What speaks against a trigger: `name` is tag, dataset, pieces, words, comma or style."""

    name: str
    why: str
    pieces: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The doubt as other programs are shown it."""
        return {"name": self.name, "why": self.why, "pieces": list(self.pieces)}


STYLE_NEEDS_NONE = Doubt(
    "style", "A style needs no trigger: what stands in no caption is learnt for every prompt."
)


def check_trigger(
    trigger: str, counts: Mapping[str, int], known: Iterable[str] = (),
    tokenize: Tokenize | None = None,
) -> list[Doubt]:  # fmt: skip
    """What speaks against a trigger; empty if nothing does.

    counts: the dataset's tags; known: a tagger's list; tokenize: without it only the words are
    looked at. UserError for an empty one.
    """
    text = trigger.strip()
    if not text:
        raise UserError("There is no trigger", "", "Give a word that means nothing yet.")
    doubts = []
    if "," in text:
        doubts.append(Doubt("comma", "A comma makes two tags of it."))
    known_keys = {tag_key(tag) for tag in known}
    key = tag_key(text)
    if key in known_keys:
        doubts.append(Doubt("tag", "It is a tag already: the model has its own idea of it."))
    if others := [tag for tag in counts if tag_key(tag) == key]:
        count = sum(counts[tag] for tag in others)
        doubts.append(Doubt("dataset", f"{count} captions have it already."))
    words = {word for tag in known_keys | set(map(tag_key, counts)) - {key} for word in tag.split()}
    return doubts + _meanings(text, words, tokenize)


def _meanings(text: str, words: set[str], tokenize: Tokenize | None) -> list[Doubt]:
    if tokenize is not None:
        pieces = tokenize(text)
        meant = [piece for piece in pieces if _means(piece, words)]
        if meant:
            shown = " + ".join(piece.removesuffix(_END) for piece in pieces)
            why = (
                f"It is read as {shown}: {_named(meant)} has a meaning of its own that comes along."
            )
            return [Doubt("pieces", why, tuple(pieces))]
        return []
    meant = [word for word in tag_key(text).split() if word.strip("0123456789") in words - {""}]
    if meant:
        return [Doubt("words", f"{_named(meant)} has a meaning of its own that comes along.")]
    return []


_END = "</w>"
"""How CLIP's vocabulary marks a piece that ends a word."""


def _means(piece: str, words: set[str]) -> bool:
    """Whether a piece is a word that tags use, or so long that CLIP must have met it often.

    CLIP's vocabulary grew by frequency: nearly all pieces of four letters or more that end a word
    are words or names.
    """
    text = piece.removesuffix(_END).lower()
    if not text.isalpha() or len(text) < 3:
        return False
    return text in words or (piece.endswith(_END) and len(text) > 3)


def _named(pieces: Sequence[str]) -> str:
    return " and ".join(f"{piece.removesuffix(_END)!r}" for piece in pieces)
