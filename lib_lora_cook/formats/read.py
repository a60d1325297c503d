"""Any file of another trainer: found out by what is in it, never by its name alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..config_file import parse_toml
from ..errors import UserError
from . import colab, easy, kohya, kohya_gui, lora_file, onetrainer
from .arguments import Translated, translate
from .base import Foreign

UTF16 = (b"\xff\xfe", b"\xfe\xff")
KNOWN = (
    "Give sd-scripts' training or dataset TOML, an Easy Training Scripts TOML or JSON, a "
    "kohya_ss JSON, a OneTrainer config or concepts, a cell of the colab, or a LoRA file."
)


def read_foreign(path: Path) -> Translated:
    """The run that another trainer's file describes, in our words.

    UserError, with line and column where there are any, for a file that is broken or not known.
    """
    try:
        return translate(read_any(path))
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        # Some table stands where a number should, or the like: no program writes such a file.
        what = f"{type(error).__name__}: {error}".replace("\n", " ")
        raise UserError(f"A value in this file is of another kind ({what})", path, KNOWN) from error


def read_any(path: Path) -> Foreign:
    """A file's arguments and subsets."""
    if path.suffix.lower() == ".safetensors":
        return lora_file.read_lora(path)
    try:
        text = decoded(path.read_bytes(), path)
    except OSError as error:
        raise UserError(
            f"This cannot be read ({error.strerror})", path, "Check its name."
        ) from None
    return read_text(text, path)


def decoded(data: bytes, path: Path) -> str:
    """UTF-8 with a mark or without, or what Windows' shell writes by `>`: UTF-16 with its mark."""
    try:
        text = data.decode("utf-16" if data[:2] in UTF16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        place = f"line {line}, column {column}: not UTF-8"
        raise UserError(f"This is no text ({place})", path, "Save it as UTF-8.") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_text(text: str, path: Path) -> Foreign:
    """A text's arguments and subsets, whichever program wrote it."""
    folder = path.resolve().parent
    if path.suffix.lower() == ".ipynb":
        return colab.read_cell(colab.notebook_code(text, str(path)), str(path))
    if text.lstrip()[:1] in ("{", "[") and not text.lstrip().startswith("[["):
        parsed = json_or_none(text, path)
        if parsed is not None:
            return read_json(parsed, folder, path)
    if colab.is_cell(text) and path.suffix.lower() != ".toml":
        return colab.read_cell(text, str(path))
    return read_toml(text, folder, path)


def json_or_none(text: str, path: Path) -> Any:
    """A parsed JSON; None for what begins like one and is TOML (a section in brackets)."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        if text.lstrip()[0] == "[" and path.suffix.lower() != ".json":
            return None
        raise UserError(
            f"This is not JSON (line {error.lineno}, column {error.colno}: {error.msg})", path,
            "Correct that line.",
        ) from None  # fmt: skip


def read_json(parsed: Any, folder: Path, path: Path) -> Foreign:
    """A JSON of one of the programs that write it."""
    if onetrainer.is_concepts(parsed):
        return onetrainer.read_concepts(parsed)
    if isinstance(parsed, dict):
        if easy.is_easy_json(parsed):
            return easy.read_json(parsed, folder)
        if kohya_gui.is_gui(parsed):
            return kohya_gui.read_gui(parsed, folder)
        if onetrainer.is_config(parsed):
            return onetrainer.read_config(parsed, folder)
        if easy.is_easy_toml(parsed):  # the same sections, as its program sends them on
            return easy.read_toml(parsed)
    raise UserError("No trainer that is known here writes such a JSON", path, KNOWN)


def read_toml(text: str, folder: Path, path: Path) -> Foreign:
    """A TOML of sd-scripts or of Easy Training Scripts; a run of ours reads as the former."""
    table = parse_toml(text, path)
    if easy.is_easy_toml(table):
        return easy.read_toml(table)
    if kohya.is_dataset(table) and not any(isinstance(it, str) for it in table.values()):
        return kohya.read_dataset(table)
    subsets = table.pop("subsets", None)
    if not table and not subsets:
        raise UserError("There is nothing in this file", path, KNOWN)
    foreign = kohya.read_training(table, folder)
    if isinstance(subsets, list):
        foreign.subsets += subsets
    return foreign
