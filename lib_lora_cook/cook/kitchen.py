"""A run at work: its files, its state, its watcher."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import UserError
from ..hosts.base import Host
from ..jobs import Cancelled
from ..training.train import EpochEnd, Event, Step, Trainer, train
from .cards import card_of, trial_of
from .critic import Critic, Scored
from .files import lora_name, step_name
from .larder import Larder
from .samples import Easel, Sampled
from .watchdog import Watchdog

Told = Event | Sampled | Scored
Watcher = Callable[[Told], None]
REST = 0.05
"""Seconds between two looks whether a pause is over."""


@dataclass
class Cooked:
    """What a run made."""

    loras: list[Path] = field(default_factory=list)
    steps: int = 0
    seconds: float = 0.0
    stopped: str | None = None
    """Why the run was stopped before its last step, or None."""
    settled: str | None = None
    """Why it ended early as its settings ask for, or None."""


@dataclass
class Kitchen:
    """One run at work: writes its files, keeps its state, tells its watcher and its ledger."""

    larder: Larder
    host: Host
    watch: Watcher

    def __post_init__(self) -> None:
        self.trainer, self.job = self.larder.trainer, self.larder.job
        self.save = self.larder.config.save
        self.watchdog = Watchdog(self.trainer.model.device.type)
        self.easel = Easel(
            self.trainer, self.host, self.larder.shelf, self.save.output_name, self.job.log
        )
        self.critic = Critic(self.trainer, self.host, self.job, self.larder.pictures)
        self.settled = ""

    def run(self) -> Cooked:
        """Take the events of the loop as they come."""
        cooked = Cooked(steps=self.trainer.loop.step)
        self.critic.prepare(self.larder.ledger.scores())
        try:
            if cooked.steps == 0:
                self.draw(0, None)
            began = time.monotonic()
            for event in train(self.trainer):
                if isinstance(event, Step):
                    self.end_step(event, time.monotonic() - began)
                else:
                    self.end_epoch(event)
                self.tell(event)
                self.taste(event.step, event.epoch if isinstance(event, EpochEnd) else None)
                cooked.steps = self.trainer.loop.step
                if not owes_an_end(self.trainer):
                    self.rest()
                    self.stock_up()
                began = time.monotonic()
        except Cancelled:
            cooked.settled = None if self.is_stopped() else self.settled or None
            cooked.stopped = None if cooked.settled else "cancelled"
            self.stop()
        except KeyboardInterrupt:  # Somewhere inside a step: such a state would be half a step.
            cooked.stopped = "cancelled"
        except UserError:  # Between two steps: what was reached is kept, unless it is broken too.
            with suppress(UserError):
                self.larder.keep_state()
            raise
        cooked.loras = [it.path for it in self.larder.files]
        return cooked

    def draw(self, step: int, epoch: int | None) -> None:
        """The sample pictures that are due."""
        if self.easel.is_due(step, epoch):
            self.tell(self.easel.draw(step, epoch))

    def taste(self, step: int, epoch: int | None) -> None:
        """The sample pictures and the scores that are due."""
        self.draw(step, epoch)
        if epoch is not None and self.critic.is_due(epoch):
            if scored := self.critic.score(step, epoch):
                self.tell(scored)
            self.settled = self.critic.settled

    def tell(self, event: Told) -> None:
        """Write an event down, and pass it on."""
        self.larder.ledger.note(event)
        self.watch(event)

    def rest(self) -> None:
        """Raise Cancelled if a stop was asked for, by the scores even; wait out a pause."""
        if self.job.paused:
            self.larder.keep_state()
        if self.settled:
            self.job.log(f"the run ends here: {self.settled}")
        stopped = bool(self.settled) or self.is_stopped()
        while self.job.paused and not stopped:
            time.sleep(REST)
            stopped = self.is_stopped()
        if self.trainer.crew.any(stopped):
            raise Cancelled

    def stock_up(self) -> None:
        """Encode what the first step did not need, so that what is wrong there is told early."""
        if self.trainer.loop.step < self.trainer.total_steps:
            self.trainer.batches.latents.fill(self.rest)

    def is_stopped(self) -> bool:
        """Whether the person or the WebUI has asked for a stop."""
        return self.host.interrupted() or self.job.cancelled

    def stop(self) -> None:
        """Leave with what was reached, or with nothing where that was asked for."""
        loop = self.trainer.loop
        if self.job.discarding:
            self.larder.discard()
        else:
            if loop.step > self.larder.saved_at:
                self.serve(step_name(self.save.output_name, loop.step), loop.epoch, loop.step)
            self.larder.keep_state()
        self.host.refresh_loras()

    def end_step(self, step: Step, seconds: float) -> None:
        """Tell how far the run is; write the files that are due at a step."""
        if bark := self.watchdog.look(seconds):
            self.job.log(bark)
        text = f"epoch {step.epoch}/{self.trainer.epochs} loss {step.loss:.3f}"
        self.job.report(step.step, self.trainer.total_steps, text)
        last = step.step >= self.trainer.total_steps  # whose file is the plain one
        if _due(self.save.save_every_n_steps, step.step) and not last:
            name = step_name(self.save.output_name, step.step)
            self.serve(name, step.epoch, step.step)
            self.larder.keep_state()
        elif _due(self.save.save_state_every_n_steps, step.step) or self.minutes_are_over():
            self.larder.keep_state()

    def minutes_are_over(self) -> bool:
        """Whether save_state_every_n_minutes have passed since a state was kept."""
        minutes = self.save.save_state_every_n_minutes
        return bool(minutes) and time.monotonic() - self.larder.state_kept >= 60 * minutes

    def end_epoch(self, end: EpochEnd) -> None:
        """Write the epoch's file and the state behind it."""
        last = end.step >= self.trainer.total_steps
        if last or _due(self.larder.every, end.epoch):
            name = lora_name(self.save.output_name, end.epoch, last=last)
            self.serve(name, end.epoch, end.step, last=last)
        self.larder.keep_state()

    def serve(self, name: str, epoch: int, step: int, *, last: bool = False) -> None:
        """Write a file and give it to the host; one that the host does not take does not count."""
        larder = self.larder
        path = larder.write_lora(name, epoch, step, last=last)
        if path is None:
            return
        card = card_of(larder, epoch, step)
        refusal = self.host.accept_lora(path, card, trial_of(larder.config, card.activation_text))
        if refusal:
            self.job.log(f"{path.name}: {refusal}")
            larder.files = [it for it in larder.files if it.path != path]


def follow(trainer: Trainer, stopped: Callable[[], bool]) -> Cooked:
    """A run as one of its other processes sees it: a share of every step, and no file."""
    cooked = Cooked(steps=trainer.loop.step)
    for _ in train(trainer):
        cooked.steps = trainer.loop.step
        if not owes_an_end(trainer) and trainer.crew.any(stopped()):
            cooked.stopped = "cancelled"
            break
    return cooked


def owes_an_end(trainer: Trainer) -> bool:
    """Whether an epoch's last step is done and its end not told: a stop waits for its file."""
    loop = trainer.loop
    over = loop.batch >= trainer.batches.per_epoch or loop.step >= trainer.total_steps
    return over and loop.ended < loop.step


def _due(every: int | None, number: int) -> bool:
    """Whether the turn comes at a number, counted from 1; never without an `every`."""
    return bool(every) and number % every == 0  # type: ignore[operator]
