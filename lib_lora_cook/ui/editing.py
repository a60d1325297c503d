"""The caption editor without its widgets: what to find, what to do, and how rows look."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..dataset import caption_edits as edits
from ..dataset.caption_edits import CaptionEdit
from ..dataset.captions import join_tags, split_tags
from ..dataset.editor import Difference, Editor, open_editor
from ..dataset.filters import Filter, Mode, TagFilter, ordered
from ..errors import UserError
from . import show, texts
from .bench import Bench, several
from .show import plain

ROWS, TAGS = 40, 200
"""Captions and tags that are shown at once."""
OPERATIONS = ("append", "prepend", "remove", "rename", "replace", "sort", "dedupe")


@dataclass(frozen=True)
class Batch:
    """The editor's form: which captions, and what to do with them."""

    tags: str
    mode: str
    operation: str
    first: str
    second: str


def editor_of(folder: Path, bench: Bench) -> Editor:
    """The dataset's captions in memory; opened once, until they are saved and changed."""
    if folder not in bench.editors:
        bench.editors[folder] = open_editor(folder, [])
    return bench.editors[folder]


def filters_of(batch: Batch) -> list[Filter]:
    """The captions that are meant; none: all."""
    tags = tuple(split_tags(batch.tags))
    modes: dict[str, Mode] = {"and": "and", "or": "or", "none": "none"}
    return [TagFilter(tags, modes.get(batch.mode, "and"))] if tags else []


def edit_of(batch: Batch) -> CaptionEdit:
    """What is to be done; UserError where it makes no sense."""
    tags = split_tags(batch.first)
    if batch.operation not in ("sort", "dedupe") and not batch.first.strip():
        raise UserError(texts.NO_TEXT, batch.operation, texts.NO_TEXT_TO_DO)
    made = {
        "append": lambda: edits.append(tags),
        "prepend": lambda: edits.prepend(join_tags(tags)),
        "remove": lambda: edits.remove(tags),
        "rename": lambda: edits.rename(batch.first.strip(), batch.second.strip()),
        "replace": lambda: edits.replace(batch.first, batch.second),
        "sort": lambda: edits.sort(1),
        "dedupe": edits.dedupe,
    }
    return made[batch.operation]()


def shown(editor: Editor, batch: Batch) -> str:
    """The tags of the captions that are meant, how many are unsaved, and the first captions."""
    rows = editor.found(filters_of(batch))
    head = texts.EDITOR_HEAD.format(
        rows=several(len(rows), "caption", "captions"), all=len(editor),
        unsaved=len(editor.unsaved()),
    )  # fmt: skip
    counts = ordered(editor.counts(rows))
    chips = "".join(
        f'<span class="lora_cook_chip">{plain(tag)} <b>{count}</b></span>'
        for tag, count in counts[:TAGS]
    )
    cells = [[Path(editor.pictures[row]).name, editor.text(row)] for row in rows[:ROWS]]
    return (
        show.note(head)
        + f'<div class="lora_cook_chips">{chips}</div>'
        + show.table(texts.CAPTION_HEADS, cells)
    )


def differences(editor: Editor, batch: Batch) -> str:
    """What an edit would do, word for word; nothing is changed."""
    rows = editor.found(filters_of(batch))
    found = list(editor.difference(edit_of(batch), rows))
    body = "".join(
        f"<tr><td>{plain(Path(editor.pictures[it.row]).name)}</td><td>{lit(it)}</td></tr>"
        for it in found[:ROWS]
    )
    head = texts.WOULD_CHANGE.format(count=several(len(found), "caption", "captions"))
    return show.note(head) + f'<table class="lora_cook_table"><tbody>{body}</tbody></table>'


def lit(difference: Difference) -> str:
    """Before and after in one line: what goes struck out, what comes underlined."""
    before, after = split_tags(difference.before), split_tags(difference.after)
    parts: list[str] = []
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind == "equal":
            parts += [plain(tag) for tag in before[a:b]]
        else:
            parts += [f"<del>{plain(tag)}</del>" for tag in before[a:b]]
            parts += [f"<ins>{plain(tag)}</ins>" for tag in after[c:d]]
    return ", ".join(parts)


def apply(editor: Editor, batch: Batch) -> str:
    """Edit in memory; a sentence."""
    count = editor.apply(edit_of(batch), editor.found(filters_of(batch)))
    return texts.EDITED.format(count=several(count, "caption", "captions"))


def save(editor: Editor) -> str:
    """Write what differs; a sentence that names what another program has changed meanwhile."""
    applied = editor.save()
    told = texts.SAVED.format(count=several(len(applied.applied), "caption", "captions"))
    failed: Sequence[tuple[Path, str]] = applied.failed
    return told + "".join(f" {path.name}: {why}." for path, why in failed)
