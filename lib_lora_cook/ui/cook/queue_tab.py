"""The queue in Cook: runs that wait their turn, in any order, kept over a restart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from ...config import TrainingConfig
from ...config_file import read_run, run_text
from ...errors import UserError
from ...hosts.base import default_home
from ...jobs import Job
from ...runs import queue
from .. import show, texts, work
from ..bench import Bench
from ..components import button, choice, fold, html, listen
from ..form import Widget, read_training
from ..runner import Outcome, Work, short_home
from ..step import Updates

Taste = Callable[[TrainingConfig, Outcome, Job], Outcome]
"""What follows a run: its sheet."""


@dataclass(frozen=True)
class QueueHandlers:
    """The queue's events."""

    bench: Bench
    widgets: list[Widget]
    taste: Taste

    def shown(self, chosen: str = "") -> Updates:
        """What waits, and the choice of one of them."""
        try:
            entries = queue.read_queue(queue_file())
        except UserError as error:
            return [show.problems([short_home(str(error))]), gr.update()]
        names = [label(it) for it in entries]
        number = number_of(chosen)
        value = next((it for it in names if number_of(it) == number), names[0] if names else None)
        return [listed(entries), gr.update(choices=names, value=value)]

    def on_add(self, *values: Any) -> Updates:
        """The run at the end of the queue: problems, then what `shown` gives."""
        typed = dict(zip((it.name for it in self.widgets), values, strict=True))
        config, problems = read_training(typed, Path.cwd(), self.widgets)
        problems = list(dict.fromkeys([*problems, *work.training_problems(config)]))
        try:
            if not problems:
                folder = default_home() / "runs"
                folder.mkdir(parents=True, exist_ok=True)
                entries = queue.read_queue(queue_file())
                number = max((it.id for it in entries), default=0) + 1
                file = folder / f"{config.save.output_name}-{number}.toml"
                file.write_text(run_text(config), encoding="utf-8")
                queue.write_queue(queue_file(), queue.add(entries, file))
        except (UserError, OSError) as error:
            problems = [str(error)]
        return [show.problems([short_home(it) for it in problems]), *self.shown()]

    def on_earlier(self, chosen: str) -> Updates:
        """The chosen run one place towards the front: problems, then what `shown` gives."""
        return self._changed(chosen, -1)

    def on_later(self, chosen: str) -> Updates:
        """The chosen run one place towards the end: problems, then what `shown` gives."""
        return self._changed(chosen, 1)

    def on_remove(self, chosen: str) -> Updates:
        """The queue without the chosen run: problems, then what `shown` gives."""
        return self._changed(chosen, 0)

    def _changed(self, chosen: str, step: int) -> Updates:
        number = number_of(chosen)
        try:
            entries = queue.read_queue(queue_file())
            if step == 0:
                entries = queue.remove(entries, number)
            else:
                at = entries.index(queue.place_of(entries, number)) + 1
                entries = queue.move(entries, number, at + step)
            queue.write_queue(queue_file(), entries)
        except (UserError, OSError) as error:
            return [show.problems([short_home(str(error))]), *self.shown(chosen)]
        return ["", *self.shown(chosen)]

    def on_start(self) -> str:
        """Cook what waits; what keeps it from starting."""
        return self.bench.start(texts.QUEUE_TITLE, queue_work(self.bench, self.taste))


def queue_file() -> Path:
    """The queue of this person."""
    return default_home() / "queue.json"


def label(entry: queue.Entry) -> str:
    """A run in the queue as the choice names it."""
    return f"{entry.id}: {Path(entry.run).stem}"


def number_of(chosen: str) -> int:
    """The number of a run as the choice names it; 0 where it is none."""
    number = (chosen or "").partition(":")[0]
    return int(number) if number.isdigit() else 0


def listed(entries: list[queue.Entry]) -> str:
    """The queue as HTML."""
    rows = [
        [str(it.id), Path(it.run).stem, texts.QUEUE_STATES.get(it.state, it.state),
         short_home(it.why)]
        for it in entries
    ]  # fmt: skip
    return show.table(texts.QUEUE_HEADS, rows) if rows else show.note(texts.QUEUE_EMPTY)


def queue_work(bench: Bench, taste: Taste) -> Work:
    """Every run that waits, one after another, each with its sheet."""

    def start(job: Job) -> Outcome:
        def cook(run: Path) -> str:
            job.log(texts.COOKING.format(name=run.stem))
            config = read_run(run)
            outcome = work.cook_work(config, bench.host)(job)
            job.log(taste(config, outcome, job).text)
            return texts.STOPPED if outcome.stopped else ""

        entries = queue.cook_queue(queue_file(), cook)
        done = sum(it.state == queue.DONE for it in entries)
        return Outcome(texts.QUEUE_DONE.format(done=done, count=len(entries)))

    return start


def build_queue(fields: dict[str, Any], problems: Any, handlers: QueueHandlers) -> list[Any]:
    """The fold; [the list, the choice of one], to be shown again once a run has ended."""
    with fold(texts.QUEUE_FOLD, "queue"):
        with gr.Row(elem_classes=["lora_cook_actions"]):
            add = button(texts.QUEUE_ADD, "queue_add", small=True)
            start = button(texts.QUEUE_START, "queue_start", small=True)
        waiting = html("queue_list", show.note(texts.QUEUE_EMPTY))
        with gr.Row(elem_classes=["lora_cook_actions"]):
            chosen = choice("queue_run", texts.QUEUE_RUN, texts.QUEUE_RUN_HELP, [])
            moves = [
                button(texts.EARLIER, "queue_earlier", small=True),
                button(texts.LATER, "queue_later", small=True),
                button(texts.REMOVE, "queue_remove", small=True),
            ]
    shown = [waiting, chosen]
    listen(add.click, handlers.on_add, [fields[it.name] for it in handlers.widgets],
           [problems, *shown])  # fmt: skip
    for move, handler in zip(
        moves, (handlers.on_earlier, handlers.on_later, handlers.on_remove), strict=True
    ):
        listen(move.click, handler, [chosen], [problems, *shown])
    listen(start.click, handlers.on_start, [], [problems])
    return shown
