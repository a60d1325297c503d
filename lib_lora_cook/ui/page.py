"""The standalone page: the same tab without a WebUI, asking no other server for anything."""

from __future__ import annotations

import importlib.metadata
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..hosts.base import Host
from . import texts
from .bench import Starter

PARTS = ("", "_captions", "_gallery", "_settings", "_sheet")
SCRIPTS = tuple(f"javascript/lora_cook{part}.js" for part in PARTS)
"""By name, as a WebUI takes them: the others build on the first."""
STYLE = "style.css"


def open_page(
    host: Host,
    port: int = 7861,
    *,
    recipe: Mapping[str, Any] | None = None,
    starter: Starter | None = None,
    ended: Callable[[], bool] = lambda: False,
) -> None:
    """Serve the tab on this machine's own address until it is `ended`, or by Ctrl-C.

    `recipe` sets what widgets show at first, by kohya's name; `starter` is a dataset to begin with.
    UserError where gradio is missing.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # gradio reads it when it is imported
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        from .components import launch
    except ImportError:
        raise UserError(texts.NO_GRADIO, "", texts.NO_GRADIO_TO_DO) from None
    page = build_page(host, recipe, starter=starter)
    launch(page, port, [str(folder) for folder in (*host.output_dirs, host.lora_dir)])
    while not ended():
        time.sleep(0.2)
    page.close()


def build_page(host: Host, recipe: Mapping[str, Any] | None = None, **options: Any) -> Any:
    """The tab with its style and script, which inside a WebUI the WebUI adds."""
    import gradio as gr

    from .components import own_page, run_script
    from .tab import build_tab

    tab = build_tab(host, recipe=recipe, **options)
    with own_page(texts.TITLE) as page:
        gr.HTML(f"<style>{read_asset(STYLE)}</style>", elem_classes=["lora_cook_hidden"])
        tab.render()
        run_script(page, f"() => {{ {''.join(map(read_asset, SCRIPTS))} }}")
    return page


def read_asset(name: str) -> str:
    """A file that lies beside the package in its source, or among the installed package's data."""
    beside = Path(__file__).resolve().parents[2] / name
    if beside.is_file():
        return beside.read_text(encoding="utf-8")
    try:
        files = importlib.metadata.files("lora-cook") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == Path(name).name:
            return Path(str(file.locate())).read_text(encoding="utf-8")
    raise UserError(texts.NO_ASSET, name, texts.NO_ASSET_TO_DO)
