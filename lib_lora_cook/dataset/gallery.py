"""A dataset to be looked through: cards, filters, pages, and what a person thinks of a picture.

What a person says stands in the picture's sidecar (`picture.json`, under "lora_cook"), so it goes
where the picture goes and is undone like anything else.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from math import ceil, inf
from pathlib import Path
from typing import Any, Literal

from ..errors import IF_UNREAD, UserError
from .captions import caption_path, read_caption
from .changes import Change, plan_trash
from .headers import header_of, image_of, known_headers
from .images import Failure, ImageFile, is_picture_name, read_image_file
from .look import Finding

Mark = Literal["", "keep", "drop"]
PAGE = 60
_OURS = "lora_cook"


@dataclass(frozen=True)
class Card:
    """One picture in the gallery; stars 0 to 5, 0 for none; rating as the booru gave it."""

    image: ImageFile
    mark: Mark = ""
    stars: int = 0
    rating: str = ""
    findings: frozenset[str] = frozenset()
    sidecar: str = ""
    """The sidecar's text."""


@dataclass(frozen=True)
class Wanted:
    """Which cards are meant; what is left out does not matter.

    least, most: of the shorter side in pixels, `most` not counted in; aspect: from, to.
    """

    findings: frozenset[str] = frozenset()
    least: float = 0
    most: float = inf
    aspect: tuple[float, float] = (0, inf)
    ratings: frozenset[str] = frozenset()
    marks: frozenset[str] = frozenset()
    stars: int = 0

    @property
    def of_sidecars(self) -> bool:
        """Whether it asks for what stands in the sidecars."""
        return bool(self.ratings or self.marks or self.stars)

    @property
    def needs_sidecar(self) -> bool:
        """Whether no picture without a sidecar is meant."""
        return bool(self.ratings or self.stars or (self.marks and "" not in self.marks))

    def of_size(self, width: int, height: int) -> bool:
        """Whether pictures of this size are meant."""
        return (
            self.least <= min(width, height) < self.most
            and self.aspect[0] <= width / max(1, height) <= self.aspect[1]
        )


def scan_gallery(
    folder: Path,
    failed: list[Failure] | None = None,
    among: Collection[str] | None = None,
    wanted: Wanted | None = None,
) -> list[Card]:
    """The pictures of a folder by name, without captions; headers are read where a file is new.

    among: names that are asked about; None for all. wanted: only those, and sidecars are read only
    where it asks for them; findings are not looked at. UserError if the folder cannot be opened;
    pictures that cannot be read go to `failed`.
    """
    try:
        with os.scandir(folder) as entries:
            files = {entry.name: entry for entry in entries}
    except OSError as error:
        raise UserError(f"Cannot open this folder ({error.strerror})", folder, IF_UNREAD) from error
    asked = files if among is None else [name for name in among if name in files]
    names = sorted(filter(is_picture_name, asked))
    if wanted and wanted.needs_sidecar:
        names = [name for name in names if _sidecar_of(name) in files]
    cards = []
    with known_headers(folder, files) as known:
        for name in names:
            try:
                header = header_of(known, files[name])
                if wanted and not wanted.of_size(header[0], header[1]):
                    continue
                image = image_of(folder / name, header)
                cards.append(
                    _card(image, files) if not wanted or wanted.of_sidecars else Card(image)
                )
            except UserError as error:
                if failed is not None:
                    failed.append((Path(folder, name), error.what))
    return found(cards, replace(wanted, findings=frozenset())) if wanted else cards


def _sidecar_of(name: str) -> str:
    return name[: name.rfind(".")] + ".json"


def read_card(path: Path) -> Card:
    """One picture of a folder, its header read anew; UserError for what is none."""
    files = {it.name for it in (caption_path(path), path.with_suffix(".json")) if it.is_file()}
    return _card(read_image_file(path), files)


def _card(image: ImageFile, files: Iterable[str]) -> Card:
    name = _sidecar_of(image.path.name)
    if name not in files:
        return Card(image)
    sidecar = os.path.join(image.path.parent, name)
    text = read_caption(sidecar)
    try:
        values = _values(text, sidecar)
    except UserError:  # some other program's; said once a person wants to write there
        return Card(image, sidecar=text)
    ours = values.get(_OURS)
    ours = ours if isinstance(ours, dict) else {}
    mark = ours.get("mark") if ours.get("mark") in ("keep", "drop") else ""
    stars = ours.get("stars") if isinstance(ours.get("stars"), int) else 0
    return Card(image, mark, stars, str(values.get("rating") or ""), sidecar=text)  # type: ignore[arg-type]


def _values(text: str, sidecar: Path | str) -> dict[str, Any]:
    try:
        values = json.loads(text or "{}")
    except ValueError as error:
        raise UserError(f"This is no JSON ({error})", sidecar, "Move it away.") from error
    if not isinstance(values, dict):
        raise UserError("This JSON is no object", sidecar, "Move it away.")
    return values


def with_findings(cards: Iterable[Card], findings: Iterable[Finding]) -> list[Card]:
    """The cards with the names of what the doctor found about them."""
    names: dict[Path, set[str]] = {}
    for finding in findings:
        for path in finding.files:
            names.setdefault(path, set()).add(finding.name)
    return [replace(card, findings=frozenset(names.get(card.image.path, ()))) for card in cards]


def found(cards: Iterable[Card], wanted: Wanted) -> list[Card]:
    """The cards that are meant, in their order."""
    return [card for card in cards if _fits(card, wanted)]


def _fits(card: Card, wanted: Wanted) -> bool:
    return (
        (not wanted.findings or not wanted.findings.isdisjoint(card.findings))
        and wanted.of_size(card.image.width, card.image.height)
        and (not wanted.ratings or card.rating in wanted.ratings)
        and (not wanted.marks or card.mark in wanted.marks)
        and card.stars >= wanted.stars
    )


def page(cards: Sequence[Card], number: int, size: int = PAGE) -> tuple[list[Card], int]:
    """The cards of a page, from 1, and how many pages there are; beyond the last it is the last."""
    pages = max(1, ceil(len(cards) / size))
    number = min(max(1, number), pages)
    return list(cards[(number - 1) * size : number * size]), pages


def plan_mark(cards: Iterable[Card], mark: Mark) -> list[Change]:
    """These pictures are to be kept, dropped or ("") neither; none leaves by that."""
    return _plan_ours(cards, "mark", mark, f"mark: {mark or 'none'}")


def plan_stars(cards: Iterable[Card], stars: int) -> list[Change]:
    """These pictures have so many stars, 0 to 5; UserError for another number."""
    if not 0 <= stars <= 5:
        raise UserError("Stars go from 0 to 5", str(stars))
    return _plan_ours(cards, "stars", stars, f"{stars} stars")


def _plan_ours(cards: Iterable[Card], key: str, value: str | int, why: str) -> list[Change]:
    changes: dict[Path, Change] = {}
    for card in cards:
        path = card.image.path.with_suffix(".json")
        values = _values(card.sidecar, path)
        ours = values.get(_OURS)
        ours = {**(ours if isinstance(ours, dict) else {}), key: value}
        values[_OURS] = {name: it for name, it in ours.items() if it}
        if not values[_OURS]:
            del values[_OURS]
        if values != _values(card.sidecar, path):
            text = json.dumps(values, indent=1, ensure_ascii=False)
            changes[path] = Change("caption", path, why, path, before=card.sidecar, after=text)
    return list(changes.values())


def plan_dropped(cards: Iterable[Card]) -> list[Change]:
    """The pictures that are marked to be dropped go to the trash."""
    return plan_trash([card.image.path for card in cards if card.mark == "drop"], "dropped")
