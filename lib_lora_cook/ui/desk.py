"""A dataset's captions in memory, and what a person has picked out of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import RLock
from typing import Any

from ..dataset.editor import Editor


@dataclass
class Desk:
    """What every window of the page edits; rows are the editor's numbers, pages from 0."""

    editor: Editor
    names: list[str] = field(default_factory=list)
    """The pictures' names when they were looked for."""
    selected: set[int] = field(default_factory=set)
    page: int = 0
    lock: Any = field(default_factory=RLock)
    """Held by whoever edits, so that what was sent first is done first."""
