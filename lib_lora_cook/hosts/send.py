"""A button below the WebUI's own pictures, by which one of them comes into a dataset."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from modules import infotext_utils

from ..errors import UserError

TABS = ("txt2img", "img2img")
LABEL = "Send to dataset"
TIP = "The prompt becomes the caption. Only your best: look at hands, eyes and edges."
PARTS = {
    "{tab}_gallery": "gallery", "{tab}_send_to_extras": "neighbour", "html_log_{tab}": "told",
    "generation_info_{tab}": "info",
}  # fmt: skip
"""The WebUI's ids of what lies round its pictures, in the order in which it makes them."""
SCRIPT = "(info, pictures, told) => [info, pictures, selected_gallery_index()]"
"""The WebUI's own function tells which picture is looked at, -1 for none."""


@dataclass(frozen=True)
class Panel:
    """A tab's pictures: what is pressed, what the handler is given, where its answer goes."""

    button: Any
    inputs: list[Any]
    told: Any
    script: str = SCRIPT


def add_buttons(connect: Callable[[Panel], None]) -> Callable[..., None]:
    """What the WebUI is to call for each component that it makes; a tab without one goes on."""
    wanted = {place.format(tab=tab): (tab, name) for place, name in PARTS.items() for tab in TABS}
    made: dict[str, dict[str, Any]] = {tab: {} for tab in TABS}

    def on_component(component: Any, **given: Any) -> None:
        tab, name = wanted.get(str(given.get("elem_id")), ("", ""))
        if not tab:
            return
        parts = made[tab]
        parts[name] = component
        if name == "neighbour":  # the row is open now: our button stands beside it, of its kind
            parts["button"] = type(component)(LABEL, elem_id=f"lora_cook_send_{tab}", tooltip=TIP)
        if name == "info" and {"gallery", "button", "told"} <= set(parts):
            inputs = [parts["info"], parts["gallery"], parts["told"]]
            connect(Panel(parts["button"], inputs, parts["told"]))

    return on_component


def looked_at(info: str, pictures: Sequence[Any] | None, index: int) -> tuple[Any, str]:
    """(the picture that is looked at, how it was drawn); UserError where there is none, or a grid.

    info: the WebUI's JSON about all pictures of the last generation.
    """
    try:
        facts = json.loads(info or "{}")
    except ValueError:
        facts = {}
    texts, first = facts.get("infotexts") or [], int(facts.get("index_of_first_image") or 0)
    shown = list(pictures or [])
    if index < 0 and len(shown) == first + 1:
        index = first
    if not 0 <= index < len(shown):
        raise UserError("No picture is chosen", "", "Draw one, and click it if there are several.")
    if index < first:
        raise UserError("This is the grid of all pictures", "", "Choose one of them.")
    drawn = texts[index] if index < len(texts) else ""
    return infotext_utils.image_from_url_text(shown[index]), drawn
