"""How a piece of work is going -> the page's HTML."""

from __future__ import annotations

from ..jobs import clock
from . import texts
from .runner import Snapshot
from .show import plain


def beat(snapshot: Snapshot, moment: float) -> str:
    """What tells the page's script that the server answers, and whether to ask again soon."""
    mark = f"{snapshot.number} {snapshot.state}"
    return f'<i data-beat="{moment:.3f}" data-busy="{int(snapshot.busy)}" data-mark="{mark}"></i>'


def now(snapshot: Snapshot) -> str:
    """What is going on: headline, bar, figures, and the mistake that ended it."""
    state = texts.STATES[snapshot.state]
    if snapshot.paused and snapshot.state == "running":
        state = texts.PAUSED
    headline = state.format(title=snapshot.title)
    parts = [f'<div class="lora_cook_now lora_cook_{snapshot.state}">']
    parts.append(f'<strong role="status">{plain(headline)}</strong>')
    if snapshot.busy:
        parts.append(bar(snapshot))
    if facts := figures(snapshot):
        parts.append(f'<p class="lora_cook_facts">{plain(facts)}</p>')
    if snapshot.error:
        parts.append(f'<p class="lora_cook_mistake" role="alert">{plain(snapshot.error)}</p>')
    if snapshot.details:
        details = f"<summary>{plain(texts.DETAILS)}</summary><pre>{plain(snapshot.details)}</pre>"
        parts.append(f"<details>{details}</details>")
    return "".join([*parts, "</div>"])


def bar(snapshot: Snapshot) -> str:
    """A progress bar that a screen reader can read; without a total it only moves."""
    label = f'role="progressbar" aria-label="{plain(texts.PROGRESS_LABEL)}"'
    if snapshot.total <= 0:
        return f'<div class="lora_cook_bar lora_cook_unknown" {label}><div></div></div>'
    percent = min(100.0, 100 * snapshot.done / snapshot.total)
    label += f' aria-valuemin="0" aria-valuemax="100" aria-valuenow="{percent:.0f}"'
    return f'<div class="lora_cook_bar" {label}><div style="width: {percent:.1f}%"></div></div>'


def figures(snapshot: Snapshot) -> str:
    """Stage, text, units, speed and time left, in one line."""
    if snapshot.state == "idle":
        return ""
    if not snapshot.busy:
        told = [snapshot.outcome.text] if snapshot.outcome else []
        return " · ".join([*told, texts.TIME_TAKEN.format(clock=clock(snapshot.seconds))])
    parts = [snapshot.stage, snapshot.text]
    if snapshot.total > 0:
        parts.append(f"{snapshot.done}/{snapshot.total}")
    if snapshot.rate >= 1:
        parts.append(texts.PACE.format(rate=snapshot.rate))
    elif snapshot.rate > 0:
        parts.append(texts.EACH.format(seconds=1 / snapshot.rate))
    if snapshot.seconds_left is not None:
        parts.append(texts.TIME_LEFT.format(clock=clock(snapshot.seconds_left)))
    return " · ".join(part for part in parts if part)
