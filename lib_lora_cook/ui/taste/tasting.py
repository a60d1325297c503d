"""The work of Taste: a sheet of epoch x weight, scored where there is a tagger.

The trainer and the tagger are imported when they are first needed, so that a page opens at once.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ...config import ModelConfig, SubsetConfig, SweepConfig, TrainingConfig
from ...dataset.captions import split_tags
from ...dataset.images import scan_subset
from ...hosts.base import Host
from ...jobs import Cancelled, Job
from .. import runs, texts
from ..runner import Outcome, Work, sentence_of, short_home
from ..tray import Tile, Tray
from ..work import is_folder

if TYPE_CHECKING:
    from ...compare.judge import Wanted
    from ...compare.pick import Pick
    from ...compare.prompts import Probe
    from ...compare.sweep import Sweep
    from ...compare.taught import Folder


@dataclass(frozen=True)
class Tasting:
    """A sheet to draw and where it goes; `tagger` is one of the host's by name."""

    name: str
    config: SweepConfig
    model: ModelConfig
    folder: Path
    tags: str = ""
    tagger: str = ""
    subsets: tuple[SubsetConfig, ...] = ()
    """What was trained: says what the prompts test."""


def taste_work(tasting: Tasting, host: Host) -> Work:
    """A sheet whose cells are shown as they are done, with a pick where it is scored."""

    def work(job: Job) -> Outcome:
        from ...compare.sweep import (
            growing_sweep,
            keep_as_grid,
            note_on_card,
            write_cell,
            write_sweep,
        )

        config, folder = tasting.config, tasting.folder
        wanted, drawn = wanted_by(tasting, host, job), 0
        for sweep in growing_sweep(config, tasting.model, host, wanted, job):
            if len(sweep.cells) > drawn:
                drawn = len(sweep.cells)
                write_cell(sweep, config, drawn, folder)
            job.lay_out(tray_of(sweep, config, folder))
        title = f"{tasting.name}: " + " | ".join(config.prompts)
        path = write_sweep(sweep, config, folder, title)
        keep_as_grid(path, host)
        note_on_card(sweep)
        text = texts.TASTED.format(count=len(sweep.cells), path=short_home(str(path)))
        stopped = sweep.stopped is not None
        return Outcome(text, stopped=stopped, sheet=path, pick=pick_sentence(sweep.pick))

    return work


def taste_after(
    cooked: Outcome, config: TrainingConfig, sweep: SweepConfig, host: Host, job: Job
) -> Outcome:
    """The sheet of the epochs of a run; one that fails leaves the run as it ended."""
    if cooked.stopped or not cooked.loras:
        return cooked
    name = config.save.output_name
    # a WebUI's own taggers may have to fetch their model first, which nobody asked for here
    taggers = [it for it, where in host.taggers().items() if isinstance(where, Path)]
    loras = tuple(map(str, runs.spread(cooked.loras)))
    prompts = tuple(deciding_prompts(config))
    wish = Tasting(
        name, replace(sweep, loras=loras, prompts=prompts), config.model,
        sheet_folder(host, name), tagger=taggers[-1] if taggers else "", subsets=config.subsets,
    )  # fmt: skip
    job.log(cooked.text)
    try:
        tasted = taste_work(wish, host)(job)
    except Cancelled:
        return replace(cooked, stopped=True)
    except Exception as error:  # the run is done and its files are there, whatever this is
        job.log(short_home(traceback.format_exc()))
        return replace(cooked, text=f"{cooked.text}. {sentence_of(error)}")
    return replace(tasted, text=f"{cooked.text}; {tasted.text}", loras=cooked.loras)


def wanted_by(tasting: Tasting, host: Host, job: Job) -> Wanted | None:
    """What the pictures should show and who looks for it; None where nobody does."""
    if not tasting.tagger:
        return None
    from ...captioning.find import find_tagger
    from ...compare.judge import Wanted
    from ...compare.taught import by_trigger, wanted_of

    taught, tags = by_trigger(folders(tasting.subsets)), split_tags(tasting.tags)
    if not (taught or tags):
        return None
    tagger = find_tagger([tasting.tagger], host.taggers(), host.tagger_dir, job)
    with job.stage(texts.LOOKING_AT_TRAINING):
        return wanted_of(taught, tags, tagger) if taught else Wanted(tags, tagger)


def folders(subsets: Iterable[SubsetConfig]) -> Iterator[Folder]:
    """The folders of a run that are still there, with their pictures."""
    for it in subsets:
        if it.image_dir and not it.is_reg and is_folder(it):
            path = Path(it.image_dir)
            yield it.class_tokens, path.name, scan_subset(path, [])


def tray_of(sweep: Sweep, config: SweepConfig, folder: Path) -> Tray:
    """A sweep as far as it went, as the page shows it."""
    from ...compare.actions import infotext
    from ...compare.sweep import cell_path, note_of, row_names

    tiles = tuple(
        Tile(
            number, cell.lora, cell.weight, cell.prompt, cell_path(folder, number),
            tuple(note_of(score).splitlines()), infotext(cell, config, sweep.previews[cell]),
        )
        for number, (cell, score) in enumerate(sweep.cells, 1)
    )  # fmt: skip
    places = [cell for cell, _ in sweep.cells]
    picked = places.index(sweep.pick.cell) + 1 if sweep.pick else 0
    loras = tuple(map(Path, config.loras))
    names = tuple(row_names(config.loras))
    return Tray(loras, names, config.weights, config.prompts, tiles, picked)


def pick_sentence(pick: Pick | None) -> str:
    """What to write into a prompt, and why; or that it cannot be told for certain."""
    if pick is None or pick.cell.lora is None:
        return texts.NO_PICK
    head = texts.PICK if pick.sure else texts.UNSURE_PICK
    told = head.format(lora=pick.cell.lora.stem, weight=pick.cell.weight)
    return f"{told} {texts.PICK_WHY.format(why=pick.why)}"


def tasting_problems(tags: str, tagger: str) -> list[str]:
    """What is wrong with what a sheet should be scored by."""
    return [texts.NO_TAGGER_FOR_TAGS] if tags.strip() and not tagger else []


def sheet_folder(host: Host, name: str) -> Path:
    """A folder for one sheet, named by the run and the moment."""
    plain = "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in name)
    return host.output_dirs[0] / "lora-cook" / f"{plain}-{time.strftime('%Y%m%d-%H%M%S')}"


def trigger_of(config: TrainingConfig) -> str:
    """The prompt to try a run with: its trigger, or its name."""
    tokens = next((it.class_tokens for it in config.subsets if it.class_tokens), "")
    return tokens or config.save.output_name


def proposed_prompts(config: TrainingConfig) -> list[str]:
    """Prompts that test a run, made from the captions that it was trained on."""
    return [it.text for it in probes_of(config)] or [trigger_of(config)]


def deciding_prompts(config: TrainingConfig) -> list[str]:
    """As few of them as tell whether it is learnt, obeys and stays away where it is not called."""
    probes = probes_of(config)
    called = [it.text for it in probes if it.kind in ("trigger", "captions")]
    without = [it.text for it in probes if it.kind == "without"]
    return [*called, *without[:1]] or [trigger_of(config)]


def probes_of(config: TrainingConfig) -> list[Probe]:
    """All that tests a run; none where no trigger is known."""
    from ...compare.prompts import Taught, make_prompts
    from ...compare.taught import by_trigger

    subsets = []
    for trigger, images in by_trigger(folders(config.subsets)).items():
        captions = [split_tags(image.caption) for image in images]
        subsets.append(Taught(trigger, [[it for it in tags if it != trigger] for tags in captions]))
    return make_prompts(subsets) if subsets else []
