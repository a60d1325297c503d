"""The straight way of a run: pictures, latents, network, steps, a file an epoch."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from .config import TrainingConfig, learning_rates
from .config_file import run_text, wrong_values
from .errors import UserError
from .hosts.base import Host
from .jobs import Cancelled, Job
from .models.trainable import TrainableModel
from .networks.attach import make_network
from .networks.targets import network_targets
from .networks.weights import (
    as_text,
    network_of_file,
    read_file,
    save_network,
    write_atomically,
)
from .training import buckets, loss, optimizers
from .training.batches import Batches
from .training.latents import encode_latents
from .training.learning_rate import warmup_steps
from .training.metadata import RunFacts, file_metadata, run_metadata
from .training.pictures import Picture, read_pictures
from .training.state import load_loop, save_loop
from .training.train import EpochEnd, Event, Step, Trainer, make_trainer, train

Watcher = Callable[[Event], None]
SPARE_BYTES = 64 * 1024 * 1024
"""Room on the disk beyond the files themselves, without which no run is begun."""


@dataclass
class Cooked:
    """What a run made."""

    loras: list[Path] = field(default_factory=list)
    steps: int = 0
    seconds: float = 0.0
    stopped: str | None = None
    """Why the run ended before its last step, or None."""


@dataclass(frozen=True)
class Options:
    """How one call of `cook` runs."""

    resume: bool = False
    watch: Watcher = lambda event: None


def problems_of(config: TrainingConfig) -> list[str]:
    """All that is wrong with a run before a picture is read or a model is touched."""
    found = [*wrong_values(config), *buckets.problems(config.bucket)]
    found += [*optimizers.problems(config.optimizer), *loss.problems(config.loss)]
    if all(subset.is_reg for subset in config.subsets):
        found.append("there is no [[subsets]] with an image_dir and without is_reg")
    for number, subset in enumerate(config.subsets, 1):
        if not subset.image_dir:
            found.append(f"subset {number} has no image_dir")
    if config.model.max_token_length not in (75, 150, 225):
        found.append("max_token_length must be 75, 150 or 225")
    if Path(config.save.output_name).name != config.save.output_name:
        found.append("output_name is a name without folders: put those into output_dir")
    if not any(learning_rates(config.optimizer)):
        found.append("both learning rates are 0, so nothing would be trained")
    return list(dict.fromkeys(found))


def cook(config: TrainingConfig, host: Host, job: Job, options: Options | None = None) -> Cooked:
    """Train, and write a LoRA file an epoch; a stop keeps what was reached.

    UserError before anything is written when the settings, the pictures, the model or the output
    folder are not as they must be.
    """
    options = options or Options()
    if problems := problems_of(config):
        raise UserError("; ".join(problems), "the run's settings", "Correct them.")
    started = time.time()
    pictures = read_pictures(config)
    check_writable(Path(config.save.output_dir))
    if config.network.network_weights:
        read_file(Path(config.network.network_weights))
    with host.borrow_model(config.model, config.loop.mixed_precision) as model:
        store = encode_latents(
            pictures, model, latents_folder(config, host), config.loop.vae_batch_size, job
        )
        batches = Batches(
            pictures, store, config.loop.train_batch_size, config.loop.seed,
            config.loss.prior_loss_weight,
        )  # fmt: skip
        network = build_network(config, model)
        with network:
            trainer = make_trainer(config, model, network, batches, job.log)
            kitchen = Kitchen(config, model, pictures, trainer, host, started)
            kitchen.prepare(options.resume)
            cooked = kitchen.run(options.watch, job)
    cooked.seconds = time.time() - started
    return cooked


def check_writable(folder: Path) -> None:
    """UserError if no file can be made in a folder, or no such folder; leaves nothing behind."""
    there = next(path for path in (folder, *folder.resolve().parents) if path.exists())
    try:
        with TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise UserError(
            f"Nothing can be written here ({error.strerror})", folder, "Choose another output_dir."
        ) from None


def build_network(config: TrainingConfig, model: TrainableModel) -> Any:
    """The run's network: fresh, from its seed, or going on from `network_weights`."""
    from .training.train import fixed_seed

    if config.network.network_weights:
        return network_of_file(Path(config.network.network_weights), model.layers())
    with fixed_seed(f"{config.loop.seed}:network", model.device):
        targets = network_targets(model.layers(), config.network, config.optimizer)
        return make_network(targets, config.network)


def latents_folder(config: TrainingConfig, host: Host) -> Path | None:
    """Where encoded pictures are kept, or None."""
    return host.cache_dir / "latents" if config.loop.cache_latents_to_disk else None


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
            free = shutil.disk_usage(self.folder).free
        except OSError as error:
            raise UserError(
                f"Nothing can be written here ({error.strerror})", self.folder,
                "Choose another output_dir.",
            ) from None  # fmt: skip
        need = self.bytes_to_write() + SPARE_BYTES
        if free < need:
            raise UserError(
                f"The disk has {free >> 20} MiB free, and the run needs {need >> 20} MiB",
                self.folder, "Free some room, or choose another output_dir.",
            )  # fmt: skip

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


def lora_name(name: str, epoch: int, *, last: bool) -> str:
    """kohya's file names: `name-000003.safetensors`, and the last one without its epoch."""
    return f"{name}.safetensors" if last else f"{name}-{epoch:06d}.safetensors"
