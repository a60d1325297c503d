"""Runs that are kept: two side by side, or one again with something changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from ...config_file import read_run
from ...errors import UserError
from ...runs.compare import differences
from .. import runs, show, texts
from ..bench import Bench
from ..components import button, choice, fold, html, listen
from ..form import Widget, shown, values_of
from ..runner import short_home
from ..step import Updates
from ..subsets import differing

KEEP: dict[str, Any] = gr.update()


@dataclass(frozen=True)
class KeptHandlers:
    """The fold's events."""

    bench: Bench
    widgets: list[Widget]

    def runs(self) -> dict[str, runs.Run]:
        """By name, newest first."""
        return runs.known_runs(self.bench.host.lora_dir, self.bench.host.cache_dir)

    def on_look(self, one: str, other: str) -> Updates:
        """Both choices, after a look at the folder."""
        names = list(self.runs())
        first = one if one in names else next(iter(names), None)
        second = other if other in names else next((it for it in names if it != first), None)
        return [gr.update(choices=names, value=first), gr.update(choices=names, value=second)]

    def on_compare(self, one: str, other: str) -> str:
        """Every setting that the two do not share."""
        found = self.runs()
        try:
            pair = [read_run(found[it].file) for it in (one, other) if it in found]
        except UserError as error:
            return show.problems([short_home(str(error))])
        if len(pair) < 2:
            return show.note(texts.TWO_RUNS)
        rows = [(name, shown(mine), shown(theirs)) for name, mine, theirs in differences(*pair)]
        if not rows:
            return show.note(texts.SAME_RUNS)
        return show.table(("", one, other), rows)

    def on_again(self, one: str) -> Updates:
        """A sentence, then every setting as that run had it."""
        run = self.runs().get(one or "")
        if run is None:
            return [show.note(texts.NO_RUNS), *[KEEP] * len(self.widgets)]
        try:
            config = read_run(run.file)
        except UserError as error:
            return [show.problems([short_home(str(error))]), *[KEEP] * len(self.widgets)]
        values = values_of(config)
        told = show.note(texts.RUN_AGAIN_TOLD.format(name=one))
        told += "".join(map(show.note, differing(config.subsets)))
        return [told, *(values.get(it.name, KEEP) for it in self.widgets)]


def build_kept(fields: dict[str, Any], handlers: KeptHandlers) -> list[Any]:
    """The fold below the queue; the two choices, to be filled in once a run has ended."""
    with fold(texts.KEPT_FOLD, "kept"):
        with gr.Row(elem_classes=["lora_cook_actions"]):
            one = choice("kept_one", texts.KEPT_ONE, texts.KEPT_ONE_HELP, [])
            other = choice("kept_other", texts.KEPT_OTHER, texts.KEPT_OTHER_HELP, [])
        with gr.Row(elem_classes=["lora_cook_actions"]):
            look = button(texts.LOOK_AGAIN, "kept_look", small=True)
            compare = button(texts.COMPARE, "kept_compare", small=True)
            again = button(texts.RUN_AGAIN, "kept_again", small=True)
        told = html("kept_told")
    listen(look.click, handlers.on_look, [one, other], [one, other])
    listen(compare.click, handlers.on_compare, [one, other], [told])
    widgets = [fields[it.name] for it in handlers.widgets]
    listen(again.click, handlers.on_again, [one], [told, *widgets])
    return [one, other]
