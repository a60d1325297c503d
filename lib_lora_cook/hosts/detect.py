"""Which program is around us, by the modules it brings; nothing of it is imported to find out."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from importlib.util import find_spec

from .base import Host


@dataclass(frozen=True)
class Features:
    """What one program has and its relatives have not."""

    name: str
    """The file of this folder that adapts it; there may be none yet."""
    title: str
    has: tuple[str, ...]
    lacks: tuple[str, ...] = ()


WEBUI = ("modules.script_callbacks", "modules.processing")
HOSTS = (
    Features("forge", "Forge", (*WEBUI, "modules_forge", "backend.operations", "modules.lowvram")),
    Features("neo", "Forge Neo", (*WEBUI, "modules_forge", "backend"), ("modules.lowvram",)),
    Features("reforge", "reForge or Forge Classic", (*WEBUI, "modules_forge", "ldm_patched")),
    Features("a1111", "AUTOMATIC1111", (*WEBUI, "modules.sd_hijack"), ("modules_forge",)),
)


def is_there(module: str) -> bool:
    """Whether a module could be imported; its parents must be there too."""
    parent, _, _ = module.rpartition(".")
    return (not parent or is_there(parent)) and find_spec(module) is not None


def detect() -> Features | None:
    """The program around us; None is a shell."""
    for it in HOSTS:
        if all(map(is_there, it.has)) and not any(map(is_there, it.lacks)):
            return it
    return None


def find_host() -> tuple[Host, str | None]:
    """(the host around us, None); in a program that has no adapter, folders alone and why."""
    found, package = detect(), __name__.rpartition(".")[0]
    if found is None:
        return standalone_host(), None
    if find_spec(f"{package}.{found.name}") is None:
        known = ", ".join(it.title for it in HOSTS)
        why = f"LoRA Cook cannot train inside {found.title} yet. It can in {known}."
        return standalone_host(), why
    host: Host = importlib.import_module(f"{package}.{found.name}").make_host()
    return host, None


def standalone_host() -> Host:
    """The host that needs no WebUI."""
    from .standalone import StandaloneHost, default_home

    return StandaloneHost(default_home())
