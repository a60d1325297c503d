"""What can be done to captions, as values: from the shell for a folder, in the editor for rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Literal

from ..errors import UserError
from . import tags
from .captions import join_tags, split_tags

Scope = Literal["tag", "caption"]
Tokenize = Callable[[str], Sequence[str]]
"""A text -> its pieces as the model's text encoder sees them, without BOS and EOS."""


@dataclass(frozen=True)
class CaptionEdit:
    """One edit of any caption: of its tags, or of its text as it stands; `what` names it.

    What follows makes an edit of tags quick in many captions, see `among`. each: what becomes of a
    tag where nothing comes to stand twice by that. concerns: whether the edit looks at a tag.
    before, behind: what a caption gets that has no such tag; `before` is given to the others too.
    """

    what: str
    of_tags: Callable[[list[str]], list[str]] | None = None
    of_text: Callable[[str], str] | None = None
    each: tags.Each | None = None
    concerns: Callable[[str], bool] | None = None
    before: tuple[str, ...] = ()
    behind: tuple[str, ...] = ()

    def text(self, caption: str) -> str:
        """The caption's new text; the old one to the letter where nothing is to be done."""
        if self.of_text is not None:
            return self.of_text(caption)
        old = split_tags(caption)
        new = self.of_tags(list(old)) if self.of_tags is not None else old
        return caption if new == old else join_tags(new)

    def among(self, known: Iterable[str]) -> Callable[[tuple[str, ...]], tuple[str, ...]]:
        """An edit of tags, made for captions of these: each is looked at once for all of them."""
        of_tags, each, concerns = self.of_tags or list, self.each, self.concerns
        if each is None:
            seen = None if concerns is None else set(filter(concerns, known))
            return lambda old: (
                tuple(of_tags(list(old)))
                if seen is None or not seen.isdisjoint(old)
                else self.before + old + self.behind
            )
        table = {tag: each(tag) for tag in known}
        moved = {tag for tag, new in table.items() if new != (tag,)}
        spellings = {*self.before, *chain.from_iterable(table.values())}
        alike = len(set(map(tags.tag_key, spellings))) < len(spellings)

        def change(old: tuple[str, ...]) -> tuple[str, ...]:
            if moved.isdisjoint(old):
                return self.before + old
            new = (*self.before, *chain.from_iterable(map(table.__getitem__, old)))
            twice = len(set(map(tags.tag_key, new) if alike else new)) < len(new)
            return tuple(of_tags(list(old))) if twice else new

        return change


def prepend(trigger: str) -> CaptionEdit:
    """The trigger's tags stand first."""
    front = tags.dedupe_tags(split_tags(trigger))
    return CaptionEdit(
        "trigger first", lambda old: tags.add_trigger(old, front),
        each=_gone(front), before=tuple(front),
    )  # fmt: skip


def _gone(some: list[str]) -> tags.Each:
    """These tags taken out, in any spelling."""
    unwanted = tags.one_of(some)
    return lambda tag: () if unwanted(tag) else (tag,)


def append(new: list[str]) -> CaptionEdit:
    """The tags that are missing come at the end."""
    return CaptionEdit(
        f"add {join_tags(new)}", lambda old: tags.append_tags(old, new),
        concerns=tags.one_of(new), behind=tuple(tags.dedupe_tags(new)),
    )  # fmt: skip


def remove(unwanted: list[str]) -> CaptionEdit:
    """None of these tags is left."""
    what = f"without {join_tags(unwanted)}"
    return CaptionEdit(what, lambda old: tags.remove_tags(old, unwanted), each=_gone(unwanted))


def rename(old: str, new: str) -> CaptionEdit:
    """`new` in the place of the tag `old`; where `new` stood already it stands once."""
    its, instead = tags.one_of([old]), (new,) if new.strip() else ()
    return CaptionEdit(
        f"{new!r} for the tag {old!r}", lambda it: tags.replace_tag(it, old, new),
        each=lambda tag: instead if its(tag) else (tag,),
    )  # fmt: skip


def replace(old: str, new: str, scope: Scope = "tag", regex: bool = False) -> CaptionEdit:
    """`new` for `old` in every tag, faces left as they are, or in captions as plain text.

    Raises UserError for no text or a broken expression.
    """
    what = f"{new!r} for {old!r}"
    if scope == "tag":
        each = tags.tag_replacement(old, new, regex)
        return CaptionEdit(what, lambda it: tags.replace_each(it, each), each=each)
    in_text = tags.replacement(old, new, regex)
    return CaptionEdit(what, of_text=lambda text: in_text(text).strip())


def rewrite(text: str) -> CaptionEdit:
    """This text instead of the caption."""
    return CaptionEdit("whole caption", of_text=lambda _: text.strip())


def sort(keep_tokens: int = 0) -> CaptionEdit:
    """Alphabetical order, but for the first `keep_tokens`."""
    return CaptionEdit("tags in order", lambda old: tags.sort_tags(old, keep_tokens))


def dedupe() -> CaptionEdit:
    """Each tag once."""
    return CaptionEdit("each tag once", tags.dedupe_tags)


def truncate(max_tokens: int, tokenize: Tokenize) -> CaptionEdit:
    """As many whole tags from the front as fit into `max_tokens`, their commas counted.

    A comma is a token of its own, so a caption has the tokens of its tags and one between two.
    """
    if max_tokens < 1:
        raise UserError("A caption needs room for a token", str(max_tokens), "Give 75, 150, 225.")
    of_tag = cache(lambda tag: len(tokenize(tag)))

    def shortened(old: list[str]) -> list[str]:
        used = -1
        for kept, tag in enumerate(old):
            used += of_tag(tag) + 1
            if used > max_tokens:
                return old[:kept]
        return old

    return CaptionEdit(f"at most {max_tokens} tokens", shortened)
