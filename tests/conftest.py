"""What holds for every test: no network, and what this machine cannot run is skipped."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# Before anything imports a hub's client: a test that would download a model fails at once.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
# The models of the tests are so small that a second thread only waits for the first.
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of the source: pyproject.toml, README.md, lib_lora_cook."""
    return ROOT


@pytest.fixture(autouse=True, scope="session")
def only_this_machine() -> Iterator[None]:
    """Refuse every connection that leaves the machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        local = isinstance(address, str | bytes) or address[0] in ("127.0.0.1", "::1", "localhost")
        if not local:
            raise PermissionError(f"a test reached for {address}")
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded)
        yield


def has_gpu() -> bool:
    """Whether torch sees an NVIDIA GPU."""
    import torch

    return torch.cuda.is_available()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what this machine cannot run."""
    on_gpu = [item for item in items if item.get_closest_marker("gpu")]
    if on_gpu and not has_gpu():
        for item in on_gpu:
            item.add_marker(pytest.mark.skip(reason="no NVIDIA GPU"))
    if "LORA_COOK_WEBUI" not in os.environ:
        for item in items:
            if item.get_closest_marker("host"):
                item.add_marker(pytest.mark.skip(reason="LORA_COOK_WEBUI names no checkout"))


@pytest.fixture(scope="session")
def sd1_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random SD1 checkpoint as a diffusers folder."""
    from tests.tiny_models import save, tiny_sd1

    folder = tmp_path_factory.mktemp("sd1")
    return save(tiny_sd1(folder), folder / "tiny-sd1")


@pytest.fixture(scope="session")
def sdxl_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random SDXL checkpoint as a diffusers folder."""
    from tests.tiny_models import save, tiny_sdxl

    folder = tmp_path_factory.mktemp("sdxl")
    return save(tiny_sdxl(folder), folder / "tiny-sdxl")


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A standalone host for tests that leave nothing in it but encoded pictures."""
    from lib_lora_cook.hosts.standalone import StandaloneHost

    return StandaloneHost(tmp_path_factory.mktemp("home"))
