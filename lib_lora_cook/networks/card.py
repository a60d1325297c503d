"""The card that WebUIs show of a LoRA file: `name.json` beside `name.safetensors`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .atomic import write_atomically

VERSIONS = {"sd1": "SD1", "sd2": "SD2", "sdxl": "SDXL"}
"""Our families -> what the card calls them."""
DOUBT = "A sheet could not tell the weight"
"""How the line of the notes begins that says that the preferred weight is a guess."""


@dataclass(frozen=True)
class LoraCard:
    """What we know of a LoRA file that a person wants to know."""

    activation_text: str = ""
    notes: str = ""
    family: str = ""
    """A ModelFamily's name."""


def card_path(lora: Path) -> Path:
    """Where the card of a LoRA file lies."""
    return lora.with_suffix(".json")


def preview_path(lora: Path) -> Path:
    """Where the picture of a LoRA file lies."""
    return lora.with_suffix(".png")


def write_card(lora: Path, card: LoraCard) -> None:
    """Lay a card beside a new file; a weight that was preferred of an older one is forgotten."""
    told = {
        "activation text": card.activation_text,
        "notes": card.notes,
        "sd version": VERSIONS.get(card.family, ""),
    }
    _write(lora, {name: value for name, value in told.items() if value} | {"preferred weight": 0})


def note_pick(lora: Path, weight: float, png: bytes, rival: str = "") -> None:
    """Lay the weight that a sheet has picked, and its picture, on the card of a file.

    rival: the place that the pick could not be told from. Then only what is not there yet is
    filled, and the notes say so: what a person or a clearer sheet has found stays.
    """
    card = read_card(lora)
    lines = str(card.get("notes", "")).splitlines()
    notes = [line for line in lines if not line.startswith(DOUBT)]
    if rival:
        if card.get("preferred weight") and notes == lines:
            return
        notes.append(f"{DOUBT} {weight:g} from {rival}")
    told = {"notes": "\n".join(notes)} if notes or lines else {}
    _write(lora, {**told, "preferred weight": weight})
    if not (rival and preview_path(lora).exists()):
        write_atomically(preview_path(lora), png)


def drop_lora(lora: Path) -> None:
    """Delete a file with its card and its picture."""
    for path in (lora, card_path(lora), preview_path(lora)):
        path.unlink(missing_ok=True)


def read_card(lora: Path) -> dict[str, Any]:
    """What stands on the card of a file; nothing where there is none, or a broken one."""
    try:
        read = json.loads(card_path(lora).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}


def _write(lora: Path, told: dict[str, Any]) -> None:
    """What others wrote under other names stays."""
    text = json.dumps({**read_card(lora), **told}, indent=4, ensure_ascii=False)
    write_atomically(card_path(lora), text.encode())
