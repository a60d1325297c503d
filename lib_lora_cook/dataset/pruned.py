"""Which tags a person has pruned from this dataset, as its journal tells."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from .captions import split_tags
from .images import OWN_FOLDER
from .tags import tag_key

_EDITS = ("without ", "add ", '"undone"')
"""How the edits of caption_edits name themselves, and what takes them back."""


def read_pruned(folder: Path) -> dict[str, int]:
    """Key of a tag -> from how many captions it was taken; undone and later added ones left out."""
    try:
        lines = (folder / OWN_FOLDER / "journal.jsonl").read_text("utf-8", "replace").splitlines()
    except OSError:
        return {}
    edits: dict[int, Counter[str]] = {}
    for text in lines:
        if any(edit in text for edit in _EDITS):
            try:
                _take_in(json.loads(text), edits)
            except (ValueError, KeyError, TypeError, AttributeError):  # cut short by a crash
                continue
    pruned: dict[str, int] = {}
    for number in sorted(edits):
        for key, count in edits[number].items():
            if count:
                pruned[key] = pruned.get(key, 0) + count
            else:
                pruned.pop(key, None)
    return pruned


def _take_in(line: dict[str, object], edits: dict[int, Counter[str]]) -> None:
    number, why = int(str(line["entry"])), str(line.get("why", ""))
    if "undone" in line:
        edits.pop(number, None)
        return
    for edit in why.split("; "):
        verb, _, tags = edit.partition(" ")
        for tag in split_tags(tags) if verb in ("without", "add") else []:
            edits.setdefault(number, Counter())[tag_key(tag)] += verb == "without"
