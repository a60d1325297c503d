"""The lists of tags that come with taggers: a CSV file, or one of two kinds of JSON."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from ..errors import IF_UNREAD, UserError
from .base import CATEGORIES

_BY_NUMBER = {9: "rating", 0: "general", 4: "character", 3: "copyright", 1: "artist", 5: "meta"}
"""Danbooru's numbers, and the WD family's 9."""


def read_labels(file: Path) -> list[tuple[str, str]]:
    """(category, name) of each output in order; category "" for those not used.

    `selected_tags.csv` has name and category (a number); JSON is `{"0": {"tag", "category"}}` or
    `{"idx_to_tag", "tag_to_category"}`, in Camie's second model below dataset_info. UserError for
    anything else.
    """
    try:
        if file.suffix.lower() == ".json":
            return _of_json(json.loads(file.read_text(encoding="utf-8")))
        with open(file, encoding="utf-8", newline="") as lines:
            rows = list(csv.DictReader(lines))
        return [(_BY_NUMBER.get(int(row["category"]), ""), row["name"]) for row in rows]
    except OSError as error:
        raise UserError(
            f"Cannot read this list of tags ({error.strerror})", file, IF_UNREAD
        ) from error
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise UserError("This is no list of tags", file, "It needs: name, category.") from error


def _of_json(document: Any) -> list[tuple[str, str]]:
    mapping = document.get("dataset_info", {}).get("tag_mapping", document)
    if "idx_to_tag" in mapping:
        categories = mapping["tag_to_category"]
        tags = {int(place): name for place, name in mapping["idx_to_tag"].items()}
        pairs = {place: (categories.get(name, ""), name) for place, name in tags.items()}
    else:
        pairs = {int(place): (it["category"], it["tag"]) for place, it in mapping.items()}
    if sorted(pairs) != list(range(len(pairs))):
        raise ValueError("outputs without a tag")
    return [_named(*pairs[place]) for place in range(len(pairs))]


def _named(category: str, name: str) -> tuple[str, str]:
    known = category.lower()
    if known == "rating":
        name = name.removeprefix("rating_").removeprefix("rating:")
    return (known if known in CATEGORIES else ""), name
