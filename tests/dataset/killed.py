"""Kills a process at each of its steps on disk, in turn, and looks at what is left. POSIX only.

Run as `python -m dataset.killed WORK APPLY|UNDO|RECOVER PLAN` from the tests' folder; one line for
each thing that is wrong, then the number of kills.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path

from lib_lora_cook.dataset import journal, staging
from lib_lora_cook.dataset.changes import (
    Change,
    plan_aside,
    plan_convert,
    plan_crops,
    plan_flatten,
    plan_small,
    plan_trash,
    plan_trigger,
    plan_upscale,
)
from lib_lora_cook.dataset.edits import Flood, Upscale
from lib_lora_cook.dataset.gallery import Card, plan_stars
from lib_lora_cook.dataset.images import scan_subset

from .tree import dirty_folder, snapshot

LARGER = Upscale(lambda image, times: image.resize((image.width * 2, image.height * 2)), 7, 2.0)
PLANS = {
    "convert": plan_convert,
    "flatten": plan_flatten,
    "trigger": lambda images: plan_trigger(images, "kafka"),
    "small": lambda images: plan_small(images, 7),
    "add": lambda images: [
        Change(
            "add",
            image.path.with_name(f"new_{image.path.name}"),
            "new",
            source=image.path,
            after="solo",
            sidecar="{}",
        )
        for image in images
    ],
    "upscale": lambda images: plan_upscale(images, LARGER, "it"),
    "crops": lambda images: plan_crops(
        images[1], [(0, 0, 2, 2), (1, 1, 3, 3)], first=(Flood((0, 0)),)
    ),
    "stars": lambda images: plan_stars([Card(image) for image in images], 3),
    "aside": lambda images: plan_aside([(image, "soft") for image in images], "blurred"),
    "trash": lambda images: plan_trash([image.path for image in images]),
}
STEPS = ("replace", "rename", "link", "unlink", "rmdir", "mkdir", "fsync")


def killed_at(step: int, work: Callable[[], object]) -> bool:
    """Run the work in a child that dies before its nth step on disk; False if it came through."""
    child = os.fork()
    if child == 0:
        _die_at(step)
        try:
            work()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def _die_at(step: int) -> None:
    left = [step]
    for name in STEPS:
        real = getattr(os, name)

        def deadly(*args: object, real: Callable[..., object] = real, **more: object) -> object:
            if left[0] <= 0:  # threads may jump over 0
                os._exit(9)
            left[0] -= 1
            return real(*args, **more)

        setattr(os, name, deadly)


def apply(folder: Path, plan: str) -> None:
    journal.apply_changes(folder, PLANS[plan](scan_subset(folder)))


def contents(folder: Path) -> dict[str, bytes | None]:
    return {name: value and value[0] for name, value in snapshot(folder).items()}


def look(
    folder: Path, before: dict[str, bytes | None], after: dict[str, bytes | None]
) -> list[str]:
    """What is wrong with a folder after a kill: each file must be as before or as after."""
    wrong = []
    for name, data in contents(folder).items():
        if data not in (before.get(name, 0), after.get(name, 0)):
            wrong.append(f"{name} is neither old nor new")
    if missing := (set(before) & set(after)) - set(contents(folder)):
        wrong.append(f"{missing} gone between two moments")
    journal.recover(folder)
    whole = contents(folder)
    for name in set(before) | set(after):
        if whole.get(name, 0) not in (before.get(name, 0), after.get(name, 0)):
            wrong.append(f"{name} is neither as before nor as after")
    return wrong


def steps_of(work: Path, plan: str) -> int:
    """How many steps on disk a plan takes."""
    for step in range(1000):
        folder = dirty_folder(work / f"count{step}")
        if not killed_at(step, lambda f=folder: apply(f, plan)):
            return step
    raise AssertionError("never came to its end")


def kill_everywhere(work: Path, moment: str, plan: str) -> int:
    """How many kills it took until the work came to its end unharmed."""
    apply(dirty_folder(work / "model"), plan)
    after = contents(work / "model")
    middle = steps_of(work, plan) // 2 if moment == "RECOVER" else 0
    for step in range(1000):
        folder = dirty_folder(work / str(step))
        before, times = contents(folder), snapshot(folder)
        if moment == "APPLY":
            alive = not killed_at(step, lambda f=folder: apply(f, plan))
        elif moment == "UNDO":
            apply(folder, plan)
            alive = not killed_at(step, lambda f=folder: journal.undo(f))
        else:  # a second kill, while the first is being put right
            killed_at(middle, lambda f=folder: apply(f, plan))
            alive = not killed_at(step, lambda f=folder: journal.recover(f))
        wrong = look(folder, before, after)
        journal.undo(folder, to="0")
        if snapshot(folder) != times:
            wrong.append("undo does not bring the folder back")
        if list((folder / ".lora_cook").glob("trash/*")):
            wrong.append("something is left in the trash")
        for line in wrong:
            print(f"{plan}, {moment} killed at step {step}: {line}")
        if alive:
            return step
    raise AssertionError("never came to its end")


if __name__ == "__main__":
    staging.GROUP = 2
    print(kill_everywhere(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))
