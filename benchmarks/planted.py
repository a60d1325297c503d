"""Runs on the toy world that are known to be good or bad: their pictures, and how they are cooked.

    python -m benchmarks.planted FOLDER

Cooks those that FOLDER has not got yet, one after the other.
"""

from __future__ import annotations

import argparse
import random
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.toy import CASES, changed, clean_dataset
from lib_lora_cook.config import SubsetConfig, TrainingConfig
from lib_lora_cook.cook import cook
from lib_lora_cook.dataset.images import scan_subset
from lib_lora_cook.demo import meal
from lib_lora_cook.demo.characters import caption, random_character
from lib_lora_cook.demo.dirty_dataset import PICTURE_SIZE, known_tags, new_character_variant
from lib_lora_cook.demo.drawing import draw
from lib_lora_cook.hosts.standalone import StandaloneHost
from lib_lora_cook.jobs import null_job

LONG = {"max_train_epochs": 16, "lr_scheduler": "constant_with_warmup"}
SEEN = 200
"""How often pictures are seen in an epoch, all together."""
OTHERS = 28
"""Regularisation pictures: other girls, with captions of their own."""
OUTFITS = {meal.TRIGGER: ("dress", "red", "glasses"), "kazehana": ("hoodie", "blue", "cat_ears")}
"""Trigger -> outfit, its colour, what is worn with it."""
REG = "reg"
Spoil = Callable[[Path, Path], None]


@dataclass(frozen=True)
class Case:
    """A run that is known to be good or bad."""

    changes: Mapping[str, Any]
    spoil: Spoil | None = None
    """Makes another dataset of the demo's: a folder of pictures, or a folder a subset."""


def three_pictures(source: Path, out: Path) -> None:
    """The first three pictures alone."""
    for image in scan_subset(source)[:3]:
        for path in (image.path, image.path.with_suffix(".txt")):
            shutil.copy(path, out)


def half_named(source: Path, out: Path) -> None:
    """Every second caption without the trigger."""
    for place, image in enumerate(scan_subset(source)):
        shutil.copy(image.path, out)
        text = image.caption.replace(f"{meal.TRIGGER}, ", "") if place % 2 else image.caption
        (out / f"{image.path.stem}.txt").write_text(text, encoding="utf-8")


def beside_others(spoil: Spoil) -> Spoil:
    """The pictures that `spoil` makes, and regularisation pictures of other girls."""

    def both(source: Path, out: Path) -> None:
        (out / "own").mkdir()
        spoil(source, out / "own")
        (out / REG).mkdir()
        rng = random.Random(5)
        for number in range(OTHERS):
            girl = random_character(rng)
            draw(girl, PICTURE_SIZE, rng).save(out / REG / f"{number:02}.png")
            (out / REG / f"{number:02}.txt").write_text(caption(girl.tags()), encoding="utf-8")

    return both


def as_it_is(source: Path, out: Path) -> None:
    """The demo's pictures."""
    for path in sorted(source.iterdir()):
        if path.is_file():
            shutil.copy(path, out)


def two_outfits(swapped: bool) -> Spoil:
    """The new character in two outfits, each with its trigger, or every second with the other's."""

    def draw_them(source: Path, out: Path) -> None:
        rng = random.Random(6)
        triggers = list(OUTFITS)
        for trigger, (outfit, color, worn) in OUTFITS.items():
            (out / trigger).mkdir()
            for number in range(14):
                girl = replace(
                    new_character_variant(rng, number), outfit=outfit, outfit_color=color,
                    accessory=worn,
                )  # fmt: skip
                draw(girl, PICTURE_SIZE, rng).save(out / trigger / f"{number:02}.png")
                pruned = {f"{color}_{outfit}", worn}
                tags = [tag for tag in known_tags(girl) if tag not in pruned]
                named = triggers[triggers.index(trigger) - 1] if swapped and number % 2 else trigger
                text = f"{named}, {caption(tags)}"
                (out / trigger / f"{number:02}.txt").write_text(text, encoding="utf-8")

    return draw_them


EIGHT = {**LONG, "max_train_epochs": 8}
PLANTED = {
    "lora": Case(LONG),
    "LoCon": Case({**CASES["LoCon"], **LONG}),
    "LoHa": Case({**CASES["LoHa"], **LONG, "max_train_epochs": 24}),
    "Prodigy": Case({**CASES["Prodigy"], "max_train_epochs": 16}),
    "memorised": Case({**LONG, "max_train_epochs": 12}, three_pictures),
    "bleed": Case(EIGHT, half_named),
    "beside": Case(EIGHT, beside_others(as_it_is)),
    "beside_bleed": Case(EIGHT, beside_others(half_named)),
    "outfits": Case(EIGHT, two_outfits(swapped=False)),
    "mixed": Case(EIGHT, two_outfits(swapped=True)),
}
"""`beside`: with regularisation pictures. `mixed`: every second caption has the other trigger."""


def demo_dataset(folder: Path) -> Path:
    """The demo's pictures, cleaned and tagged, made where they are not there yet."""
    if not (folder / "data").exists():
        clean_dataset(folder / "data")
    return folder / "data" / "toy" / "dataset"


def pictures_of(name: str, folder: Path) -> Path:
    """The dataset of a case."""
    case, source = PLANTED[name], demo_dataset(folder)
    if case.spoil is None:
        return source
    out = folder / f"{name}_data"
    if not out.exists():
        out.mkdir()
        case.spoil(source, out)
    return out


def subset_folders(dataset: Path) -> list[Path]:
    """The subsets of a case, regularisation last: a folder each, or the dataset itself."""
    if any(dataset.glob("*.png")):
        return [dataset]
    folders = [it for it in sorted(dataset.iterdir()) if it.is_dir()]
    return sorted(folders, key=lambda it: it.name == REG)


def run_of(name: str, folder: Path) -> TrainingConfig:
    """The demo's run with the pictures and the settings of a case."""
    folders = subset_folders(pictures_of(name, folder))
    counts = {it: len(scan_subset(it)) for it in folders}
    own = sum(count for it, count in counts.items() if it.name != REG)
    subsets = tuple(
        SubsetConfig(
            image_dir=str(it), is_reg=it.name == REG, shuffle_caption=True,
            keep_tokens=0 if it.name == REG else 1, caption_tag_dropout_rate=meal.DROPPED,
            num_repeats=max(1, round(SEEN / (counts[it] if it.name == REG else own))),
        )
        for it in folders
    )  # fmt: skip
    config = meal.demo_run(folders[0], folder / name / "loras")
    return changed(replace(config, subsets=subsets), dict(PLANTED[name].changes))


def cooked(name: str, folder: Path) -> list[str]:
    """The LoRA files of a case, an epoch each."""
    out = folder / name
    done = out / "done"
    if not done.exists():
        shutil.rmtree(out, ignore_errors=True)
        loras = cook(run_of(name, folder), StandaloneHost(out), null_job).loras
        done.write_text("\n".join(map(str, loras)), encoding="utf-8")
    return done.read_text(encoding="utf-8").splitlines()


def main(arguments: Sequence[str] | None = None) -> None:
    """Cook what is missing."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.planted", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("folder", type=Path, help="keeps what was cooked")
    parser.add_argument("--case", nargs="+", choices=PLANTED, default=list(PLANTED))
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    for name in options.case:
        print(name, len(cooked(name, options.folder)), "epochs", flush=True)


if __name__ == "__main__":
    main()
