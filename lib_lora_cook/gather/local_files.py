"""Pictures of this computer into a dataset: folders, archives, and the person's own generations."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from PIL import Image

from ..config import ImportConfig
from ..dataset.captions import decode_caption
from ..dataset.changes import Change
from ..dataset.edits import encode_picture
from ..dataset.images import OWN_FOLDER, is_picture_name, read_image_file
from ..errors import UserError
from ..jobs import Job, null_job
from .archives import BROKEN, Archive, Unreadable, open_archive
from .gather import SEEN, Gathered
from .infotext import Generation, caption_of_prompt, parse_infotext, read_infotext
from .intake import Intake, open_intake
from .posts import valid_md5

_CAPTIONS = (".txt", ".caption")
_BESIDE = (*_CAPTIONS, ".json")
_LARGEST_TEXT = 1 << 20


@dataclass(frozen=True)
class LocalPicture:
    """A picture that may come in; `name` is the one it has where it lies."""

    name: str
    data: bytes
    caption: str = ""
    origin: dict[str, Any] = field(default_factory=dict)
    """What a sidecar says of where it is from."""
    infotext: str | None = None
    """How it was drawn, where that is known already."""


@dataclass(frozen=True)
class Broken:
    """A picture that cannot come in."""

    name: str
    why: str


def bring(
    config: ImportConfig, sources: Sequence[Path], out: Path, job: Job = null_job,
    dry_run: bool = False,
) -> Gathered:  # fmt: skip
    """Copy what fits and is not there yet; captions come along, or are made from the prompt.

    UserError for a source that is not there or no archive, and then nothing has changed.
    """
    for source in sources:
        _check(source, out)
    with open_intake(out, "import", job, dry_run) as intake:
        result = Gathered()
        names: dict[Path, str] = {}
        for item in _all(config, sources, out):
            job.check()
            result.found += 1
            job.report(result.found, 0, item.name)
            if isinstance(item, Broken):
                result.failed.append((item.name, item.why))
                continue
            why = _take(item, config, intake, names)
            result.skipped.update([why] if why else [])
    result.changes = intake.changes
    result.saved = 0 if dry_run else len(intake.changes)
    result.failed += [(names[path], why) for path, why in intake.failed]
    return result


def save_generation(image: Image.Image, infotext: str, out: Path, job: Job = null_job) -> bool:
    """One picture that a WebUI has just drawn, into a dataset; False if it is there already."""
    item = LocalPicture("generation.png", encode_picture(image, ".png"), infotext=infotext)
    with open_intake(out, "send to dataset", job) as intake:
        why = _take(item, ImportConfig(), intake, {})
    if intake.failed:
        raise UserError(intake.failed[0][1], intake.failed[0][0])
    return not why


def _check(source: Path, out: Path) -> None:
    if not source.exists():
        raise UserError("There is no such folder or file", source, "Check the name.")
    if source.is_dir():
        inside = Path(os.path.abspath(out)).is_relative_to(os.path.abspath(source))
        if inside and source.samefile(out):
            raise UserError("A dataset cannot be brought into itself", source, "Choose another.")
    elif not is_picture_name(source.name):
        with open_archive(source):
            pass


def _all(
    config: ImportConfig, sources: Sequence[Path], out: Path
) -> Iterator[LocalPicture | Broken]:
    largest = round(config.max_megabytes * 2**20)
    for source in sources:
        if source.is_dir():
            yield from scan_folder(source, out, largest)
        elif is_picture_name(source.name):
            yield _read_file(source, largest)
        else:
            with open_archive(source) as archive:
                yield from scan_archive(archive, largest)


def scan_folder(folder: Path, out: Path, largest: int) -> Iterator[LocalPicture | Broken]:
    """The pictures in a folder and below it, but for the dataset itself; links stay outside."""
    leave = os.path.abspath(out)
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(
            it for it in folders
            if it != OWN_FOLDER and os.path.abspath(os.path.join(place, it)) != leave
        )  # fmt: skip
        for name in sorted(filter(is_picture_name, names)):
            yield _read_file(Path(place) / name, largest)


def _read_file(path: Path, largest: int) -> LocalPicture | Broken:
    if path.is_symlink():
        return Broken(str(path), "a link is not followed")
    texts = {ending: path.with_suffix(ending) for ending in _BESIDE}
    beside: dict[str, bytes] = {}
    try:
        if path.stat().st_size > largest:
            return Broken(str(path), f"larger than the limit of {largest / 2**20:g} MB")
        data = path.read_bytes()
        for ending, text in texts.items():
            if text.is_file() and not text.is_symlink() and text.stat().st_size <= _LARGEST_TEXT:
                beside[ending] = text.read_bytes()
    except OSError as error:
        return Broken(str(path), error.strerror or str(error))
    return _with_texts(path.name, data, beside)


def scan_archive(archive: Archive, largest: int) -> Iterator[LocalPicture | Broken]:
    """The pictures in an archive, with the captions beside them there, until it breaks."""
    try:
        yield from _unpacked(archive, largest, _texts_in(archive))
    except UserError as error:
        yield Broken(archive.path.name, error.what)
    except BROKEN as error:
        yield Broken(archive.path.name, f"the archive is broken ({error})")


def _texts_in(archive: Archive) -> dict[str, dict[str, bytes]]:
    texts: dict[str, dict[str, bytes]] = {}
    for entry in archive.entries():
        path = PurePosixPath(entry.name.replace("\\", "/"))
        if path.suffix.lower() in _BESIDE and not entry.why_not:
            with suppress(Unreadable):  # too large for a caption
                text = archive.read(entry, _LARGEST_TEXT)
                texts.setdefault(str(path.with_suffix("")), {})[path.suffix.lower()] = text
    return texts


def _unpacked(
    archive: Archive, largest: int, texts: dict[str, dict[str, bytes]]
) -> Iterator[LocalPicture | Broken]:
    for entry in archive.entries():
        path = PurePosixPath(entry.name.replace("\\", "/"))
        if not is_picture_name(path.name):
            continue
        try:
            if entry.why_not:
                raise Unreadable(entry.why_not, entry.name)
            data = archive.read(entry, largest)
        except Unreadable as error:
            yield Broken(entry.name, error.what)
        else:
            yield _with_texts(path.name, data, texts.get(str(path.with_suffix("")), {}))


def _with_texts(name: str, data: bytes, beside: dict[str, bytes]) -> LocalPicture:
    captions = (decode_caption(beside[it]) for it in _CAPTIONS if it in beside)
    origin: object = {}
    with suppress(ValueError, RecursionError):
        origin = json.loads(beside.get(".json", b"{}"))
    return LocalPicture(name, data, next(captions, ""), origin if isinstance(origin, dict) else {})


def _take(item: LocalPicture, config: ImportConfig, intake: Intake, names: dict[Path, str]) -> str:
    """Take one picture in; why it is left out, "" if it is not."""
    md5 = hashlib.md5(item.data, usedforsecurity=False).hexdigest()
    first = valid_md5(item.origin.get("md5"))  # before it was edited
    if {md5, first} & intake.seen:
        return SEEN
    path = Path(item.name)
    intake.incoming.mkdir(parents=True, exist_ok=True)
    file = intake.incoming / f"{md5}{path.suffix.lower()}"
    file.write_bytes(item.data)
    try:
        read_image_file(file)
    except UserError as error:
        file.unlink()
        names[path] = item.name
        intake.failed.append((path, error.what))
        return ""
    infotext = read_infotext(file) if item.infotext is None else item.infotext
    drawn = parse_infotext(infotext) if infotext else Generation()
    if (config.prompt or config.model) and not drawn.fits(config.prompt, config.model):
        file.unlink()
        return "another prompt or model" if infotext else "not a generation"
    target = intake.free(path.stem, path.suffix.lower())
    names[target] = item.name
    caption = item.caption or caption_of_prompt(drawn.prompt)
    sidecar = json.dumps(origin_of(item, drawn, md5), indent=1, ensure_ascii=False)
    why = "drawn by you" if infotext else "from this computer"
    intake.take(
        Change("add", target, why, target, source=file, after=caption, sidecar=sidecar), md5
    )
    return ""


def origin_of(item: LocalPicture, drawn: Generation, md5: str) -> dict[str, Any]:
    """Where a picture comes from: as its own sidecar says, or how it was drawn."""
    if "md5" in item.origin:
        return item.origin
    facts: dict[str, Any] = {**item.origin, "file": item.name, "md5": md5}
    if drawn.prompt or drawn.settings:
        facts |= {
            "prompt": drawn.prompt, "negative_prompt": drawn.negative_prompt,
            "seed": drawn.settings.get("Seed", ""), "model": drawn.model,
            "model_hash": drawn.model_hash, "settings": drawn.settings,
        }  # fmt: skip
    return facts
