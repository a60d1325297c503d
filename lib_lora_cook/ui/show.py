"""Values -> the page's own pieces of HTML. Every text is escaped here, and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from ..jobs import clock
from . import texts
from .runner import Snapshot


def plain(text: object) -> str:
    """Text that no page takes for markup, nor a template of the page's for its own."""
    return escape(str(text)).replace("{", "&#123;").replace("}", "&#125;").replace("$", "&#36;")


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


def problems(found: Sequence[str]) -> str:
    """All that keeps a piece of work from starting, at once."""
    if not found:
        return ""
    items = "".join(f"<li>{plain(problem)}</li>" for problem in found)
    head = f"<strong>{plain(texts.PROBLEMS)}</strong>"
    return f'<div class="lora_cook_mistake" role="alert">{head}<ul>{items}</ul></div>'


def problem(text: str) -> str:
    """One mistake, where nothing was to start."""
    return f'<p class="lora_cook_mistake" role="alert">{plain(text)}</p>'


def note(text: str) -> str:
    """One quiet sentence; nothing for none."""
    return f'<p class="lora_cook_note">{plain(text)}</p>' if text else ""


def lead(text: str) -> str:
    """What a step is for, in a sentence or two."""
    return f'<p class="lora_cook_lead">{plain(text)}</p>'


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Rows of texts under their heads."""
    top = "".join(f'<th scope="col">{plain(it)}</th>' for it in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{plain(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return (
        '<div class="lora_cook_scroll" tabindex="0"><table class="lora_cook_table">'
        f"<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
    )
