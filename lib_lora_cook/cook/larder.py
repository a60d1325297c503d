"""What a run keeps on disk: its LoRA files, its run file, and the state to resume from."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ..config import TrainingConfig
from ..config_file import run_text
from ..errors import UserError
from ..jobs import Job
from ..models.trainable import TrainableModel
from ..networks.atomic import write_atomically
from ..networks.card import drop_lora
from ..networks.weights import as_text, save_network
from ..training import optimizers
from ..training.learning_rate import warmup_steps
from ..training.memory import free_bytes
from ..training.metadata import RunFacts, file_metadata, run_metadata
from ..training.pictures import Picture
from ..training.state import load_loop, save_loop
from ..training.train import Trainer
from .checks import check_memory, check_room
from .files import (
    LoraFile,
    Shelf,
    epochs_between,
    expired,
    find_state,
    folders_of,
    lora_name,
    scan_loras,
    state_name,
    step_name,
)
from .ledger import Ledger, ledger_name
from .resume import check_identity, identity_of, identity_text
from .samples import FOLDER, is_sample

STATE_COPIES = 3
"""Numbers for each weight: itself or its gradient, and Adam's two."""
INSIST, AGAIN = 120.0, 5.0
"""Seconds that the last file waits for room on a full disk, and from one try to the next."""


@dataclass
class Larder:
    """The files of one run."""

    config: TrainingConfig
    model: TrainableModel
    pictures: Sequence[Picture]
    trainer: Trainer
    job: Job
    started: float
    """Seconds since 1970, UTC."""

    def __post_init__(self) -> None:
        self.name = self.config.save.output_name
        self.folder = Path(self.config.save.output_dir)
        self.shelf = Shelf(folders_of(self.config.save), self.job.log)
        self.every = epochs_between(self.config.save, self.trainer.epochs)
        self.identity = identity_of(
            self.config, self.pictures, self.model, self.trainer.total_steps
        )
        self.ledger = Ledger(self.folder / ledger_name(self.name), self.job.log)
        self.files: list[LoraFile] = []
        self.saved_at = 0
        self.state_kept = time.monotonic()

    def prepare(self, resume: bool) -> None:
        """Take up a saved state if asked; check the output folder and the disk."""
        state = find_state(self.config.save, self.name) if resume else None
        if state:
            self.take_up(state)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for part in self.folder.glob(f".{self.name}*.part"):  # A kill in the middle of a save.
                part.unlink(missing_ok=True)
            write_atomically(self.folder / f"{self.name}.toml", run_text(self.config).encode())
        except OSError as error:
            raise UserError(
                f"Nothing can be written here ({error.strerror})", self.folder,
                "Choose another output_dir.",
            ) from None  # fmt: skip
        self.ledger.begin(self.trainer.loop.step)
        check_room(self.folder, self.bytes_to_write())
        check_memory(4 * STATE_COPIES * self.weights(), free_bytes(self.model.device))

    def take_up(self, state: Path) -> None:
        """Go on from a state; UserError where it is another run's, or further than this one goes.

        A run that was made longer follows its learning rate's curve over all its steps from there
        on, as sd-scripts does; its last file becomes that of its epoch.
        """
        trainer, saved = self.trainer, {}

        def check(text: str) -> None:
            saved.update(check_identity(text, self.identity, state))

        load_loop(trainer.loop, state, check)
        step, before, now = trainer.loop.step, saved["steps"], trainer.total_steps
        if step > now:
            raise UserError(
                f"The saved run has done {step} steps already, and now is to end at {now}", state,
                "Raise max_train_epochs or max_train_steps, or take the files it has written.",
            )  # fmt: skip
        if before != now and self.config.optimizer.lr_scheduler != "constant":
            self.job.log(
                f"the run has {now} steps instead of {before}: from step {step} on the learning "
                f"rate follows {self.config.optimizer.lr_scheduler} over {now} steps"
            )
        if trainer.loop.ended == before == step < now:
            self.number_last_file()
        self.files = self.files_there()

    def number_last_file(self) -> None:
        """The last file of a run that is made longer is not its last one any more."""
        loop = self.trainer.loop
        whole = loop.batch == 0
        name = lora_name(self.name, loop.epoch - 1, last=False)
        for folder in self.shelf.folders:
            last = folder / lora_name(self.name, 0, last=True)
            if last.is_file():
                os.replace(last, folder / (name if whole else step_name(self.name, loop.step)))

    def files_there(self) -> list[LoraFile]:
        """The files that a resumed run has behind it, in the order of their steps."""
        loop, trainer = self.trainer.loop, self.trainer
        accumulated = self.config.loop.gradient_accumulation_steps
        per_epoch = -(-trainer.batches.per_epoch // accumulated)
        done = loop.ended == loop.step >= trainer.total_steps
        found: dict[str, tuple[int, LoraFile]] = {}
        for folder in self.shelf.folders:
            for it in scan_loras(folder, self.name):
                step = it.step or (it.epoch or 0) * per_epoch or trainer.total_steps
                if step <= loop.step and (it.step or it.epoch or done):
                    found.setdefault(it.path.name, (step, it))
        self.saved_at = max((step for step, _ in found.values()), default=0)
        return [it for _, it in sorted(found.values(), key=lambda pair: pair[0])]

    def weights(self) -> int:
        """How many numbers the network has."""
        return sum(it.numel() for it in self.trainer.loop.network.parameters())

    def bytes_to_write(self) -> int:
        """The size of all the run's files, and of its state while the next one is written."""
        save, trainer = self.config.save, self.trainer
        epochs = trainer.epochs // self.every if self.every else 0
        steps = trainer.total_steps // save.save_every_n_steps if save.save_every_n_steps else 0
        if save.save_every_n_steps and save.save_last_n_steps:
            steps = min(steps, save.save_last_n_steps // save.save_every_n_steps + 1)
        files = min(epochs, save.save_last_n_epochs or epochs) + steps + 1
        state = 2 * STATE_COPIES * 4
        return self.weights() * (files * (4 if save.save_precision == "float" else 2) + state)

    def discard(self) -> None:
        """Remove all that this run has written."""
        for folder in self.shelf.folders:
            names = [state_name(self.name), f"{self.name}.toml", ledger_name(self.name)]
            pictures = [it for it in (folder / FOLDER).glob("*.png") if is_sample(it, self.name)]
            loras = [it.path for it in scan_loras(folder, self.name)]
            for lora in loras:
                drop_lora(lora)
            for path in [*pictures, *(folder / name for name in names)]:
                path.unlink(missing_ok=True)
            with suppress(OSError):  # Another run's pictures may be in it, or it is not there.
                (folder / FOLDER).rmdir()
        self.files = []

    def write_lora(self, name: str, epoch: int, step: int, *, last: bool = False) -> Path | None:
        """One LoRA file with all its metadata; None, and told so, where no folder takes it.

        The last file waits for room, and is UserError if there is none in time.
        """
        trainer = self.trainer
        warmup = warmup_steps(self.config.optimizer, trainer.total_steps)
        facts = RunFacts(
            self.started, trainer.batches.per_epoch, trainer.epochs, trainer.total_steps, warmup,
            optimizers.optimizer_text(trainer.loop.optimizer, self.config.optimizer.optimizer_args),
        )  # fmt: skip
        metadata = run_metadata(self.config, self.model, self.pictures, facts)
        metadata |= file_metadata(self.config, self.model, (epoch, step), datetime.now())

        def write(path: Path) -> None:
            precision = self.config.save.save_precision
            with optimizers.averaged_weights(trainer.loop.optimizer):
                save_network(trainer.loop.network, path, as_text(metadata), precision)

        path = self.shelf.put(name, write)
        if last and path is None:
            path = self.insist(name, write)
        if path is None:
            return None
        self.saved_at = step
        now = next(it for it in scan_loras(path.parent, self.name) if it.path == path)
        self.files = [it for it in self.files if it.path.name != name] + [now]
        for old in expired(self.files, self.config.save, self.every, now):
            drop_lora(old)
            self.files = [it for it in self.files if it.path != old]
        return path

    def insist(self, name: str, write: Callable[[Path], None]) -> Path:
        """Try until the file is written; UserError if that takes too long."""
        self.job.log(f"{name} waits {INSIST:.0f} seconds for room: free some now")
        until = time.monotonic() + INSIST
        while time.monotonic() < until and not self.job.cancelled:
            time.sleep(AGAIN)
            if path := self.shelf.put(name, write):
                return path
        raise UserError(
            "The last file could not be written", self.folder,
            "Free some room, name an output_dir_fallback, and go on with resume.",
        )  # fmt: skip

    def keep_state(self) -> None:
        """Save the loop for a resume; where no folder takes it, the one before it stays."""
        self.state_kept = time.monotonic()
        text = identity_text(self.identity)
        kept = self.shelf.put(
            state_name(self.name), lambda path: save_loop(self.trainer.loop, path, text)
        )
        for folder in self.shelf.folders if kept else ():
            if folder != kept.parent:  # type: ignore[union-attr]
                (folder / state_name(self.name)).unlink(missing_ok=True)
