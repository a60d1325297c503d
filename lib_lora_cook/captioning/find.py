"""Taggers by name: a folder, one that the host has, or one that can be fetched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from ..dataset.tags import spaces_for_underscores
from ..errors import UserError
from ..jobs import Job, null_job
from . import onnx_tagger
from .base import Choice, Several, Tagger
from .fetch import fetch_tagger
from .known import KNOWN
from .labels import read_labels
from .spec import TaggerSpec, spec_of


def find_tagger(
    names: Sequence[str], there: Mapping[str, Path | Tagger], into: Path, job: Job = null_job,
    many: bool = False,
) -> Tagger:  # fmt: skip
    """One tagger, or several asked together.

    there: the host's, by name; into: the folder that a known one is fetched into; many: for a
    dataset, not for single pictures. UserError for a name that nobody has, or a tagger that cannot
    be fetched or opened.
    """
    found = [_one(name, there, into, job, many) for name in names]
    return found[0] if len(found) == 1 else Several(found)


def _one(name: str, there: Mapping[str, Path | Tagger], into: Path, job: Job, many: bool) -> Tagger:
    spec = KNOWN[name].spec if name in KNOWN else None
    if is_folder(name):
        return onnx_tagger.load(Path(name), None, many)
    one = there.get(name)
    if spec is not None and (one is None or (isinstance(one, Path) and not _whole(one, spec))):
        folder = one if isinstance(one, Path) else into / name
        return onnx_tagger.load(fetch_tagger(KNOWN[name], folder, job), spec, many)
    if one is None:
        raise _unknown(name, there)
    return onnx_tagger.load(one, spec, many) if isinstance(one, Path) else one


def _whole(folder: Path, spec: TaggerSpec) -> bool:
    """Whether nothing is missing, as after a fetch that was broken off between two files."""
    return all((folder / file).is_file() for file in (spec.model_file, spec.label_file))


def is_folder(name: str) -> bool:
    """Whether what was given is a folder, and not a name."""
    return Path(name).is_dir() or Path(name).name != name


def folder_of(name: str, there: Mapping[str, Path | Tagger], into: Path) -> Path:
    """The folder of a tagger that is at hand; UserError where there is none."""
    if is_folder(name):
        return Path(name)
    one = there.get(name, into / name)
    if isinstance(one, Path) and one.is_dir():
        return one
    raise _unknown(name, there)


def tag_list(folder: Path) -> list[str]:
    """All tags that the tagger in a folder knows, in its order, as captions spell them."""
    labels = read_labels(folder / spec_of(folder).label_file)
    return [spaces_for_underscores(name) for category, name in labels if category]


def _unknown(name: str, there: Mapping[str, Path | Tagger]) -> UserError:
    return UserError("No such tagger", name, _advice(name, [*there, *KNOWN]))


def _advice(name: str, known: Sequence[str]) -> str:
    near = get_close_matches(name, known, 1)
    meant = f"Did you mean {near[0]}? " if near else ""
    return f"{meant}There are: {', '.join(dict.fromkeys(known))}; or give a folder."


def default_choice(tagger: Tagger) -> Choice:
    """The thresholds that a tagger's maker gives it."""
    spec = getattr(tagger, "spec", None)
    if spec is None:
        return Choice()
    return replace(Choice(), thresholds=spec.thresholds)
