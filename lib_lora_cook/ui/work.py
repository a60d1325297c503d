"""What the page's buttons start: settings and a host -> work for the runner.

The trainer and the tagger are imported when they are first needed, so that a page opens at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..config import SubsetConfig, TrainingConfig
from ..hosts.base import Host
from ..jobs import Job, clock
from . import texts
from .runner import Outcome, Work, short_home

if TYPE_CHECKING:
    pass


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
