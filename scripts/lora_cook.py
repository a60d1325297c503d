"""The only door from the WebUI: its host, our tab, our routes. What fails here stays in the tab."""

from __future__ import annotations

import traceback
from secrets import compare_digest
from typing import Any

import gradio as gr
from fastapi import Depends, HTTPException
from fastapi.security import HTTPBasic, HTTPBasicCredentials
from modules import script_callbacks, shared

host: Any = None
problem: str | None = None
try:  # all of ours now: the WebUI has this folder on its path only while it loads us
    from lib_lora_cook import api
    from lib_lora_cook.hosts import axes, detect, send, settings
    from lib_lora_cook.ui import runs, sending, tab

    host, problem = detect.find_host()
except Exception as error:
    traceback.print_exc()
    problem = f"LoRA Cook could not start: {type(error).__name__}: {error}"


def build_page() -> gr.Blocks:
    """Our page; where it cannot be built, one that says why."""
    why = problem
    if host is not None:
        try:
            return tab.build_tab(host, problem, recipe=settings.first_values(host.lora_dir))
        except Exception as error:
            traceback.print_exc()
            why = f"LoRA Cook's page could not be built: {type(error).__name__}: {error}"
    with gr.Blocks(analytics_enabled=False) as page:
        gr.Markdown(f"{why} The rest of the WebUI is not affected.")
    return page


def check(given: HTTPBasicCredentials = Depends(HTTPBasic())) -> None:  # noqa: B008
    """Let in whom --api-auth names."""
    said = f"{given.username}:{given.password}".encode()
    if not any(compare_digest(said, it.encode()) for it in shared.cmd_opts.api_auth.split(",")):
        raise HTTPException(401, "Incorrect username or password", {"WWW-Authenticate": "Basic"})


def on_app_started(_: Any, app: Any) -> None:
    """Our routes, where the WebUI has any, under the same names and passwords."""
    if host is not None and shared.cmd_opts.api:
        guard = check if shared.cmd_opts.api_auth else None
        api.add_routes(app, host, settings.allowed_folders(), guard)


script_callbacks.on_ui_tabs(lambda: [(build_page(), "LoRA Cook", "lora_cook")])
script_callbacks.on_app_started(on_app_started)
if host is not None:
    script_callbacks.on_ui_settings(settings.add_section)
    script_callbacks.on_after_component(send.add_buttons(sending.connect(host, send.looked_at)))
    script_callbacks.on_before_ui(lambda: axes.add_axes(lambda: runs.lora_names(host.lora_dir)))
