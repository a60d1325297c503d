"""The dataset doctor: what is wrong with a folder, and the changes that mend it.

Only what can be seen without a model. Each check looks at values and gives findings; nothing here
writes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from ..config import BucketConfig
from ..errors import UserError
from . import changes as plans
from .captions import split_tags
from .changes import Change
from .duplicates import plan_duplicates
from .images import ImageFile, is_picture_name
from .look import Finding, Look
from .tags import evident_trigger, tag_key

_CAPTIONS = (".txt", ".caption")
_CUT = 0.1  # a larger share of a picture outside its bucket is worth a word


def findings(look: Look) -> list[Finding]:
    """Everything that is wrong, in the order of CHECKS."""
    return [finding for check in CHECKS.values() for finding in check(look)]


def check_fixes(names: Iterable[str]) -> None:
    """UserError for a name that is unknown, or of something that only a person can mend."""
    for name in names:
        if name not in FIXABLE:
            what = "Only a person can mend this" if name in CHECKS else "There is no such finding"
            raise UserError(what, name, f"Choose from {', '.join(FIXABLE)}.")


def plan_fixes(look: Look, names: Iterable[str]) -> list[Change]:
    """The mends of the findings of these names together: one change a file, the strongest."""
    wanted = list(names)
    check_fixes(wanted)
    captions: dict[Path, Change] = {}
    others: dict[Path, Change] = {}
    for name in (name for name in CHECKS if name in wanted):
        made = [change for finding in CHECKS[name](look) for change in finding.changes]
        for change in made:
            if change.kind == "caption":
                first = captions.get(change.path)
                captions[change.path] = change if first is None else _both(first, change)
            elif _STRENGTH[change.kind] >= _STRENGTH[others.get(change.path, change).kind]:
                others[change.path] = change
        look = look.with_captions(made)
    return [*captions.values(), *others.values()]


_STRENGTH = {"picture": 0, "move": 1, "trash": 2}


def _both(first: Change, second: Change) -> Change:
    return replace(second, before=first.before, why=f"{first.why}; {second.why}")


def _finding(
    name: str, images: Sequence[ImageFile], why: str, fix: str = "", made: Sequence[Change] = ()
) -> list[Finding]:
    """One finding about these pictures, none if there are none."""
    paths = tuple(image.path for image in images)
    return [Finding(name, paths, why, fix, tuple(made))] if images else []


def unreadable(look: Look) -> list[Finding]:
    """Files that are no whole picture, by the reason."""
    reasons: dict[str, list[Path]] = {}
    for path, why in look.broken:
        reasons.setdefault(why, []).append(path)
    return [
        Finding(
            "unreadable", tuple(paths), why, "to the trash", tuple(plans.plan_trash(paths, why))
        )
        for why, paths in reasons.items()
    ]


def orphaned_caption(look: Look) -> list[Finding]:
    """Caption files that belong to no picture."""
    stems = {os.path.splitext(name)[0].casefold() for name in look.names if is_picture_name(name)}
    lost = [
        look.folder / name
        for name in look.names
        if os.path.dirname(name) == "" and not name.startswith(".")
        and os.path.splitext(name)[1].lower() in _CAPTIONS
        and os.path.splitext(name)[0].casefold() not in stems
    ]  # fmt: skip
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
    return _finding("caption_encoding", images, why, "written as UTF-8", list(made.values()))


def missing_caption(look: Look) -> list[Finding]:
    """Pictures without a caption file."""
    images = [image for image in look.images if image.caption_path is None]
    return _finding("missing_caption", images, "no caption; run lora-cook tag, or write one")


def empty_caption(look: Look) -> list[Finding]:
    """Pictures whose caption file says nothing."""
    images = [image for image in look.images if image.caption_path and not image.caption]
    return _finding("empty_caption", images, "the caption is empty; run lora-cook tag")


def ignored_lines(look: Look) -> list[Finding]:
    """Captions of several lines, of which trainers read the first."""
    images = [image for image in look.captioned if "\n" in image.caption]
    made = plans.plan_one_line(images)
    why = "only the first line is read, unless enable_wildcard is on"
    return _finding("ignored_lines", images, why, "all tags on one line", made)


def double_tags(look: Look) -> list[Finding]:
    """Captions with a tag in them twice, in whatever spelling."""
    made = plans.plan_dedupe(look.captioned)
    why = "a tag stands twice"
    return _finding("double_tags", _of(look, made), why, "each tag once", made)


def trigger_missing(look: Look) -> list[Finding]:
    """Captions without the trigger that the others have."""
    return _about_trigger(look, "trigger_missing", there=False)


def trigger_not_first(look: Look) -> list[Finding]:
    """Captions with the trigger further back."""
    return _about_trigger(look, "trigger_not_first", there=True)


def _about_trigger(look: Look, name: str, there: bool) -> list[Finding]:
    tagged = {image.path: split_tags(image.caption) for image in look.captioned}
    name_of_folder = Path(os.path.abspath(look.folder)).name
    trigger = evident_trigger(list(tagged.values()), name_of_folder)
    if not trigger:
        return []
    images = [
        image
        for image in look.captioned
        if (tag_key(trigger) in map(tag_key, tagged[image.path])) == there
    ]
    made = plans.plan_trigger(images, trigger)
    why = f"the trigger {trigger} " + ("stands further back" if there else "is not in the caption")
    return _finding(name, _of(look, made), why, f"{trigger} first", made)


def _of(look: Look, made: Iterable[Change]) -> list[ImageFile]:
    """The pictures whose captions change."""
    paths = {change.path for change in made}
    return [image for image in look.images if image.caption_path in paths]


def transparency(look: Look) -> list[Finding]:
    """Pictures whose file carries transparency, which trainers turn black or drop."""
    images = [image for image in look.images if image.has_alpha]
    made = plans.plan_flatten(look.images, taken=look.taken)
    why = "transparent: trainers show what is hidden under it, or black"
    return _finding("transparency", images, why, "onto white", made)


def too_small(look: Look) -> list[Finding]:
    """Pictures that would be enlarged blindly."""
    images = [image for image in look.images if min(image.width, image.height) < look.below]
    made = plans.plan_small(images, look.below, taken=look.taken)
    why = f"a side is under {look.below} pixels"
    return _finding("too_small", images, why, "set aside into small", made)


def extreme_aspect(look: Look) -> list[Finding]:
    """Pictures of which their bucket would cut away a good part, at the default resolution."""
    found: list[Finding] = []
    for image in look.images:
        cut = cut_by_bucket((image.width, image.height), BucketConfig())
        if cut > _CUT:
            why = f"{image.width}x{image.height}: its bucket would cut {cut:.0%} away; crop it"
            found += _finding("extreme_aspect", [image], why)
    return found


def cut_by_bucket(size: tuple[int, int], config: BucketConfig) -> float:
    """The share of a picture that lies outside the bucket nearest to its aspect ratio."""
    steps, (width, height) = config.bucket_reso_steps, config.resolution
    shortest = config.min_bucket_reso or min(256, width, height)
    longest = config.max_bucket_reso or max(1024, width, height)
    aspects = []
    for side in range(shortest, longest + 1, steps):
        other = min(longest, width * height // side // steps * steps)
        if other >= shortest:
            aspects += [side / other, other / side]
    aspect = size[0] / size[1]
    nearest = min(aspects, key=lambda it: abs(it - aspect))
    return 1 - min(aspect, nearest) / max(aspect, nearest)


def exact_copies(look: Look) -> list[Finding]:
    """Pictures with the same pixels."""
    return _copies(look, "exact")


def near_copies(look: Look) -> list[Finding]:
    """Pictures that were rescaled, recompressed, cropped, recoloured or the like."""
    return _copies(look, "near")


def _copies(look: Look, kind: str) -> list[Finding]:
    found: list[Finding] = []
    for group in (group for group in look.groups if group.kind == kind):
        why = f"{kind} copies of {group.files[0].path.name}"
        fix = "all but the first to the trash"
        found += _finding(f"{kind}_copies", group.files, why, fix, plan_duplicates([group]))
    return found


Check = Callable[[Look], list[Finding]]
CHECKS: dict[str, Check] = {
    check.__name__: check
    for check in (
        unreadable, orphaned_caption, caption_encoding, missing_caption, empty_caption,
        ignored_lines, double_tags, trigger_missing, trigger_not_first, transparency, too_small,
        extreme_aspect, exact_copies, near_copies,
    )
}  # fmt: skip
"""By the name of the finding; captions are mended in this order."""
FIXABLE = tuple(
    name for name in CHECKS if name not in ("missing_caption", "empty_caption", "extreme_aspect")
)
