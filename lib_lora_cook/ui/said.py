"""What the page's script says to the server: one JSON object a press."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .show import plain


@dataclass(frozen=True)
class Said:
    """One press: what is to be done, and what about."""

    act: str
    facts: Mapping[str, Any]

    def text(self, name: str) -> str:
        """A fact as text, "" where it is none."""
        value = self.facts.get(name, "")
        return value if isinstance(value, str) else ""

    def number(self, name: str) -> int:
        """A fact as a whole number, 0 where it is none."""
        try:
            return int(self.facts.get(name, 0))
        except (TypeError, ValueError):
            return 0

    def texts(self, name: str) -> list[str]:
        """A fact as a list of texts."""
        value = self.facts.get(name)
        return [it for it in value if isinstance(it, str)] if isinstance(value, list) else []


def read_said(text: str) -> Said:
    """The script's JSON; nothing said where it is none."""
    try:
        told: Any = json.loads(text or "{}")
    except ValueError:
        told = {}
    if not isinstance(told, dict):
        told = {}
    act = told.get("act", "")
    return Said(act if isinstance(act, str) else "", told)


def press(channel: str, act: str, label: str, *, spoken: str = "", **facts: object) -> str:
    """A button whose press the script says in a channel, with these facts.

    `spoken` is what a screen reader says where the label is a mark.
    """
    more = "".join(f' data-{name}="{plain(value)}"' for name, value in facts.items())
    more += f' aria-label="{plain(spoken)}"' if spoken else ""
    return (
        f'<button type="button" data-say="{channel}" data-act="{act}"{more}>{plain(label)}</button>'
    )
