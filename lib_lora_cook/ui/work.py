"""What the page's buttons start: settings and a host -> work for the runner.

The trainer and the tagger are imported when they are first needed, so that a page opens at once.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..config import ModelConfig, SubsetConfig, SweepConfig, TrainingConfig
from ..dataset.captions import split_tags
from ..hosts.base import Host
from ..jobs import Job, clock
from . import texts
from .runner import Outcome, Work, short_home

if TYPE_CHECKING:
    from ..compare.pick import Pick


@dataclass(frozen=True)
class Tasting:
    """A sheet to draw and where it goes; `tagger` is one of the host's by name."""

    name: str
    config: SweepConfig
    model: ModelConfig
    folder: Path
    tags: str = ""
    tagger: str = ""


def training_problems(config: TrainingConfig) -> list[str]:
    """What is wrong with a run before a picture is read, folders that are not there too."""
    from ..cook import problems_of

    missing = [it.image_dir for it in config.subsets if it.image_dir and not is_folder(it)]
    return problems_of(config) + [texts.NOT_A_FOLDER.format(folder=name) for name in missing]


def is_folder(subset: SubsetConfig) -> bool:
    """Whether a subset's folder is there."""
    try:
        return Path(subset.image_dir).is_dir()
    except (OSError, ValueError):
        return False


def measure_work(config: TrainingConfig, host: Host) -> Work:
    """A few of a run's own steps: what time and memory it will take."""

    def work(job: Job) -> Outcome:
        from ..cook.measure import measure_run

        found = measure_run(config, host, job)
        text = texts.MEASURED.format(
            steps=found.steps, each=found.seconds_per_step, time=clock(found.seconds),
            memory=found.peak_bytes / 2**30,
        )  # fmt: skip
        return Outcome(text)

    return work


def cook_work(config: TrainingConfig, host: Host) -> Work:
    """A training run."""

    def work(job: Job) -> Outcome:
        from ..cook import Options, Sampled, Scored, cook
        from ..training.train import Step

        def watch(event: object) -> None:
            if isinstance(event, Sampled):
                at = texts.SAMPLES_STEP.format(step=event.step)
                if event.epoch is not None:
                    at = texts.SAMPLES_AT.format(epoch=event.epoch)
                job.show(tuple(Path(it) for it in event.pictures), at)
            elif isinstance(event, Step):
                job.plot(event.step, event.loss)
                for name, rate in event.learning_rates.items():
                    job.plot(event.step, rate, name)
            elif isinstance(event, Scored):
                job.plot(event.step, event.merit, texts.MERIT)

        cooked = cook(config, host, job, Options(watch=watch))
        text = texts.COOKED.format(
            count=len(cooked.loras), steps=cooked.steps, folder=short_home(config.save.output_dir)
        )
        return Outcome(text, tuple(cooked.loras), stopped=cooked.stopped is not None)

    return work


def taste_work(tasting: Tasting, host: Host) -> Work:
    """A sheet of epoch x weight, with a pick where tags are asked for."""

    def work(job: Job) -> Outcome:
        from ..compare.sweep import Wanted, note_on_card, run_sweep, write_sweep

        wanted = None
        if tasting.tags.strip() and tasting.tagger:
            from ..captioning.find import find_tagger

            tagger = find_tagger([tasting.tagger], host.taggers(), host.tagger_dir, job)
            wanted = Wanted(split_tags(tasting.tags), tagger)
        sweep = run_sweep(tasting.config, tasting.model, host, wanted, job)
        title = f"{tasting.name}: " + " | ".join(tasting.config.prompts)
        path = write_sweep(sweep, tasting.config, tasting.folder, title)
        note_on_card(sweep)
        text = texts.TASTED.format(count=len(sweep.cells), path=short_home(str(path)))
        stopped = sweep.stopped is not None
        return Outcome(text, stopped=stopped, sheet=path, pick=pick_sentence(sweep.pick))

    return work


def pick_sentence(pick: Pick | None) -> str:
    """What to write into a prompt, and why."""
    if pick is None or pick.cell.lora is None:
        return texts.NO_PICK
    told = texts.PICK.format(lora=pick.cell.lora.stem, weight=pick.cell.weight)
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
