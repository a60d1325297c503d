"""Copies among a folder's pictures: fingerprints, candidates, checks, groups, and what to drop."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ...errors import UserError
from ...jobs import Job, null_job
from ..changes import Change
from ..images import Failure, ImageFile, content_hash
from .checks import Checks, Look
from .cores import mapped
from .distinct import read_distinct, save_distinct
from .groups import Group, Stars, grouped, settled, stars
from .prints import Print, read_print
from .store import Store

DEFAULT_HARDNESS = 50

_ABOUT = 0.85  # of the largest area; where a margin ends is seen to some percent
_LOSSY, _BARRED = 0.8, 0.9  # what a picture's size counts for then
_LARGER = 1.1  # times as long sides
_AS_GOOD = 0.6  # of its area, for one without a watermark
_TRIED = 3  # pictures
_LOSSLESS = frozenset({"PNG", "BMP", "TIFF"})


def find_duplicates(
    images: Iterable[ImageFile],
    hardness: int = DEFAULT_HARDNESS,
    job: Job = null_job,
    failed: list[Failure] | None = None,
    folder: Path | None = None,
) -> list[Group]:
    """Groups of copies, each a star round the picture to keep; the same for any order of images.

    hardness 1 (more is called a copy) to 100 (only what is equal). What cannot be read is appended
    to `failed`; without such a list it raises UserError. In `folder`, the dataset's, fingerprints
    are kept for the next time, and what a person has said are no duplicates is known.
    """
    if not 1 <= hardness <= 100:
        raise UserError("Hardness goes from 1 to 100", hardness)
    with Store(folder) as store:
        distinct = read_distinct(folder) if folder else frozenset()
        by_name = sorted(images, key=lambda image: image.path)
        read = _read(by_name, store, job, failed)
        look = Look(store.prints(), store, distinct, job)
        prints = {image.path: look.prints[key] for image, key in read}
        read.sort(key=lambda it: (-_promise(it[0], look.prints[it[1]]), it[0].path))
        ranked, keys = [image for image, _ in read], [key for _, key in read]
        classes = _classes([look.prints[key].content for key in keys])
        files = [[ranked[at] for at in same] for same in classes]
        checks = Checks(files, [keys[same[0]] for same in classes], look)

        number = {image.path: at for at, same in enumerate(files) for image in same}

        def kept_first(group: Group) -> Group:
            ordered = _best_first(group, prints)
            return _unmarked_first(ordered, prints, number, checks)

        def best(numbers: list[int]) -> int:
            group = Group("near", tuple(files[it][0] for it in numbers))
            kept = kept_first(group).files[0]
            return next(it for it in numbers if files[it][0] is kept)

        copies = settled(len(files), checks, 100.0 - hardness, best)
        groups = [kept_first(group) for group in grouped(files, copies, checks)]
        kept = set(range(len(files))).difference(*copies.values())
        for at, group in enumerate(groups):
            other = _detailed_first(group, prints, number, checks)
            old, new = (number[it.files[0].path] for it in (group, other))
            if new != old and not checks.is_near_any(new, kept - {old}, 100.0 - hardness):
                groups[at], kept = other, kept - {old} | {new}
        return groups + _variants(groups, files, copies, checks)


def declare_distinct(folder: Path, one: Path, other: Path) -> None:
    """Remember that two pictures of a dataset are no duplicates; UserError if they are equal."""
    contents = [read_print(path).content for path in (one, other)]
    if contents[0] == contents[1]:
        raise UserError("These two are the same picture, pixel for pixel", f"{one}, {other}")
    save_distinct(folder, *contents)


def _variants(
    groups: Sequence[Group], files: Sequence[Sequence[ImageFile]], copies: Stars, checks: Checks
) -> list[Group]:
    """Stars of pictures of which none is a copy of another, but all show one drawing."""
    joined = {it for others in copies.values() for it in others}
    pairs = [pair for pair in checks.variants() if not joined.intersection(pair)]
    keeper = {image.path: group.files[0] for group in groups for image in group.files}
    alike = stars(pairs, checks, float("inf"))
    return [
        Group("variant", tuple(keeper.get(one.path, one) for one in (files[it][0] for it in star)))
        for star in ((first, *others) for first, others in sorted(alike.items()))
    ]


def plan_duplicates(groups: Iterable[Group]) -> list[Change]:
    """All but the first picture of each exact and near group leave the dataset."""
    changes: dict[Path, Change] = {}
    for group in groups:
        if group.kind == "variant":
            continue
        keeper = group.files[0].path.name
        for image in group.files[1:]:
            why = f"{group.kind} copy of {keeper}"
            changes.setdefault(image.path, Change("trash", image.path, why, before=image.stamp))
    return list(changes.values())


def _promise(image: ImageFile, made: Print) -> float:
    """How well a picture serves to compare others with: size, loss and bars at a guess."""
    loss = 1.0 if image.format in _LOSSLESS else _LOSSY
    return _area(made) * loss * _BARRED ** _bars(image, made)


def _area(made: Print) -> float:
    """Pixels inside all bars and margins, so that a frame adds nothing."""
    return made.boxes[-1][2] * made.boxes[-1][3] * made.width * made.height


def _best_first(group: Group, prints: Mapping[Path, Print]) -> Group:
    """The group with its best picture in front: size, loss, bars, a caption."""
    least = _ABOUT * max(_area(prints[image.path]) for image in group.files)
    fewest = min(_bars(image, prints[image.path]) for image in group.files)
    smallest = min(image.width * image.height for image in group.files)

    def order(image: ImageFile) -> tuple[bool, bool, bool, int, float, bool, str]:
        made, canvas = prints[image.path], image.width * image.height
        lossy = image.format not in _LOSSLESS
        spent = image.stamp.size / canvas if lossy and image.stamp else 0.0
        return (
            _area(made) < least, lossy, canvas > smallest and _bars(image, made) > fewest,
            -canvas, -spent,
            not image.caption, str(image.path),
        )  # fmt: skip

    return Group(group.kind, tuple(sorted(group.files, key=order)))


def _detailed_first(
    group: Group, prints: Mapping[Path, Print], number: Mapping[Path, int], checks: Checks
) -> Group:
    """The group, those behind that are a smaller one made larger."""
    behind: tuple[ImageFile, ...] = ()
    for _ in range(_TRIED):
        first, *others = group.files
        area = _area(prints[first.path])
        smaller = [it for it in others if _area(prints[it.path]) * _LARGER**2 <= area]
        if not smaller:
            break
        best = _best_first(Group(group.kind, tuple(smaller)), prints).files[0]
        ratio = (area / _area(prints[best.path])) ** 0.5
        if not checks.is_enlarged(number[first.path], number[best.path], ratio):
            break
        group, behind = _best_first(Group(group.kind, tuple(others)), prints), (*behind, first)
    return Group(group.kind, (*group.files, *behind))


def _unmarked_first(
    group: Group, prints: Mapping[Path, Print], number: Mapping[Path, int], checks: Checks
) -> Group:
    """The group, one without a watermark in front if it is about as large as the first one."""
    first, *others = group.files
    least = _AS_GOOD * _area(prints[first.path])
    for other in others[:_TRIED]:
        if _area(prints[other.path]) < least:
            continue
        if checks.is_marked(number[first.path], number[other.path]):
            rest = (image for image in group.files if image is not other)
            return Group(group.kind, (other, *rest))
    return group


def _bars(image: ImageFile, made: Print) -> int:
    """How often bars can be taken off; what carries transparency was looked at on two grounds."""
    return (len(made.boxes) + 1) // 2 if image.has_alpha else len(made.boxes)


def _read(
    images: list[ImageFile], store: Store, job: Job, failed: list[Failure] | None
) -> list[tuple[ImageFile, str]]:
    """The pictures that can be read, with the hashes of their files; fingerprints in the store."""

    def read(image: ImageFile) -> tuple[str, Print | None] | UserError:
        try:
            file = store.file_hash(image.path.name, image.stamp)
            if file is not None:
                return file, None
            file = content_hash(image.path)
            return file, None if store.has_print(file) else read_print(image.path)
        except UserError as error:
            return error
        except OSError as error:
            return UserError(f"Cannot read this picture ({error.strerror})", image.path)

    good = []
    for image, made in zip(images, mapped(read, images, job, "looking at pictures"), strict=True):
        if isinstance(made, UserError):
            if failed is None:
                raise made
            failed.append((image.path, made.what))
            continue
        file, print_ = made
        if print_ is not None:
            store.add_print(file, print_)
        if store.file_hash(image.path.name, image.stamp) != file:
            store.add_file(image.path.name, image.stamp, file)
        good.append((image, file))
    return good


def _classes(contents: Sequence[str]) -> list[list[int]]:
    """The numbers of equal pictures together."""
    same: dict[str, list[int]] = defaultdict(list)
    for number, content in enumerate(contents):
        same[content].append(number)
    return list(same.values())
