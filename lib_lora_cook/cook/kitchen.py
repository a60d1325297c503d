"""A run at work: its files, its state, its watcher."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from ..config import TrainingConfig
from ..config_file import run_text
from ..errors import UserError
from ..hosts.base import Host
from ..jobs import Cancelled, Job
from ..models.trainable import TrainableModel
from ..networks.weights import as_text, save_network, write_atomically
from ..training import optimizers
from ..training.learning_rate import warmup_steps
from ..training.metadata import RunFacts, file_metadata, run_metadata
from ..training.pictures import Picture
from ..training.state import load_loop, save_loop
from ..training.train import EpochEnd, Event, Step, Trainer, train
from .checks import check_room
from .files import lora_name

Watcher = Callable[[Event], None]


@dataclass
class Cooked:
    """What a run made."""

    loras: list[Path] = field(default_factory=list)
    steps: int = 0
    seconds: float = 0.0
    stopped: str | None = None
    """Why the run ended before its last step, or None."""


def fingerprint_of(config: TrainingConfig, pictures: Sequence[Picture]) -> str:
    """A name for the settings and pictures that a saved state belongs to."""
    facts = [run_text(config), *(f"{it.image.path}{it.caption}{it.fit}" for it in pictures)]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()


@dataclass
class Kitchen:
    """One run at work: writes its files, keeps its state, tells its watcher."""

    config: TrainingConfig
    model: TrainableModel
    pictures: Sequence[Picture]
    trainer: Trainer
    host: Host
    started: float

    @property
    def folder(self) -> Path:
        """The output folder."""
        return Path(self.config.save.output_dir)

    @property
    def state_path(self) -> Path:
        """The file that a resume goes on from."""
        return self.folder / f"{self.config.save.output_name}.state"

    def prepare(self, resume: bool) -> None:
        """Take up a saved state if asked; check the output folder and the disk."""
        if resume and self.state_path.exists():
            fingerprint = fingerprint_of(self.config, self.pictures)
            load_loop(self.trainer.loop, self.state_path, fingerprint)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomically(self.folder / f"{self.config.save.output_name}.toml",
                             run_text(self.config).encode())  # fmt: skip
        except OSError as error:
            raise UserError(
                f"Nothing can be written here ({error.strerror})", self.folder,
                "Choose another output_dir.",
            ) from None  # fmt: skip
        check_room(self.folder, self.bytes_to_write())

    def bytes_to_write(self) -> int:
        """The size of all the run's files and of its state."""
        weights = sum(it.numel() for it in self.trainer.loop.network.parameters())
        files = self.config.save.save_last_n_epochs or self.trainer.epochs
        return weights * (2 * files + 3 * 4)

    def run(self, watch: Watcher, job: Job) -> Cooked:
        """Take the events of the loop as they come."""
        cooked = Cooked(self.loras_there(), self.trainer.loop.step)
        try:
            for event in train(self.trainer):
                if isinstance(event, EpochEnd):
                    self.end_epoch(event, cooked)
                else:
                    self.end_step(event, job)
                watch(event)
                cooked.steps = self.trainer.loop.step
                if self.host.interrupted():
                    raise Cancelled
                job.check()
        except Cancelled:
            self.keep_state()
            cooked.stopped = "cancelled"
        except KeyboardInterrupt:  # Somewhere inside a step: such a state would be half a step.
            cooked.stopped = "cancelled"
        return cooked

    def loras_there(self) -> list[Path]:
        """The files of the epochs that a resumed run has behind it."""
        loop, name = self.trainer.loop, self.config.save.output_name
        done = loop.step >= self.trainer.total_steps and loop.batch == 0
        names = [lora_name(name, epoch, last=False) for epoch in range(1, loop.epoch)]
        paths = [self.folder / it for it in [*names, *([lora_name(name, 0, last=True)] * done)]]
        return [path for path in paths if path.exists()] if loop.step else []

    def end_step(self, step: Step, job: Job) -> None:
        """Tell how far the run is."""
        text = f"epoch {step.epoch}/{self.trainer.epochs} loss {step.loss:.3f}"
        job.report(step.step, self.trainer.total_steps, text)

    def end_epoch(self, end: EpochEnd, cooked: Cooked) -> None:
        """Write the epoch's file and the state behind it; then drop what is too old."""
        save, last = self.config.save, end.step >= self.trainer.total_steps
        if last or end.epoch % save.save_every_n_epochs == 0:
            path = self.folder / lora_name(save.output_name, end.epoch, last=last)
            self.write_lora(path, end)
            cooked.loras.append(path)
            self.host.refresh_loras()
        self.keep_state()
        if save.save_last_n_epochs:
            for old in cooked.loras[: -save.save_last_n_epochs]:
                old.unlink(missing_ok=True)
            cooked.loras = cooked.loras[-save.save_last_n_epochs :]

    def write_lora(self, path: Path, end: EpochEnd) -> None:
        """One LoRA file with all its metadata."""
        trainer = self.trainer
        warmup = warmup_steps(self.config.optimizer, trainer.total_steps)
        facts = RunFacts(
            self.started, trainer.batches.per_epoch, trainer.epochs, trainer.total_steps, warmup
        )
        now = datetime.now()
        metadata = run_metadata(self.config, self.model, self.pictures, facts)
        place = (end.epoch, end.step)
        metadata |= file_metadata(self.config, self.model, path.stem, place, now)
        with optimizers.averaged_weights(trainer.loop.optimizer):
            save_network(
                trainer.loop.network, path, as_text(metadata), self.config.save.save_precision
            )

    def keep_state(self) -> None:
        """Save the loop for a resume."""
        fingerprint = fingerprint_of(self.config, self.pictures)
        save_loop(self.trainer.loop, self.state_path, fingerprint)
