"""The page's events: values in, updates out. State lives in the runner and on the disk."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from .. import config_file
from ..config import SweepConfig, TrainingConfig
from ..errors import UserError
from ..hosts.base import Host
from ..jobs import Job
from . import charts, pictures, progress, remembered, runs, show, texts, work
from .form import Widget, read_sweep, read_training
from .runner import Outcome, Runner, Snapshot, Work, short_home
from .taste import tasting
from .taste.sheet import tray_html

KEEP: dict[str, Any] = gr.update()
"""Leaves a component as it is."""
Updates = list[Any]


@dataclass(frozen=True)
class Handlers:
    """What the page does with a host and the server's runner."""

    host: Host
    runner: Runner
    training: list[Widget]
    sweep: list[Widget]

    def on_poll(self, seen: str) -> Updates:
        """Beat, now, log, stop, start, draw, sheet, pick, pause, discard, curve, strip, tray, seen.

        Only what is not `seen` yet.
        """
        snapshot = self.runner.snapshot()
        drawing = snapshot.busy and snapshot.tray is not None
        sheet = None if drawing else self.runner.last_sheet()
        marks = [f"{snapshot.number} {snapshot.state}", str(snapshot.logged),
                 str(sheet.number if sheet else 0), f"{snapshot.number} {len(snapshot.strip)}",
                 f"{snapshot.number} {[it[-1:] for _, it in snapshot.curves]}",
                 str(snapshot.paused), tray_mark(snapshot, sheet)]  # fmt: skip
        old = [*seen.split("/"), *[""] * len(marks)]
        updates: Updates = [progress.beat(snapshot, time.time())] + [KEEP] * 12
        if snapshot.busy or marks[0] != old[0]:
            updates[1] = progress.now(snapshot)
        if marks[:2] != old[:2]:
            updates[2] = "\n".join(snapshot.log)
        if marks[0] != old[0]:
            updates[3] = gr.update(visible=snapshot.busy, interactive=snapshot.state == "running")
            updates[4] = updates[5] = gr.update(interactive=not snapshot.busy)
        if marks[2] != old[2]:
            outcome = sheet.outcome if sheet else None
            drawn = str(outcome.sheet) if outcome and outcome.sheet else None
            updates[6] = gr.update(value=drawn, visible=drawn is not None)
            updates[7] = show.note(outcome.pick if outcome else "")
        if [marks[0], marks[5]] != [old[0], old[5]]:
            label = texts.RESUME if snapshot.paused else texts.PAUSE
            updates[8] = gr.update(visible=snapshot.busy, value=label)
            updates[9] = gr.update(visible=snapshot.busy)
        if marks[4] != old[4]:
            updates[10] = charts.curves(snapshot)
        if marks[3] != old[3]:
            updates[11] = pictures.strip(snapshot.strip, pictures.small_copies(self.host))
        if marks[6] != old[6]:
            cache = pictures.small_copies(self.host)
            updates[12] = tray_html(self.runner.tray(), cache)
        return [*updates, "/".join(marks)]

    def on_pause(self, seen: str) -> Updates:
        """Ask for a wait, or to go on; what `on_poll` gives."""
        self.runner.pause(not self.runner.snapshot().paused)
        return self.on_poll(seen)

    def on_discard(self, seen: str) -> Updates:
        """Ask for a stop that leaves nothing; what `on_poll` gives."""
        self.runner.stop(discard=True)
        return self.on_poll(seen)

    def on_stop(self, seen: str) -> Updates:
        """Ask for a stop; what `on_poll` gives."""
        self.runner.stop()
        return self.on_poll(seen)

    def on_cook(self, seen: str, *values: Any) -> Updates:
        """Start a run, or tell all that is wrong with it; then what `on_poll` gives."""
        typed = dict(zip((it.name for it in self.training), values, strict=True))
        remembered.write_remembered(self.host.cache_dir, "training", typed)
        config, problems = read_training(typed, Path.cwd(), self.training)
        try:
            problems = list(dict.fromkeys([*problems, *work.training_problems(config)]))
        except ImportError as error:
            problems.append(short_home(str(error)))
        title = texts.COOKING.format(name=config.save.output_name)
        cooking = work.cook_work(config, self.host)
        told = self._start(title, lambda job: self.taste(config, cooking(job), job), problems)
        return [told, *self.on_poll(seen)]

    def taste(self, config: TrainingConfig, cooked: Outcome, job: Job) -> Outcome:
        """How a run ended, its sheet with it unless the person forbids that."""
        if not self.tastes():
            return cooked
        return tasting.taste_after(cooked, config, self._usual_sheet(), self.host, job)

    def tastes(self) -> bool:
        """Whether a sheet is drawn when a run ends; so it is until the person forbids it."""
        kept = remembered.read_remembered(self.host.cache_dir, "after")
        return bool(kept.get("sheet", True))

    def on_after(self, wanted: bool) -> None:
        """Keep whether a sheet is drawn when a run ends."""
        remembered.write_remembered(self.host.cache_dir, "after", {"sheet": wanted})

    def _usual_sheet(self) -> SweepConfig:
        """What the last sheet was drawn with, less its LoRAs and prompts."""
        kept = remembered.read_remembered(self.host.cache_dir, "sweep")
        for values in (kept, {}):
            typed = {it.name: fitting(it, values) for it in self.sweep}
            config, problems = read_sweep({**typed, "prompts": "-"}, ("-",), self.sweep)
            if not problems:
                break
        return config

    def on_taste(
        self, seen: str, key: str, names: list[str], tags: str, tagger: str, *values: Any
    ) -> Updates:
        """Draw a sheet, or tell all that is wrong with it; then what `on_poll` gives."""
        typed = dict(zip((it.name for it in self.sweep), values, strict=True))
        remembered.write_remembered(self.host.cache_dir, "sweep", {**typed, "tags": tags})
        run = self.runs().get(key) if key else next(iter(self.runs().values()), None)
        if run and not key:  # the list is not filled yet: what it would be filled with
            names = [it.name for it in runs.spread(run.loras)]
        if run and not (typed.get("prompts") or "").strip():
            typed["prompts"] = self._files(run.name, "")[1]
        loras = tuple(str(it) for it in run.loras if it.name in names) if run else ()
        config, problems = read_sweep(typed, loras, self.sweep)
        tagger = tagger if tagger in self.host.taggers() else ""
        problems += tasting.tasting_problems(tags, tagger)
        told = show.problems(problems)
        if run and not problems:
            try:
                trained = config_file.read_run(run.file)
            except UserError as error:
                return [show.problems([short_home(str(error))]), *self.on_poll(seen)]
            wish = tasting.Tasting(
                run.file.stem, config, trained.model,
                tasting.sheet_folder(self.host, run.file.stem), tags, tagger, trained.subsets,
            )  # fmt: skip
            title = texts.TASTING.format(name=run.name)
            told = self._start(title, tasting.taste_work(wish, self.host), [])
        return [told, *self.on_poll(seen)]

    def _start(self, title: str, job: Work, problems: list[str]) -> str:
        if not problems:
            try:
                self.runner.start(title, job)
            except UserError as error:
                problems = [str(error)]
        return show.problems(problems)

    def runs(self) -> dict[str, runs.Run]:
        """The runs that are known, by name."""
        return runs.known_runs(self.host.lora_dir, self.host.cache_dir)

    def on_runs(self, prompts: str) -> Updates:
        """The run, its files, the prompts and a sentence, after a look at the folder."""
        found = self.runs()
        first = next(iter(found), None)
        note = "" if found else show.note(texts.NO_RUNS)
        return [gr.update(choices=list(found), value=first), *self._files(first, prompts), note]

    def on_run(self, key: str, prompts: str) -> Updates:
        """The files of the chosen run, and the prompts if there were none."""
        return self._files(key, prompts)

    def _files(self, key: str | None, prompts: str) -> Updates:
        run = self.runs().get(key or "")
        if run is None:
            return [gr.update(choices=[], value=[]), KEEP]
        names = [path.name for path in run.loras]
        files = gr.update(choices=names, value=[path.name for path in runs.spread(run.loras)])
        if (prompts or "").strip():
            return [files, KEEP]
        try:
            return [files, tasting.trigger_of(config_file.read_run(run.file))]
        except UserError:
            return [files, KEEP]

    def on_prompts(self, key: str) -> Any:
        """Prompts that test the chosen run, made from its captions."""
        run = self.runs().get(key or "")
        try:
            return (
                "\n".join(tasting.proposed_prompts(config_file.read_run(run.file))) if run else KEEP
            )
        except UserError:
            return KEEP

    def on_tags(self, tags: str) -> Any:
        """The tags to look for, where none are given: those that were pruned into the trigger."""
        told = remembered.read_remembered(self.host.cache_dir, "sweep").get("tags", "")
        return KEEP if (tags or "").strip() else told

    def on_load(self) -> Updates:
        """What was last typed into every widget of both forms, the tags, the tick for a sheet."""
        read = partial(remembered.read_remembered, self.host.cache_dir)
        training, sweep = read("training"), read("sweep")
        forms = [(self.training, training), (self.sweep, sweep)]
        shown = [fitting(it, values) for widgets, values in forms for it in widgets]
        folder = [it.name for it in self.training].index("image_dir")
        shown[folder] = shown[folder] or read("page").get("dataset") or self.training[folder].value
        return [*shown, sweep.get("tags", ""), self.tastes()]


def tray_mark(snapshot: Snapshot, sheet: Snapshot | None) -> str:
    """What differs as soon as the sheet that is shown does."""
    shown = snapshot if snapshot.tray else sheet
    if shown is None or shown.tray is None:
        return ""
    return f"{shown.number} {len(shown.tray.tiles)} {shown.tray.picked}"


def fitting(widget: Widget, values: Mapping[str, str | bool]) -> Any:
    """The remembered value of a widget, or the one it shows at first where it does not fit."""
    value = values.get(widget.name, widget.value)
    if isinstance(value, bool) != (widget.kind == "tick"):
        return widget.value
    return widget.value if widget.choices and value not in widget.choices else value
