"""The few differences between the gradio generations, felt out rather than read off a version."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from . import texts
from .form import Widget


def make(kind: Callable[..., Any], **wishes: Any) -> Any:
    """A component with those of the wishes that this gradio knows."""
    return kind(**_known(kind, wishes))


def listen(event: Any, function: Any, inputs: Sequence[Any], outputs: Sequence[Any]) -> Any:
    """An event outside the queue, with no veil over its outputs and no public name."""
    private = _known(event, {"api_visibility": "private"}) or {"api_name": False}
    return event(
        fn=function, inputs=list(inputs), outputs=list(outputs), queue=False,
        show_progress="hidden", **private,
    )  # fmt: skip


def send(
    button: Any, function: Any, name: str, inputs: Sequence[Any], outputs: Sequence[Any]
) -> Any:
    """A press that gives a function what the page's script has laid out under a name, then inputs.

    The button stands in for an input of its own, since what it holds is never read.
    """
    others = "".join(f", it{number}" for number in range(len(inputs)))
    script = f"(_{others}) => [window.loraCookSaid.{name}{others}]"
    return ask_with(button.click, function, script, [button, *inputs], outputs)


def ask_with(
    event: Any, function: Any, script: str, inputs: Sequence[Any], outputs: Sequence[Any]
) -> Any:
    """An event whose inputs a JavaScript function has in its hands first."""
    private = _known(event, {"api_visibility": "private"}) or {"api_name": False}
    every = _known(event, {"trigger_mode": "multiple"})  # or a press during an answer is lost
    key = "js" if _known(event, {"js": ""}) else "_js"
    return event(
        fn=function, inputs=list(inputs), outputs=list(outputs), queue=False,
        show_progress="hidden", **{key: script}, **private, **every,
    )  # fmt: skip


def then_refresh(answered: Any) -> None:
    """Once an event is answered, the page's script asks for the steps again if it changed some."""
    key = "js" if _known(answered.then, {"js": ""}) else "_js"
    answered.then(fn=None, inputs=None, outputs=None, **{key: "() => window.loraCookAnswered()"})


def run_script(blocks: Any, script: str) -> None:
    """Run a script, a JavaScript function, in the page once it is there."""
    name = "js" if _known(blocks.load, {"js": script}) else "_js"
    blocks.load(fn=None, inputs=None, outputs=None, **{name: script})


def field(widget: Widget) -> Any:
    """The component of one setting."""
    wishes: dict[str, Any] = {
        "label": widget.name, "info": widget.help, "value": widget.value, "interactive": True,
        "elem_id": widget.elem_id, "elem_classes": ["lora_cook_setting"],
    }  # fmt: skip
    if widget.kind == "tick":
        return make(gr.Checkbox, **wishes)
    if widget.kind == "choice":
        return make(gr.Dropdown, choices=list(widget.choices), **wishes)
    rows = 3 if widget.kind == "lines" else 1
    most = 8 if widget.name == "image_dir" else rows  # a run that is taken over may have several
    hint = texts.NOT_SET if widget.optional else None
    return make(gr.Textbox, lines=rows, max_lines=most, placeholder=hint, **wishes)


def html(name: str, value: str = "") -> Any:
    """A place for HTML of the page's own."""
    return gr.HTML(value, elem_id=f"lora_cook_{name}")


def hidden(name: str) -> Any:
    """A button that only the page's script presses."""
    return gr.Button(name, elem_id=f"lora_cook_{name}", elem_classes=["lora_cook_hidden"])


def button(
    label: str, name: str, *, primary: bool = False, small: bool = False, visible: bool = True
) -> Any:
    """A button; the proposed one of its step is the primary one."""
    return make(
        gr.Button, value=label, variant="primary" if primary else "secondary", visible=visible,
        size="sm" if small else "lg", elem_id=f"lora_cook_{name}",
    )  # fmt: skip


def fold(label: str, name: str, *, is_open: bool = False) -> Any:
    """What is there for who looks for it."""
    return gr.Accordion(label, open=is_open, elem_id=f"lora_cook_{name}")


def line(name: str, label: str, info: str, value: str = "", rows: int = 1) -> Any:
    """A text to type, of one line or several."""
    return make(
        gr.Textbox, label=label, info=info, value=value, lines=rows, max_lines=max(rows, 1),
        interactive=True, elem_id=f"lora_cook_{name}",
    )  # fmt: skip


def choice(name: str, label: str, info: str, names: list[str], value: str | None = None) -> Any:
    """One of several names."""
    first = value or (names[0] if names else None)
    return make(
        gr.Dropdown, label=label, info=info, choices=names, value=first, interactive=True,
        elem_id=f"lora_cook_{name}",
    )  # fmt: skip


def several_of(
    name: str, label: str, info: str, names: list[str], first: Sequence[str] = ()
) -> Any:
    """Any of several names."""
    return make(
        gr.Dropdown, label=label, info=info, choices=names, value=list(first), multiselect=True,
        interactive=True, elem_id=f"lora_cook_{name}",
    )  # fmt: skip


def tick(name: str, label: str, info: str = "", *, value: bool = False) -> Any:
    """Something to be said yes to."""
    return make(
        gr.Checkbox, label=label, info=info or None, value=value, interactive=True,
        elem_id=f"lora_cook_{name}",
    )  # fmt: skip


def go_to(step: str) -> Any:
    """The tabs with another step open, or as they are."""
    return gr.update(selected=step) if step else gr.update()


def log_box(elem_id: str) -> Any:
    """A text that can be read and copied, not written."""
    return make(
        gr.Textbox, label=texts.LOG, show_label=True, lines=12, max_lines=12, interactive=False,
        elem_id=elem_id, show_copy_button=True, buttons=["copy"], autoscroll=True,
    )  # fmt: skip


def _known(function: Any, wishes: dict[str, Any]) -> dict[str, Any]:
    return {name: wish for name, wish in wishes.items() if name in _parameters(function)}


def _parameters(function: Any) -> set[str]:
    if inspect.isclass(function):
        function = function.__init__
    return set(inspect.signature(function).parameters)


def own_page(title: str) -> Any:
    """A page of its own rather than a host's tab."""
    return make(gr.Blocks, title=title, analytics_enabled=False, theme=system_theme())


def system_theme() -> Any:
    """gradio's look in the fonts of the person's system, so that none is asked for elsewhere."""
    return gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["monospace"])


def launch(page: Any, port: int, folders: list[str]) -> Any:
    """Serve a page on this machine's own address; returns the FastAPI app.

    The theme goes to whichever of page and launch this gradio takes it from.
    """
    wishes: dict[str, Any] = {
        "server_name": "127.0.0.1", "server_port": port, "share": False, "inbrowser": False,
        "prevent_thread_lock": True, "show_api": False, "allowed_paths": folders,
        "ssr_mode": False, "theme": system_theme(), "footer_links": [],
    }  # fmt: skip
    return page.launch(**_known(page.launch, wishes))[0]
