"""The folds of Cook round a run's settings: a recipe, another trainer's file, the queue."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from ..config_file import read_run, run_text
from ..errors import UserError
from ..hosts.base import default_home
from ..jobs import Job
from ..runs import queue
from . import choosing, show, texts, work
from .bench import Bench
from .components import button, choice, fold, html, line, listen
from .form import Widget, read_training
from .gather_tab import Updates
from .runner import Outcome, Work, short_home

KEEP: dict[str, Any] = gr.update()


@dataclass(frozen=True)
class RecipeHandlers:
    """The folds' events."""

    bench: Bench
    widgets: list[Widget]

    def parts(self) -> list[str]:
        """The recipe that was chosen last."""
        told = self.bench.recall("recipe")
        first = {"kind": "character", "base": texts.AS_OPENED, "network": "lora",
                 "optimizer": "adamw8bit"}  # fmt: skip
        known = {part: str(told.get(part, first[part])) for part in choosing.PARTS}
        return [
            known[it] if known[it] in choosing.choices_of(it) else first[it]
            for it in choosing.PARTS
        ]

    def basis(self) -> str:
        """What the settings are held against."""
        return choosing.basis(choosing.proposed(self.widgets, self.parts()))

    def on_recipe(self, *parts: str) -> Updates:
        """The basis, the reasons, then every setting by the recipe."""
        try:
            values = choosing.proposed(self.widgets, parts)
            why = choosing.reasons(parts)
        except UserError as error:
            return [KEEP, show.problems([str(error)]), *[KEEP] * len(self.widgets)]
        self.bench.remember("recipe", dict(zip(choosing.PARTS, parts, strict=True)))
        rows = [[name, str(values.get(name, "")), text] for name, text in why.items()]
        told = show.table(texts.WHY_HEADS, rows) if rows else ""
        return [choosing.basis(values), told, *self.filled(values)]

    def on_import(self, path: str) -> Updates:
        """A sentence, then every setting that the file names."""
        try:
            values, problems = choosing.imported(Path((path or "").strip()).expanduser())
        except (UserError, OSError) as error:
            return [show.problems([short_home(str(error))]), *[KEEP] * len(self.widgets)]
        told = show.note(texts.IMPORTED) + show.problems([short_home(it) for it in problems])
        return [told, *self.filled({it: value for it, value in values.items() if value != ""})]

    def filled(self, values: dict[str, str | bool]) -> Updates:
        """The widgets with these values; the others as they are."""
        return [values.get(it.name, KEEP) for it in self.widgets]

    def on_queue(self) -> str:
        """What waits."""
        return listed(queue_file())

    def on_add(self, *values: Any) -> Updates:
        """The run at the end of the queue: problems, the queue."""
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
            problems = [short_home(str(error))]
        return [show.problems(problems), self.on_queue()]

    def on_start(self) -> str:
        """Cook what waits; what keeps it from starting."""
        return self.bench.start(texts.QUEUE_TITLE, queue_work(self.bench))


def queue_file() -> Path:
    """The queue of this person."""
    return default_home() / "queue.json"


def listed(file: Path) -> str:
    """The queue as HTML."""
    try:
        entries = queue.read_queue(file)
    except UserError as error:
        return show.problems([short_home(str(error))])
    rows = [[str(it.id), Path(it.run).stem, it.state, it.why] for it in entries]
    return show.table(texts.QUEUE_HEADS, rows) if rows else show.note(texts.QUEUE_EMPTY)


def queue_work(bench: Bench) -> Work:
    """Every run that waits, one after another."""

    def start(job: Job) -> Outcome:
        def cook(run: Path) -> str:
            job.log(texts.COOKING.format(name=run.stem))
            outcome = work.cook_work(read_run(run), bench.host)(job)
            return texts.STOPPED if outcome.stopped else ""

        entries = queue.cook_queue(queue_file(), cook)
        done = sum(it.state == queue.DONE for it in entries)
        return Outcome(texts.QUEUE_DONE.format(done=done, count=len(entries)))

    return start


def build_recipe(handlers: RecipeHandlers) -> list[Any]:
    """The choice of a recipe; [the four choices, the button, the basis, the reasons]."""
    with gr.Column(elem_classes=["lora_cook_group"]):
        shown = [
            choice(f"recipe_{part}", texts.PARTS[part], texts.PART_HELP[part],
                   choosing.choices_of(part), value)
            for part, value in zip(choosing.PARTS, handlers.parts(), strict=True)
        ]  # fmt: skip
    with gr.Row(elem_classes=["lora_cook_actions"]):
        back = button(texts.PUT_ALL_BACK, "put_back", small=True)
    basis = gr.HTML(handlers.basis(), elem_id="lora_cook_basis", elem_classes=["lora_cook_hidden"])
    return [*shown, back, basis]


def build_folds(
    fields: dict[str, Any], recipe: list[Any], problems: Any, handlers: RecipeHandlers
) -> None:
    """The folds below the settings, and who listens to whom."""
    *parts, back, basis = recipe
    with fold(texts.WHY_FOLD, "why"):
        why = html("why_list")
    with fold(texts.IMPORT_FOLD, "import"):
        path = line("import_path", texts.IMPORT_PATH, texts.IMPORT_PATH_HELP)
        read = button(texts.IMPORT, "import_run", small=True)
        told = html("import_told")
    with fold(texts.QUEUE_FOLD, "queue"):
        with gr.Row(elem_classes=["lora_cook_actions"]):
            add = button(texts.QUEUE_ADD, "queue_add", small=True)
            start = button(texts.QUEUE_START, "queue_start", small=True)
        waiting = html("queue_list", handlers.on_queue())
    widgets = [fields[it.name] for it in handlers.widgets]
    for event in [*(it.input if hasattr(it, "input") else it.change for it in parts), back.click]:
        listen(event, handlers.on_recipe, parts, [basis, why, *widgets])
    listen(read.click, handlers.on_import, [path], [told, *widgets])
    listen(add.click, handlers.on_add, widgets, [problems, waiting])
    listen(start.click, handlers.on_start, [], [problems])
