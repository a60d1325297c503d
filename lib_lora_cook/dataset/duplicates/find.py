"""Copies among a folder's pictures: fingerprints, candidates, checks, groups, and what to drop."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import chain
from pathlib import Path

from ...errors import IF_UNREAD, UserError
from ...jobs import Job, null_job
from ..changes import Change
from ..images import Failure, ImageFile, content_hash
from .checks import Checks, Look
from .distinct import read_distinct, save_distinct
from .groups import Group, Stars, covered, grouped, settled
from .keeping import Keeping, promise
from .prints import Print, read_print
from .store import Store
from .workers import Workers

DEFAULT_HARDNESS = 50
_CHUNK, _MANY = 4, 200  # pictures at a time; those for which processes pay


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
    with Store(folder) as store, Workers(job) as workers:
        distinct = read_distinct(folder) if folder else frozenset()
        by_name = sorted(images, key=_name)
        read = _read(by_name, store, failed, workers, job)
        look = Look(store.prints(), store, distinct, workers, job)
        prints = {image.path: look.prints[key] for image, key in read}
        read.sort(key=lambda it: (-promise(it[0], look.prints[it[1]]), _name(it[0])))
        ranked, keys = [image for image, _ in read], [key for _, key in read]
        classes = _classes([look.prints[key].content for key in keys])
        files = [[ranked[at] for at in same] for same in classes]
        checks = Checks(files, [keys[same[0]] for same in classes], look)
        keeping = Keeping(files, prints, checks)
        copies = settled(len(files), checks, 100.0 - hardness, keeping.best)
        groups = [keeping.kept_first(group) for group in grouped(files, copies, checks)]
        groups = keeping.detailed(groups, copies, 100.0 - hardness)
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
    return [
        Group("variant", tuple(keeper.get(one.path, one) for one in (files[it][0] for it in star)))
        for star in ((first, *others) for first, others in covered(pairs).items())
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


def _read(
    images: list[ImageFile],
    store: Store,
    failed: list[Failure] | None,
    workers: Workers,
    job: Job,
) -> list[tuple[ImageFile, str]]:
    """The pictures that can be read, with the hashes of their files; fingerprints in the store."""
    known = [store.file_hash(image.path, image.stamp) for image in images]
    fresh = [image.path for image, file in zip(images, known, strict=True) if file is None]
    parts = (fresh[start : start + _CHUNK] for start in range(0, len(fresh), _CHUNK))
    look = partial(_looked_at, frozenset(store.printed))
    looked = chain.from_iterable(workers.map(look, parts, len(fresh) > _MANY))
    good: list[tuple[ImageFile, str]] = []
    for at, (image, file) in enumerate(zip(images, known, strict=True)):
        if file is None:
            made = next(looked)
            if isinstance(made, UserError):
                if failed is None:
                    raise made
                failed.append((image.path, made.what))
                continue
            file, print_ = made
            if print_ is not None:
                store.add_print(file, print_)
            store.add_file(image.path, image.stamp, file)
            job.report(at + 1, len(images), "looking at pictures")
        good.append((image, file))
    return good


def _looked_at(
    printed: frozenset[str], paths: Sequence[Path]
) -> list[tuple[str, Print | None] | UserError]:
    """The hash of each file, and its fingerprint if that is not among the `printed`."""
    made: list[tuple[str, Print | None] | UserError] = []
    for path in paths:
        try:
            file = content_hash(path)
            made.append((file, None if file in printed else read_print(path)))
        except UserError as error:
            made.append(error)
        except OSError as error:
            made.append(UserError(f"Cannot read this picture ({error.strerror})", path, IF_UNREAD))
    return made


def _name(image: ImageFile) -> str:
    return str(image.path)


def _classes(contents: Sequence[str]) -> list[list[int]]:
    """The numbers of equal pictures together."""
    same: dict[str, list[int]] = defaultdict(list)
    for number, content in enumerate(contents):
        same[content].append(number)
    return list(same.values())
