"""The caption editor without its widgets: what to find, what to do with it, and saving."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...dataset import caption_edits as edits
from ...dataset.caption_edits import CaptionEdit, Tokenize
from ...dataset.captions import join_tags, split_tags
from ...dataset.filters import Filter, Mode, RegexFilter, TagFilter
from ...dataset.report.captions import estimated_pieces
from ...errors import UserError
from .. import texts
from ..bench import Bench, several
from ..desk import Desk


@dataclass(frozen=True)
class Form:
    """The editor's widgets in their order: which captions, and what to do with them."""

    having: str = ""
    any_of: str = ""
    lacking: str = ""
    pattern: str = ""
    where: str = ""
    only: bool = False
    order: str = ""
    search: str = ""
    operation: str = ""
    first: str = ""
    second: str = ""
    regex: bool = False


def form_of(values: Sequence[Any]) -> Form:
    """What the widgets hold."""
    return Form(*(it if isinstance(it, bool) else str(it or "") for it in values))  # type: ignore[arg-type]


def found(desk: Desk, form: Form) -> list[int]:
    """The rows that are meant; UserError for a broken expression."""
    return desk.editor.found(filters_of(form), desk.selected if form.only else None)


def filters_of(form: Form) -> list[Filter]:
    """The captions that are meant; none: all."""
    wanted: list[tuple[str, Mode]] = [
        (form.having, "and"), (form.any_of, "or"), (form.lacking, "none")
    ]  # fmt: skip
    made: list[Filter] = [
        TagFilter(tuple(split_tags(text)), mode) for text, mode in wanted if split_tags(text)
    ]
    if form.pattern:
        scope, found = texts.WHERE.get(form.where, ("tag", True))
        made.append(RegexFilter(form.pattern, scope, found))
    return made


Make = Callable[[Form, Tokenize], CaptionEdit]
OPERATIONS: Mapping[str, Make] = {
    texts.DO_PREPEND: lambda form, _: edits.prepend(join_tags(split_tags(form.first))),
    texts.DO_APPEND: lambda form, _: edits.append(split_tags(form.first)),
    texts.DO_REMOVE: lambda form, _: edits.remove(split_tags(form.first)),
    texts.DO_RENAME: lambda form, _: edits.rename(form.first.strip(), form.second.strip()),
    texts.DO_REPLACE: lambda form, _: edits.replace(form.first, form.second, "tag", form.regex),
    texts.DO_REPLACE_ALL: lambda form, _: edits.replace(
        form.first, form.second, "caption", form.regex
    ),
    texts.DO_SORT: lambda form, _: edits.sort(1),
    texts.DO_DEDUPE: lambda form, _: edits.dedupe(),
    texts.DO_TRUNCATE: lambda form, tokenize: edits.truncate(tokens(form.first), tokenize),
}
"""By what stands in the page's list."""
WITHOUT_TEXT = (texts.DO_SORT, texts.DO_DEDUPE, texts.DO_TRUNCATE)


def edit_of(form: Form, tokenize: Tokenize = estimated_pieces) -> CaptionEdit:
    """What is to be done; UserError where it makes no sense."""
    if form.operation not in OPERATIONS:
        raise UserError(texts.NO_OPERATION, form.operation)
    if form.operation not in WITHOUT_TEXT and not form.first.strip():
        raise UserError(texts.NO_TEXT, form.operation, texts.NO_TEXT_TO_DO)
    return OPERATIONS[form.operation](form, tokenize)


def tokens(text: str) -> int:
    """How many tokens a caption may have, 75 where nothing is said; UserError for no number."""
    if not text.strip():
        return 75
    if not text.strip().isdigit():
        wanted = texts.WANTED["whole"]
        raise UserError(texts.IS_NOT.format(name=texts.EDIT_FIRST, value=text, wanted=wanted))
    return int(text)


def tokenizer_for(bench: Bench, form: Form) -> Tokenize:
    """How tokens are counted: by the run's checkpoint where that is a diffusers folder."""
    checkpoint = str(bench.recall("training").get("pretrained_model_name_or_path") or "")
    if form.operation != texts.DO_TRUNCATE or not Path(checkpoint, "tokenizer").is_dir():
        return estimated_pieces
    from ...models.diffusers import tokenizer_of

    return tokenizer_of(Path(checkpoint))


def apply(desk: Desk, form: Form, tokenize: Tokenize) -> str:
    """Edit in memory; a sentence."""
    count = desk.editor.apply(edit_of(form, tokenize), found(desk, form))
    return texts.EDITED.format(count=several(count, "caption", "captions"))


def saved(count: int) -> str:
    """What became of a save, in a sentence."""
    return texts.SAVED.format(count=several(count, "caption", "captions"))
