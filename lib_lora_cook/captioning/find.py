"""Taggers by name: a folder, one that the host has, or one that can be fetched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from ..errors import UserError
from ..jobs import Job, null_job
from . import onnx_tagger
from .base import Choice, Several, Tagger
from .fetch import fetch_tagger
from .known import KNOWN


def find_tagger(
    names: Sequence[str], there: Mapping[str, Path | Tagger], into: Path, job: Job = null_job
) -> Tagger:
    """One tagger, or several asked together.

    there: the host's, by name; into: the folder that a known one is fetched into. UserError for a
    name that nobody has, or a tagger that cannot be fetched or opened.
    """
    found = [_one(name, there, into, job) for name in names]
    return found[0] if len(found) == 1 else Several(found)


def _one(name: str, there: Mapping[str, Path | Tagger], into: Path, job: Job) -> Tagger:
    if Path(name).is_dir() or Path(name).name != name:
        return onnx_tagger.load(Path(name))
    one = there.get(name)
    if one is None and name in KNOWN:
        return onnx_tagger.load(fetch_tagger(KNOWN[name], into / name, job), KNOWN[name].spec)
    if one is None:
        raise UserError("No such tagger", name, _advice(name, [*there, *KNOWN]))
    if isinstance(one, Path):
        return onnx_tagger.load(one, KNOWN[name].spec if name in KNOWN else None)
    return one


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
