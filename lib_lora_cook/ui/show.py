"""Values -> the page's own pieces of HTML. Every text is escaped here, and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from . import texts


def plain(text: object) -> str:
    """Text that no page takes for markup, nor a template of the page's for its own."""
    return escape(str(text)).replace("{", "&#123;").replace("}", "&#125;").replace("$", "&#36;")


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
    body = "".join(f"<tr>{_cells(heads, row)}</tr>" for row in rows)
    return (
        '<div class="lora_cook_scroll" tabindex="0" role="region" '
        f'aria-label="{plain(" · ".join(filter(None, heads)))}"><table class="lora_cook_table">'
        f"<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cells(heads: Sequence[str], row: Sequence[object]) -> str:
    """A row's cells, each with its head for where there is no room for columns."""
    named = list(zip(heads, row, strict=True))
    rest = (f'<td data-head="{plain(head)}">{plain(cell)}</td>' for head, cell in named[1:])
    return f"<td>{plain(row[0])}</td>{''.join(rest)}"
