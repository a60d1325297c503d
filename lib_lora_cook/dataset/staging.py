"""Changes -> steps: new contents are made and checked before anything in the dataset moves."""

from __future__ import annotations

import filecmp
import os
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import UserError
from .captions import encode_caption, read_caption
from .changes import Change
from .edits import Crop, encode_picture
from .images import (
    OWN_FOLDER,
    Failure,
    Stamp,
    is_picture_name,
    open_image,
    read_image_file,
    stamp_of,
)
from .rendering import Ahead, rendered
from .sidecars import Sidecars, is_cache, is_mask
from .steps import Place, Step, each, stage, sync_file

GROUP = 1024  # changes between two visits to the journal
_GROUP_BYTES = 64 << 20  # of new files, where these come first


@dataclass(frozen=True)
class Staged:
    """A change that is ready to be made."""

    number: int
    change: Change
    name: str
    steps: list[Step]

    def check(self) -> None:
        """Raise UserError if the disk is no longer what the plan rests on."""
        path, before = self.change.path, self.change.before
        new = self.change.kind == "add" or (self.change.kind == "caption" and not before)
        if not new and not os.path.lexists(path):
            raise UserError("Not there any more", path)
        if isinstance(before, str) and read_caption(path) != before:
            raise UserError("Changed on disk since this was planned; look again", path)
        if isinstance(before, Stamp) and stamp_of(path) != before:
            raise UserError("Changed on disk since this was planned; look again", path)


class Stager:
    """Collects the group of changes that the journal makes next."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.group: list[Staged] = []
        self._count = self._bytes = 0
        self._files = 0
        self._kept: set[str] = set()
        self._touched: set[str] = set()
        self._sidecars: dict[Path, Sidecars] = {}

    def touches(self, change: Change) -> bool:
        """Whether a change concerns files that the present group changes already."""
        if change.kind == "move" and self.group and os.path.isdir(change.path):
            return True  # with all that is in it
        return not self._touched.isdisjoint(_stems(change))

    @property
    def full(self) -> bool:
        """Whether the group is as large as one should be that a kill takes back."""
        return len(self.group) >= GROUP or self._bytes >= _GROUP_BYTES

    def take_group(self, failed: list[Failure]) -> list[Staged]:
        """The changes staged since the last call, safe on the disk but for those that failed."""
        group, self.group = self.group, []
        self._touched, self._sidecars, self._bytes = set(), {}, 0
        staged = [(one, step.new) for one in group for step in one.steps if step.new]
        files = [os.path.join(self.place.trash, new) for _, new in staged]
        bad: dict[int, OSError] = {}
        for (one, _), error in zip(staged, each(sync_file, files), strict=True):
            if error is not None:
                bad.setdefault(one.number, error)
        failed += [
            (one.change.path, bad[one.number].strerror or str(bad[one.number]))
            for one in group
            if one.number in bad
        ]
        return [one for one in group if one.number not in bad]

    def add(self, change: Change, failed: list[Failure], ahead: Ahead | None = None) -> None:
        """Stage one change, or name it with the reason; `ahead`: its picture, made already."""
        try:
            name = self._name(change.path)
            staged = Staged(self._count, change, name, [])
            if change.kind != "caption":  # theirs is cheap, and done before they are made
                staged.check()
            staged.steps.extend(self._steps(change, name, ahead))
            for step in staged.steps:
                self._refuse_overwriting(step)
        except UserError as error:
            failed.append((change.path, error.what))
        except OSError as error:
            failed.append((change.path, error.strerror or str(error)))
        else:
            self._count += 1
            self._touched |= _stems(change)
            self.group.append(staged)

    def _steps(self, change: Change, name: str, ahead: Ahead | None) -> list[Step]:
        if change.kind == "caption":
            return self._put(name, encode_caption(change.after), over=True)
        if change.kind == "trash":
            return [*self._followers(name, None, change), self._trash(name)]
        if change.kind == "add":
            return self._arrival(change, name)
        to = self._name(change.to or change.path)
        if change.kind == "move":
            return [*self._folders(to), self._move(name, to), *self._followers(name, to, change)]
        steps = self._folders(to) + self._put(to, rendered(change, ahead), over=to == name)
        if to != name and not change.copy:
            steps.append(self._trash(name))
        return steps + self._followers(name, to, change)

    def _arrival(self, change: Change, name: str) -> list[Step]:
        """A new picture with its caption and its sidecar; over nothing that is there."""
        data = (change.source or change.path).read_bytes()
        steps = self._folders(name) + self._put(name, data, over=False)
        for extension, text in ((".txt", change.after), (".json", change.sidecar)):
            if text:
                beside = os.path.splitext(name)[0] + extension
                steps += self._put(beside, encode_caption(text), over=False)
        return steps

    def _followers(self, name: str, to: str | None, change: Change) -> list[Step]:
        """The steps that take a picture's sidecars along."""
        folder, picture = os.path.split(name)
        if not is_picture_name(picture):
            return []
        beside = self._beside(self.place.folder / folder)
        steps: list[Step] = []
        for sidecar in beside.of(picture):
            old = _join(folder, sidecar)
            stays = change.copy or beside.shared(picture, sidecar)
            if to is None or (change.edits and is_cache(sidecar)):
                steps += [] if stays else [self._trash(old)]
            else:
                new_folder, new_picture = os.path.split(to)
                new = _join(new_folder, beside.renamed(sidecar, picture, new_picture))
                steps += self._cut_mask(old, new, change, stays) or (
                    [] if new == old else self._follow(old, new, stays)
                )
        return steps

    def _cut_mask(self, old: str, new: str, change: Change, stays: bool) -> list[Step]:
        """The steps for a mask whose picture is cut; none for what is no mask of its size."""
        crops = [edit for edit in change.edits if isinstance(edit, Crop)]
        if not crops or not is_mask(old):
            return []
        try:
            mask, picture = open_image(self.place.folder / old), read_image_file(change.path)
        except UserError:
            return []
        if mask.size != (picture.width, picture.height):
            return []
        for crop in crops:
            mask = crop(mask)
        steps = self._put(new, encode_picture(mask, os.path.splitext(new)[1]), over=new == old)
        return steps if stays or new == old else [*steps, self._trash(old)]

    def _follow(self, old: str, new: str, stays: bool) -> list[Step]:
        if self._is_there(old, new):  # it came with another picture of the same stem
            return [] if stays else [self._trash(old)]
        if not stays:
            return [self._move(old, new)]
        source = self.place.folder / old
        return [self._staged(new, source.read_bytes(), source)]

    def _is_there(self, old: str, new: str) -> bool:
        one, other = self.place.folder / old, self.place.folder / new
        if not other.is_file() or os.path.samefile(one, other):
            return False
        return filecmp.cmp(one, other, shallow=False)

    def _beside(self, folder: Path) -> Sidecars:
        if folder not in self._sidecars:
            self._sidecars[folder] = Sidecars(folder)
        return self._sidecars[folder]

    def _put(self, name: str, data: bytes, over: bool) -> list[Step]:
        before = stamp_of(os.path.join(self.place.folder, name)) if over else None
        step = self._staged(name, data)
        if before is None:
            return [step]
        return [replace(step, before=before, kept=self._keep(name))]

    def _staged(self, name: str, data: bytes, times_of: Path | None = None) -> Step:
        self._files += 1
        self._bytes += len(data)
        return stage(self.place.trash, name, self._files, data, times_of)

    def _trash(self, name: str) -> Step:
        path = self.place.folder / name
        before = None if path.is_symlink() else stamp_of(path)  # a link goes, not what it leads to
        return Step("trash", name, before=before, kept=self._keep(name))

    def _move(self, name: str, to: str) -> Step:
        return Step("move", name, to=to, before=stamp_of(self.place.folder / name))

    def _folders(self, to: str) -> list[Step]:
        """A mkdir for each folder that is missing on the way to a name."""
        parents = [parent.as_posix() for parent in reversed(Path(to).parents)]
        missing = [name for name in parents if not (self.place.folder / name).is_dir()]
        return [Step("mkdir", name) for name in missing]

    def _keep(self, name: str) -> str:
        """A name in the trash that no original of this operation has."""
        kept, number = name, 1
        while kept.casefold() in self._kept or os.path.lexists(
            os.path.join(self.place.trash, kept)
        ):
            number += 1
            kept = f"{name}~{number}"
        self._kept.add(kept.casefold())
        return kept

    def _refuse_overwriting(self, step: Step) -> None:
        new = step.to if step.op == "move" else step.name if step.op == "put" else ""
        if not new or step.kept:
            return
        source = self.place.folder / step.name
        target = self.place.folder / new
        if not os.path.lexists(target):
            return
        if step.op == "put" or not os.path.samefile(source, target):
            raise UserError(f"{new} is there already", target)

    def _name(self, path: Path) -> str:
        """The path inside the dataset, with slashes; UserError if it is not in there."""
        whole, root = os.path.abspath(path), os.path.join(self.place.folder, "")
        name = whole[len(root) :]
        if whole.startswith(root) and name and not name.startswith(OWN_FOLDER):
            return name.replace(os.sep, "/")
        try:
            inside = Path(whole).relative_to(self.place.folder)
        except ValueError as error:
            raise UserError("Not in this dataset's folder", path) from error
        if not inside.parts or inside.parts[0] == OWN_FOLDER:
            raise UserError("This file is not part of the dataset", path)
        return inside.as_posix()


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _stems(change: Change) -> set[str]:
    paths = [change.path] if change.to is None else [change.path, change.to]
    return {os.path.splitext(path)[0].casefold() for path in paths}
