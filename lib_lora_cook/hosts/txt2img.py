"""What the person draws with in the txt2img tab."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from modules import infotext_utils, paths, processing, shared

from .base import GenerateRequest

FIELDS = {
    "steps": ("Steps", "Sampling steps", int),
    "cfg_scale": ("CFG scale", "CFG Scale", float),
    "sampler_name": ("Sampler", "Sampling method", str),
    "scheduler": ("Schedule type", "Schedule type", str),
}
"""process_images' name -> its name below a picture, its label in the tab, its type."""
SAMPLERS = {
    "ddim": "DDIM", "pndm": "PLMS", "lms": "LMS", "euler": "Euler", "euler_a": "Euler a",
    "heun": "Heun", "dpm_2": "DPM2", "dpm_2_a": "DPM2 a", "dpmsolver": "DPM++ 2M",
    "dpmsolver++": "DPM++ 2M", "dpmsingle": "DPM++ 2S a",
}  # fmt: skip
"""kohya's samplers by the WebUI's names."""
STEPS, CFG_SCALE = 20, 7.0
"""Where nothing else is known."""


def chosen(request: GenerateRequest) -> dict[str, Any]:
    """Steps, cfg_scale, sampler and scheduler: as asked for, else as the person uses them.

    Forge Classic knows no scheduler: there it is part of the sampler's name.
    """
    asked = {
        "steps": request.steps, "cfg_scale": request.cfg_scale,
        "sampler_name": named(request.sampler), "scheduler": request.scheduler,
    }  # fmt: skip
    fallback = {"steps": STEPS, "cfg_scale": CFG_SCALE, **defaults(), **last_used()}
    both = {name: value or fallback.get(name) for name, value in asked.items()}
    known = processing.StableDiffusionProcessing
    return {name: value for name, value in both.items() if value and hasattr(known, name)}


def named(sampler: str) -> str:
    """kohya's sampler by the WebUI's name, which may be given as it is."""
    return SAMPLERS.get(sampler.removeprefix("k_"), sampler)


def last_used() -> dict[str, Any]:
    """Of the last picture that the person drew; the WebUI writes it to params.txt."""
    try:
        text = (Path(paths.data_path) / "params.txt").read_text(encoding="utf-8")
        told = infotext_utils.parse_generation_parameters(text, [])
    except (OSError, ValueError):
        return {}
    return typed({name: told.get(key) for name, (key, _, _) in FIELDS.items()})


def defaults() -> dict[str, Any]:
    """What the tab shows at first, by the WebUI's own file of such defaults."""
    try:
        shown = json.loads(Path(shared.cmd_opts.ui_config_file).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    places = ("txt2img", "customscript/sampler.py/txt2img")
    found = {}
    for name, (_, label, _) in FIELDS.items():
        values = (shown.get(f"{place}/{label}/value") for place in places)
        found[name] = next((it for it in values if it), None)
    return typed(found)


def typed(told: dict[str, Any]) -> dict[str, Any]:
    """What of these values is there and of the right kind."""
    found = {}
    for name, value in told.items():
        try:
            if value:
                found[name] = FIELDS[name][2](value)
        except (TypeError, ValueError):
            continue
    return found
