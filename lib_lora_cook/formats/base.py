"""What every reader of another trainer's file hands on: sd-scripts' arguments and its subsets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Table = dict[str, Any]


@dataclass
class Foreign:
    """A run in sd-scripts' words, whatever file it comes from."""

    arguments: Table = field(default_factory=dict)
    """sd-scripts' command line, flat, by the names of its options."""
    subsets: list[Table] = field(default_factory=list)
    """Folders with the keys of a `[[datasets.subsets]]` of sd-scripts."""
    unknown: list[str] = field(default_factory=list)
    """What the file asks for in words that even sd-scripts does not have."""


def is_asked(value: Any) -> bool:
    """Whether a value asks for anything: empty fields and switches that are off do not."""
    return value not in (None, "", False, [], {}, 0, 0.0, "0", "None", "none", "no", "false")


def listed(value: Any) -> list[str]:
    """`key=value` arguments, however a file holds them: a list, a table, or one line of text."""
    if isinstance(value, dict):
        return [f"{key}={_plain(item)}" for key, item in value.items()]
    if isinstance(value, str):
        return _split(value)
    return [str(item) for item in value or []]


def _plain(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _split(text: str) -> list[str]:
    """`a=1, b=[1,2] "c=3"` in parts: each begins where a name and an equals sign do."""
    parts: list[str] = []
    for piece in text.replace('"', " ").replace(",", ", ").split():
        if "=" in piece or not parts:
            parts.append(piece)
        else:
            parts[-1] += piece
    return [part.strip(",") for part in parts]
