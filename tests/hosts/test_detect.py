"""Which program is around us, told by what can be imported."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lib_lora_cook.hosts import detect
from lib_lora_cook.hosts.standalone import StandaloneHost

WEBUI = ["modules/script_callbacks.py", "modules/processing.py"]
PROGRAMS = {
    "a1111": [*WEBUI, "modules/sd_hijack.py", "modules/lowvram.py"],
    "forge": [
        *WEBUI, "modules/lowvram.py", "modules_forge/main_entry.py", "backend/operations.py",
    ],
    "neo": [*WEBUI, "modules_forge/main_entry.py", "backend/operations.py"],
    "reforge": [
        *WEBUI, "modules/sd_hijack.py", "modules_forge/main_entry.py", "ldm_patched/ops.py",
    ],
}  # fmt: skip


def put(folder: Path, files: list[str]) -> None:
    """Files that fail when anything runs them."""
    for name in files:
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("raise AssertionError('it was imported')")


@pytest.mark.parametrize("name", PROGRAMS)
def test_each_program_is_known_without_importing_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, PROGRAMS[name])
    monkeypatch.syspath_prepend(str(tmp_path))
    for module in [it for it in sys.modules if it.split(".")[0] in ("modules", "backend")]:
        monkeypatch.delitem(sys.modules, module)
    try:
        found = detect.detect()
    finally:
        for module in ("modules", "modules_forge", "backend", "ldm_patched"):
            sys.modules.pop(module, None)
    assert found is not None
    assert found.name == name


def test_a_shell_is_no_program() -> None:
    assert detect.detect() is None
    host, problem = detect.find_host()
    assert isinstance(host, StandaloneHost)
    assert problem is None


def test_a_program_without_an_adapter_has_folders_and_a_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(detect, "detect", lambda: detect.Features("newer", "Forge Newer", ()))
    host, problem = detect.find_host()
    assert isinstance(host, StandaloneHost)
    assert problem is not None
    assert "Forge Newer" in problem
