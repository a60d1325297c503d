"""How the checks make their findings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from ..changes import Change
from ..images import ImageFile
from ..look import Finding, Look


def finding(
    name: str, images: Sequence[ImageFile], why: str, fix: str = "", made: Sequence[Change] = ()
) -> list[Finding]:
    """One finding about these pictures, none if there are none."""
    paths = tuple(image.path for image in images)
    return [Finding(name, paths, why, fix, tuple(made))] if images else []


def by_reason(
    name: str, reasons: Iterable[tuple[Path, str]], fix: str, made: Sequence[Change]
) -> list[Finding]:
    """A finding for each reason, with those of the changes that concern its files."""
    files: dict[str, list[Path]] = {}
    for path, why in reasons:
        files.setdefault(why, []).append(path)
    by_path: dict[Path, list[Change]] = {}
    for change in made:
        by_path.setdefault(change.path, []).append(change)
    return [
        Finding(
            name, tuple(paths), why, fix, tuple(it for at in paths for it in by_path.get(at, ()))
        )
        for why, paths in files.items()
    ]


def with_changes(look: Look, made: Iterable[Change]) -> list[ImageFile]:
    """The pictures whose captions change."""
    paths = {change.path for change in made}
    return [image for image in look.images if image.caption_path in paths]
