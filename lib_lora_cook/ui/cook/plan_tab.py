"""The plan in Cook: what the settings come to as they are typed, and what may be pressed for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from ...dataset.changes import plan_trash
from ...dataset.journal import apply_changes
from ...errors import UserError
from ...jobs import null_job
from .. import show, texts, work
from ..bench import Bench
from ..components import button, html, listen
from ..form import Widget, read_training
from ..runner import short_home
from ..step import Updates
from . import planning

COUNTED = (
    "image_dir", "train_batch_size", "num_repeats", "max_train_epochs", "max_train_steps",
    "gradient_accumulation_steps", "optimizer_type", "resolution", "enable_bucket",
    "min_bucket_reso", "max_bucket_reso", "bucket_reso_steps", "bucket_no_upscale",
)  # fmt: skip
"""The settings that a plan is made of."""


@dataclass(frozen=True)
class PlanTab:
    """What of the plan others listen to."""

    asked: list[Any]
    shown: list[Any]
    """The plan, the buttons that take it over and leave pictures out, and what they would do."""


@dataclass(frozen=True)
class PlanHandlers:
    """The plan's events."""

    bench: Bench
    widgets: list[Widget]

    def on_plan(self, base: str, *values: Any) -> Updates:
        """What `PlanTab.shown` shows."""
        typed = dict(zip(COUNTED, values, strict=True))
        widgets = [it for it in self.widgets if it.name in COUNTED]
        config, problems = read_training(typed, Path.cwd(), widgets)
        if problems and (typed["image_dir"] or "").strip():
            return [show.problems(problems), hide(), hide(), {}]
        rule = planning.rule_for(base or "", str(typed["optimizer_type"]))
        found = planning.planned(config, rule, self.bench.small_copies)
        told = {"numbers": list(found.numbers or ()), "names": [str(it) for it in found.leave_out]}
        return [found.html, hide(found.numbers is None), hide(not found.leave_out), told]

    def on_use(self, told: dict[str, list[str]]) -> Updates:
        """num_repeats and max_train_epochs as proposed."""
        return (told or {}).get("numbers") or [gr.update(), gr.update()]

    def on_leave_out(self, told: dict[str, list[str]]) -> str:
        """Put the smallest pictures into the trash; what keeps it from being done."""
        if self.bench.busy:
            return show.problems([f"{texts.BUSY}: {texts.BUSY_TO_DO}"])
        paths = [Path(it) for it in (told or {}).get("names", [])]
        for folder in dict.fromkeys(path.parent for path in paths):
            changes = plan_trash([it for it in paths if it.parent == folder], "just over a row")
            try:
                apply_changes(folder, changes, null_job, texts.LEFT_OUT_WHAT)
            except (UserError, OSError) as error:
                return show.problems([short_home(str(error))])
            self.bench.forget_look(folder)
        return ""

    def on_measure(self, *values: Any) -> str:
        """Try a few steps of the run; what keeps that from starting."""
        typed = dict(zip((it.name for it in self.widgets), values, strict=True))
        config, problems = read_training(typed, Path.cwd(), self.widgets)
        problems = list(dict.fromkeys([*problems, *work.training_problems(config)]))
        if problems:
            return show.problems([short_home(it) for it in problems])
        title = texts.MEASURING.format(name=config.save.output_name)
        return self.bench.start(title, work.measure_work(config, self.bench.host))


def hide(really: bool = True) -> Any:
    """A button that is not there now, or is."""
    return gr.update(visible=not really)


def build_plan(fields: dict[str, Any], base: Any, problems: Any, handlers: PlanHandlers) -> PlanTab:
    """The plan below the main settings, and who listens to whom."""
    shown = html("plan", show.note(texts.PLAN_EMPTY))
    with gr.Row(elem_classes=["lora_cook_actions"]):
        use = button(texts.USE_PLAN, "use_plan", small=True, visible=False)
        leave = button(texts.LEAVE_OUT_BUTTON, "leave_out", small=True, visible=False)
        measure = button(texts.MEASURE, "measure", small=True)
    told = gr.State({})
    asked = [base, *(fields[name] for name in COUNTED)]
    outputs = [shown, use, leave, told]
    listen(use.click, handlers.on_use, [told], [fields["num_repeats"], fields["max_train_epochs"]])
    left = listen(leave.click, handlers.on_leave_out, [told], [problems])
    listen(left.then, handlers.on_plan, asked, outputs)
    widgets = [fields[it.name] for it in handlers.widgets]
    listen(measure.click, handlers.on_measure, widgets, [problems])
    return PlanTab(asked, outputs)
