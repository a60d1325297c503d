"""What every step of the page begins with: its sentence, what was found, the proposed button."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from . import show, texts
from .components import button, html

Updates = list[Any]


@dataclass(frozen=True)
class StepTab:
    """What of a step others listen to."""

    found: Any
    propose: Any
    problems: Any


def build_head(step: str, help_text: str) -> StepTab:
    """What every step of the dataset begins with: what was found, one proposed button."""
    gr.HTML(show.lead(help_text))
    found = html(f"{step}_found")
    with gr.Row(elem_classes=["lora_cook_actions"]):
        propose = button(texts.NOTHING_TO_DO, f"{step}_propose", primary=True)
    return StepTab(found, propose, html(f"{step}_problems"))


def button_of(label: str, *, busy: bool = False) -> Any:
    """The proposed button's next label; none without one, and none to press while work goes on."""
    return gr.update(value=label or texts.NOTHING_TO_DO, visible=bool(label), interactive=not busy)
