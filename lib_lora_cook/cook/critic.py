"""The scores of an epoch while its run goes on, by the prompts and measures of a sheet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import stdev

from ..captioning.find import find_tagger
from ..compare.grid import Cell
from ..compare.judge import Judge, Wanted
from ..compare.pick import Candidate, candidate
from ..compare.render import Brush, out_of_memory
from ..compare.taught import by_trigger, wanted_of
from ..config import SweepConfig, TrainingConfig
from ..dataset.images import ImageFile
from ..errors import UserError
from ..hosts.base import Host
from ..jobs import Cancelled, Job
from ..networks.attach import Network
from ..training.pictures import Picture
from ..training.train import Trainer, free_memory
from .files import lora_name
from .samples import drawing

WEIGHT = 1.0


@dataclass(frozen=True)
class Scored:
    """An epoch was scored at weight 1."""

    step: int
    epoch: int
    merit: float
    """What a sheet picks by."""
    spread: float
    """The standard deviation of the merit over the seeds."""
    measures: dict[str, float]
    best: int
    """The epoch with the highest merit so far."""


@dataclass
class Standing:
    """Which of the scores so far was the best, and how many came after it."""

    merit: float = float("-inf")
    epoch: int = 0
    since: int = 0

    def take(self, merit: float, epoch: int) -> None:
        """One more score."""
        if merit > self.merit:
            self.merit, self.epoch, self.since = merit, epoch, 0
        else:
            self.since += 1


@dataclass
class Worn:
    """The network that is being trained as a wardrobe of one: on at weight 1, or off."""

    network: Network
    on: bool = True

    def wears_several(self, lora: Path) -> bool:
        """Its weight is 1."""
        return False

    def wear(self, lora: Path | None, weight: float | Sequence[float]) -> None:
        """Put it on, or take it off where no LoRA is named."""
        if self.on and lora is None:
            self.network.__exit__()
        elif not self.on and lora is not None:
            self.network.__enter__()
        self.on = lora is not None


@dataclass
class Critic:
    """Scores the model that is being trained, and leaves no trace in the run."""

    trainer: Trainer
    host: Host
    job: Job
    pictures: Sequence[Picture]
    standing: Standing = field(default_factory=Standing)

    def __post_init__(self) -> None:
        self.settings = self.trainer.config.sample
        self.judge: Judge | None = None

    def prepare(self, before: Iterable[tuple[float, int]]) -> None:
        """Look at the training pictures; `before`: the (merit, epoch) of a resumed run.

        UserError where no tagger is at hand, or no trigger stands out.
        """
        if self.settings.score_every_n_epochs:
            self.judge = Judge(wanted_by(self.trainer.config, self.host, self.pictures, self.job))
        for merit, epoch in before:
            self.standing.take(merit, epoch)

    def is_due(self, epoch: int | None) -> bool:
        """Whether it is time, at an epoch's end."""
        every = self.settings.score_every_n_epochs
        return bool(every) and epoch is not None and epoch % every == 0  # type: ignore[operator]

    @property
    def settled(self) -> str:
        """Why the run may end here, in a sentence; "" where it goes on."""
        patience, now = self.settings.score_patience, self.standing
        if self.judge is None or not patience or now.since < patience:
            return ""
        return f"the scores have not risen since epoch {now.epoch}, {now.since} scores ago"

    def score(self, step: int, epoch: int) -> Scored | None:
        """The scores of this epoch; None, and told so, where its pictures cannot be drawn."""
        try:
            found = self.tasted(Path(lora_name("epoch", epoch, last=False)))
        except Cancelled:
            raise
        except Exception as error:  # No score is worth a run.
            why = "memory ran out" if out_of_memory(error) else str(error)
            self.job.log(f"epoch {epoch} could not be scored ({why}): it is left out")
            free_memory(self.trainer)
            return None
        self.standing.take(found.merit, epoch)
        spread = stdev(found.each) if len(found.each) > 1 else 0.0
        return Scored(step, epoch, found.merit, spread, found.means, self.standing.epoch)

    def tasted(self, lora: Path) -> Candidate:
        """The prompts of a sheet with the network as it is now; the base model's only once."""
        assert self.judge is not None
        config = sheet_of(self.trainer.config, self.judge)
        bare = [it for it in config.prompts if it not in self.judge.base]
        cells = [Cell(None, 0.0, prompt, config.seeds) for prompt in bare]
        cells += [Cell(lora, WEIGHT, prompt, config.seeds) for prompt in config.prompts]
        worn, scored = Worn(self.trainer.loop.network), []
        with drawing(self.trainer):
            brush = Brush(config, self.host, worn, self.job)
            try:
                for cell, drawn in brush.paint_all(cells):
                    scored.append((cell, self.judge.score(cell, drawn)))
            finally:
                worn.wear(lora, WEIGHT)
        return candidate([it for it in scored if it[0].lora])


def sheet_of(config: TrainingConfig, judge: Judge) -> SweepConfig:
    """The sheet of one epoch: the training's resolution, seeds from the run's own on."""
    width, height = (side // 8 * 8 for side in config.bucket.resolution)
    first, sample = config.loop.seed, config.sample
    return SweepConfig(
        weights=(WEIGHT,), prompts=tuple(judge.probes), width=width, height=height,
        seeds=tuple(range(first, first + sample.score_seeds)), steps=sample.score_steps,
        cfg_scale=0.0,  # what the person draws with
    )  # fmt: skip


def wanted_by(config: TrainingConfig, host: Host, pictures: Sequence[Picture], job: Job) -> Wanted:
    """What the run teaches, and the tagger that looks for it."""
    there = host.taggers()
    if not (name := config.sample.score_tagger or next(iter(there), "")):
        raise UserError(
            "There is no tagger to score the epochs with", "score_tagger",
            "Give a tagger's folder, or leave score_every_n_epochs out.",
        )  # fmt: skip
    tagger = find_tagger([name], there, host.tagger_dir, job)
    folders: dict[str, tuple[str, list[ImageFile]]] = {}
    for picture in pictures:
        subset = picture.subset
        if not subset.is_reg:
            folders.setdefault(subset.image_dir, (subset.class_tokens, []))[1].append(picture.image)
    taught = by_trigger((it[0], Path(name).name, it[1]) for name, it in folders.items())
    if not taught:
        raise UserError(
            "The captions begin with no trigger to score the epochs by", "score_every_n_epochs",
            "Put one tag first in all captions, or leave score_every_n_epochs out.",
        )  # fmt: skip
    return wanted_of(taught, [], tagger)


def problems(config: TrainingConfig) -> list[str]:
    """What is wrong with the settings, in words that say what to do."""
    if config.sample.score_patience and not config.sample.score_every_n_epochs:
        return ["score_patience needs scores to go by: set score_every_n_epochs too"]
    return []
