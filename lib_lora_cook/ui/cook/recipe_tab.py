"""What fills a run's settings in: a recipe, or another trainer's file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from ...errors import UserError
from .. import choosing, show, texts
from ..bench import Bench
from ..components import button, choice, fold, hidden, html, line, listen, send
from ..form import Widget
from ..runner import short_home
from ..said import read_said
from ..step import Updates

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
                 "optimizer": "adamw8bit", "card": texts.ANY_CARD}  # fmt: skip
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

    def on_put_back(self, text: str, *parts: str) -> Updates:
        """One setting as the recipe has it, the others as they are."""
        name = read_said(text).text("name")
        try:
            values = choosing.proposed(self.widgets, parts)
        except UserError:
            values = {}
        return self.filled({it: value for it, value in values.items() if it == name})

    def on_remember(self, *values: Any) -> None:
        """Keep what is typed, so that a restart finds it."""
        typed = dict(zip((it.name for it in self.widgets), values, strict=True))
        self.bench.remember("training", typed)

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
    basis = gr.HTML("", elem_id="lora_cook_basis", elem_classes=["lora_cook_hidden"])
    return [*shown, back, basis]


def build_folds(fields: dict[str, Any], recipe: list[Any], handlers: RecipeHandlers) -> Any:
    """The folds below the settings, and who listens to whom; what is pressed as settings change."""
    *parts, back, basis = recipe
    with fold(texts.WHY_FOLD, "why"):
        why = html("why_list")
    with fold(texts.IMPORT_FOLD, "import"):
        path = line("import_path", texts.IMPORT_PATH, texts.IMPORT_PATH_HELP)
        read = button(texts.IMPORT, "import_run", small=True)
        told = html("import_told")
    widgets = [fields[it.name] for it in handlers.widgets]
    for event in [*(it.input if hasattr(it, "input") else it.change for it in parts), back.click]:
        listen(event, handlers.on_recipe, parts, [basis, why, *widgets])
    listen(read.click, handlers.on_import, [path], [told, *widgets])
    send(hidden("one_act"), handlers.on_put_back, "one", parts, widgets)
    keep = hidden("remember")
    listen(keep.click, handlers.on_remember, widgets, [])
    return keep
