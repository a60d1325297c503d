"""What is wrong with captions: that they are there, that a trainer reads them, what they say."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from .. import caption_edits
from .. import changes as plans
from ..captions import split_tags
from ..changes import Change
from ..images import ImageFile, is_picture_name
from ..look import Finding, Look
from ..tags import tag_key
from .finding import by_reason, finding, with_changes

_CAPTIONS = (".txt", ".caption")
_PIECE = re.compile(r"[^\W\d_]{1,8}|\d|[^\w\s]|_")
_LEAST_TO_COMPARE = 5


def _loose(look: Look) -> Iterator[tuple[str, str]]:
    """(name, stem) of files that look like captions."""
    for name in look.names:
        stem, extension = os.path.splitext(name)
        if extension.lower() in _CAPTIONS and not os.path.basename(name).startswith("."):
            yield name, stem


def _pictures(look: Look) -> dict[str, str]:
    """Folded stem -> the stem of a picture, those that are set aside and broken ones too."""
    names = (name for name in look.names if is_picture_name(os.path.basename(name)))
    return {stem.casefold(): stem for name in names if (stem := os.path.splitext(name)[0])}


def ignored_caption(look: Look) -> list[Finding]:
    """Captions of another extension or name than `picture.txt`, where there is none of that."""
    there, stems = set(look.names), _pictures(look)
    moves: dict[str, Change] = {}
    for name, stem in _loose(look):
        picture, ending = os.path.splitext(stem)
        named_twice = is_picture_name(os.path.basename(stem)) and stem in there
        owner = picture if named_twice else stems.get(stem.casefold())
        if owner is None or (to := owner + ".txt") in there or to in moves:
            continue
        why = f"trainers read {os.path.basename(to)}, not {ending or ''}{os.path.splitext(name)[1]}"
        moves[to] = Change("move", look.folder / name, why, look.folder / to)
    made = list(moves.values())
    return by_reason("ignored_caption", [(it.path, it.why) for it in made], "renamed", made)


def orphaned_caption(look: Look) -> list[Finding]:
    """Caption files that belong to no picture."""
    stems = _pictures(look)
    lost = [
        look.folder / name
        for name, stem in _loose(look)
        if stem.casefold() not in stems and stem not in look.names
    ]
    why = "no picture has this name"
    made = tuple(plans.plan_trash(lost, why))
    return [Finding("orphaned_caption", tuple(lost), why, "to the trash", made)] if lost else []


def caption_encoding(look: Look) -> list[Finding]:
    """Captions that kohya's trainer would misread or stop at."""
    images = [image for image in look.images if image.caption_path in look.misread]
    made = {
        path: Change("caption", path, "to UTF-8", path, image.caption, image.caption)
        for image in images
        if (path := image.caption_path)
    }
    why = "the caption is not plain UTF-8; trainers misread it or stop"
    return finding("caption_encoding", images, why, "written as UTF-8", list(made.values()))


def missing_caption(look: Look) -> list[Finding]:
    """Pictures without a caption file."""
    images = [image for image in look.images if image.caption_path is None]
    why = "no caption: tag it, or write one"
    return _tagged(look, "missing_caption", images, why)


def empty_caption(look: Look) -> list[Finding]:
    """Pictures whose caption file says nothing."""
    images = [image for image in look.images if image.caption_path and not image.caption]
    return _tagged(look, "empty_caption", images, "the caption is empty: tag it, or write one")


def wrong_caption(look: Look) -> list[Finding]:
    """Captions of which a tagger sees not one tag, as where files were mixed up."""
    images = [image for image in look.captioned if _strangers(look, image)]
    why = "the tagger sees none of these tags: another picture's caption?"
    return _tagged(look, "wrong_caption", images, why)


def _strangers(look: Look, image: ImageFile) -> bool:
    seen = set(map(tag_key, look.seen.get(image.path, ())))
    tags = set(map(tag_key, split_tags(image.caption)))
    return min(len(seen), len(tags)) >= _LEAST_TO_COMPARE and seen.isdisjoint(tags)


def _tagged(look: Look, name: str, images: list[ImageFile], why: str) -> list[Finding]:
    """A finding that a tagger's tags mend, where there is one."""
    front = split_tags(look.asked.trigger)
    tags = {path: [*front, *seen] for path, seen in look.seen.items() if seen}
    made = plans.plan_tags(images, tags, "overwrite")
    return finding(name, images, why, "the tagger's tags" if made else "", made)


def ignored_lines(look: Look) -> list[Finding]:
    """Captions of several lines, of which trainers read the first."""
    images = [image for image in look.captioned if "\n" in image.caption]
    made = plans.plan_one_line(images)
    why = "only the first line is read, unless enable_wildcard is on"
    return finding("ignored_lines", images, why, "all tags on one line", made)


def double_tags(look: Look) -> list[Finding]:
    """Captions with a tag in them twice, in whatever spelling."""
    made = plans.plan_dedupe(look.captioned)
    return finding("double_tags", with_changes(look, made), "a tag stands twice", "each once", made)


def pruned_tag(look: Look) -> list[Finding]:
    """Captions with a tag that was taken out of more captions than still have it."""
    having: dict[str, list[ImageFile]] = {}
    for image in look.captioned:
        for key in set(map(tag_key, split_tags(image.caption))) & look.pruned.keys():
            having.setdefault(key, []).append(image)
    found: list[Finding] = []
    for key, images in sorted(having.items()):
        if len(images) < look.pruned[key]:
            why = f"{key} was pruned from {look.pruned[key]} captions, and is still here"
            made = plans.plan_prune(images, [key])
            found += finding("pruned_tag", images, why, f"without {key}", made)
    return _in_turn(found)


def _in_turn(found: list[Finding]) -> list[Finding]:
    """Several edits of one caption, each resting on the one before."""
    texts: dict[Path, str] = {}
    result = []
    for one in found:
        made = []
        for change in one.changes:
            before = texts.get(change.path, str(change.before))
            tag = one.fix.removeprefix("without ")
            after = caption_edits.remove([tag]).text(before)
            texts[change.path] = after
            made.append(replace(change, before=before, after=after))
        result.append(replace(one, changes=tuple(made)))
    return result


def long_caption(look: Look) -> list[Finding]:
    """Captions with more tokens than training reads."""
    most, tokenize = look.asked.max_tokens, look.asked.tokenize or estimated_pieces
    images = [it for it in look.captioned if len(tokenize(it.caption)) > most]
    made = plans.plan_edit(images, caption_edits.truncate(most, tokenize))
    how = "" if look.asked.tokenize else ", by an estimate"
    why = f"more than {most} tokens{how}: the rest is not read"
    return finding("long_caption", images, why, "whole tags that fit", made)


def estimated_pieces(text: str) -> list[str]:
    """About the tokens that CLIP makes of tags, where its vocabulary is not at hand.

    A word is one token up to eight letters and one more for each further eight; a digit and a mark
    are one each, as in CLIP.
    """
    return _PIECE.findall(text)


def solo(look: Look) -> list[Finding]:
    """Captions that say solo where they, or a tagger, count several people."""
    alone = {
        image: [tag for tag in split_tags(image.caption) if tag_key(tag) != "solo"]
        for image in look.captioned
        if "solo" in map(tag_key, split_tags(image.caption))
    }
    counted = [image for image, others in alone.items() if several(others)]
    seen = [it for it in alone if it not in counted and several(look.seen.get(it.path, ()))]
    return [
        one
        for images, by in ((counted, "the caption counts"), (seen, "the tagger sees"))
        for one in finding(
            "several_people", images,
            f"{by} several people: crop the picture, or it is not solo",
            "without solo", plans.plan_prune(images, ["solo"]),
        )
    ]  # fmt: skip


def several(tags: tuple[str, ...] | list[str]) -> bool:
    """Whether booru tags count more than one person, none of them called solo."""
    keys = set(map(tag_key, tags))
    people = 0
    for key in keys:
        if found := re.fullmatch(r"(\d+\+?|multiple )(girl|boy|other)s?", key):
            people += int(found[1].rstrip("+")) if found[1][0].isdigit() else 2
    return people > 1 and "solo" not in keys
