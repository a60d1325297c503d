"""The caption editor's HTML: tags with counts, captions to be written in, differences."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from ...dataset.caption_edits import Tokenize
from ...dataset.captions import split_tags
from ...dataset.editor import Difference
from ...dataset.filters import completions, ordered, searched
from ...dataset.thumbnails import make_thumbnails
from .. import show, texts
from ..bench import several
from ..desk import Desk
from ..pictures import SIDE, data_uri
from ..said import press
from ..show import plain
from .editing import Form, edit_of, found

ROWS, TAGS, SHOWN = 20, 150, 40
"""Captions on a page, tags, and differences that are shown at once."""


def head(desk: Desk, form: Form, rows: Sequence[int]) -> str:
    """How many captions are meant and how many unsaved; the tags in them, to be clicked."""
    told = texts.EDITOR_HEAD.format(
        rows=several(len(rows), "caption", "captions"), all=len(desk.editor),
        unsaved=len(desk.editor.unsaved()), selected=len(desk.selected),
    )  # fmt: skip
    counts = desk.editor.counts(None if len(rows) == len(desk.editor) else rows)
    order = texts.ORDERS.get(form.order, "frequency")
    listed = ordered(counts, order)
    if form.search.strip():
        fitting = set(searched(counts, form.search))
        listed = [it for it in listed if it[0] in fitting]
    chips = "".join(
        f'<button type="button" class="lora_cook_chip" data-tag="{plain(tag)}">'
        f"{plain(tag)} <b>{count}</b></button>"
        for tag, count in listed[:TAGS]
    )
    more = f" {texts.MORE_TAGS.format(count=len(listed) - TAGS)}" if len(listed) > TAGS else ""
    return show.note(told) + f'<div class="lora_cook_chips">{chips}{plain(more)}</div>'


def rows_of(desk: Desk, rows: Sequence[int], cache: Path) -> str:
    """One page of captions beside their pictures."""
    if not rows:
        return show.note(texts.NO_CAPTIONS)
    pages = -(-len(rows) // ROWS)
    desk.page = min(max(desk.page, 0), pages - 1)
    shown = rows[desk.page * ROWS : (desk.page + 1) * ROWS]
    paths = {row: Path(desk.editor.pictures[row]) for row in shown}
    small = make_thumbnails(list(paths.values()), cache, SIDE, [])
    unsaved = set(desk.editor.unsaved())
    lines = "".join(
        _line(desk, row, path, small.get(path, b""), row in unsaved) for row, path in paths.items()
    )
    told = texts.EDITOR_PAGE.format(page=desk.page + 1, pages=pages)
    bar = (
        press("editor", "previous", texts.PREVIOUS) + f"<span>{plain(told)}</span>"
        + press("editor", "next", texts.NEXT) + press("editor", "all", texts.SELECT_ALL)
        + press("editor", "none", texts.SELECT_NONE)
    )  # fmt: skip
    return f'<div class="lora_cook_bar_of_buttons">{bar}</div><div>{lines}</div>'


def _line(desk: Desk, row: int, path: Path, jpeg: bytes, unsaved: bool) -> str:
    name = plain(path.name)
    picture = f'<img src="{data_uri(jpeg)}" alt="{name}">' if jpeg else ""
    ticked = " checked" if row in desk.selected else ""
    changed = " lora_cook_changed" if unsaved else ""
    return (
        f'<div class="lora_cook_row{changed}"><label title="{name}">'
        f'<input type="checkbox" data-choose="{row}" aria-label="{plain(texts.SELECT)} {name}"'
        f"{ticked}>{picture}</label>"
        f'<textarea data-row="{row}" rows="3" spellcheck="false" aria-label="{name}">'
        f"{plain(desk.editor.text(row))}</textarea></div>"
    )


def differences(desk: Desk, form: Form, tokenize: Tokenize) -> str:
    """What an edit would do, word for word; nothing is changed."""
    made = desk.editor.edited(edit_of(form, tokenize), found(desk, form))
    body = "".join(
        f"<tr><td>{plain(Path(desk.editor.pictures[it.row]).name)}</td><td>{lit(it)}</td></tr>"
        for it in islice(desk.editor.difference(made), SHOWN)
    )
    told = texts.WOULD_CHANGE.format(count=several(len(made), "caption", "captions"))
    return show.note(told) + f'<table class="lora_cook_table"><tbody>{body}</tbody></table>'


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


def offered(desk: Desk, typed: str, known: Sequence[str], without: Sequence[str]) -> str:
    """Tags for what is being typed, the dataset's first; each says what it is offered for."""
    tags = completions(typed, desk.editor.counts(), known, 12, without)
    return "".join(
        f'<button type="button" data-complete="{plain(tag)}" data-typed="{plain(typed)}">'
        f"{plain(tag)}</button>"
        for tag in tags
    )


def clashes(names: Sequence[str]) -> str:
    """What another program has changed meanwhile, and the two ways out."""
    told = texts.CHANGED_ON_DISK.format(names=", ".join(names[:4]), count=len(names))
    return (
        f'<div class="lora_cook_mistake" role="alert"><p>{plain(told)}</p>'
        '<div class="lora_cook_bar_of_buttons">'
        f"{press('editor', 'theirs', texts.TAKE_THEIRS)}{press('editor', 'ours', texts.KEEP_OURS)}"
        "</div></div>"
    )
