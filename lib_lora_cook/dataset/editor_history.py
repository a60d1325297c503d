"""What undo and redo need: the states that an edit has replaced, old ones packed small."""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

_LOOSE = 6_000_000
"""Tags in states that are kept as they are, about 48 MB; older states are packed to a tenth."""


class State(NamedTuple):
    """A caption in memory; `text` only where it is not the tags joined."""

    tags: tuple[str, ...]
    text: str | None = None


States = dict[int, State]


@dataclass
class Past:
    """One edit that can be taken back: its name and the states of its rows on the other side."""

    what: str
    states: States | None
    size: int
    packed: bytes = b""

    def pack(self) -> None:
        """Make the states small."""
        plain = {row: tuple(state) for row, state in (self.states or {}).items()}
        self.packed, self.states = zlib.compress(pickle.dumps(plain, 5), 1), None

    def unpacked(self, intern: Callable[[str], str]) -> States:
        """The states, their tags being the editor's own strings again."""
        if self.states is not None:
            return self.states
        plain = pickle.loads(zlib.decompress(self.packed))  # our own memory, of nobody else's
        return {row: State(tuple(map(intern, tags)), text) for row, (tags, text) in plain.items()}


@dataclass
class History:
    """The edits since the captions were loaded, and those that were taken back."""

    done: list[Past] = field(default_factory=list)
    undone: list[Past] = field(default_factory=list)

    def push(self, what: str, old: States) -> None:
        """A new edit; what was undone before it is gone."""
        self.undone = []
        self.add(self.done, what, old)

    def add(self, to: list[Past], what: str, states: States) -> None:
        """One more at the end of either list."""
        to.append(Past(what, states, sum(len(state.tags) for state in states.values())))
        loose = 0
        for past in reversed(to):
            loose += past.size if past.states is not None else 0
            if loose > _LOOSE and past.states is not None and past is not to[-1]:
                past.pack()
