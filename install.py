"""Adds what LoRA Cook needs to the WebUI's Python, and alters nothing that is there.

The WebUI runs this file at every start. Nothing is missing: no pip and no network. Something is:
one run of pip, held to every version that is installed. It fails: one line, and the WebUI goes on.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from importlib.util import find_spec

NEEDS = {
    "PIL": "pillow>=9.5",
    "numpy": "numpy>=1.26",
    "cv2": "opencv-python-headless>=4.8",
    "toml": "toml>=0.10.2",
    "safetensors": "safetensors>=0.4.2",
    "lycoris": "lycoris-lora>=3.4",
    "prodigyopt": "prodigyopt>=1.1",
    "onnxruntime": "onnxruntime>=1.16",
}
"""Module that must be importable -> what pip adds if it is not. A module and not a distribution:
onnxruntime-gpu and onnxruntime-directml bring `onnxruntime` too, opencv-python brings `cv2`."""

PIP_OPTIONS = [
    "--no-input",
    "--disable-pip-version-check",
    "--only-binary=:all:",  # nothing is compiled at a WebUI's start
    "--retries=1",
    "--timeout=15",
]
PIP_SECONDS = 1200
OFFLINE = re.compile(r"Retrying \(|Connection|Temporary failure|timed out", re.IGNORECASE)
VERSION = re.compile(r"v?(\d+!)?\d+(\.\d+)*((a|b|rc)\d+)?(\.post\d+)?(\.dev\d+)?(\+[a-z0-9.]+)?")


def is_there(module: str) -> bool:
    """Whether `module` could be imported, without importing it; a mere folder does not count."""
    spec = find_spec(module)
    return spec is not None and spec.origin is not None


def missing(needs: dict[str, str]) -> dict[str, str]:
    """The needs whose module is not there."""
    return {module: need for module, need in needs.items() if not is_there(module)}


def installed_versions() -> dict[str, str]:
    """Normalised name -> version of every installed distribution; the first on the path counts."""
    from importlib.metadata import distributions

    versions: dict[str, str] = {}
    for distribution in distributions():
        name, version = distribution.metadata["Name"], distribution.version
        if name and version and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
            versions.setdefault(re.sub(r"[-_.]+", "-", name).lower(), version)
    return versions


def pins(versions: dict[str, str]) -> list[str]:
    """Constraints that hold every distribution at its version, however that is written."""
    return [
        f"{name}{'==' if VERSION.fullmatch(version) else '==='}{version}"
        for name, version in sorted(versions.items())
    ]


def fit_to_torch(need: str, torch_version: str) -> str:
    """`need`, below the first release that asks for a newer torch than the host's."""
    numbers = [int(number) for number in re.findall(r"\d+", torch_version)[:2]]
    if need.startswith("lycoris-lora") and numbers < [2, 4]:
        return f"{need},<4"
    return need


def run_pip(needs: list[str], constraints: list[str]) -> str:
    """Have pip add `needs` under `constraints`; "" or why it did not."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "installed.txt")
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(constraints) + "\n")
        index = os.environ.get("INDEX_URL", "")  # the WebUI's own setting
        options = [*PIP_OPTIONS, *(["--index-url", index] if index else []), "--constraint", path]
        command = [sys.executable, "-m", "pip", "install", *options, *needs]
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=PIP_SECONDS,
                encoding="utf-8",
                errors="replace",
            )
        except (OSError, subprocess.SubprocessError) as error:
            return str(error)
    return "" if done.returncode == 0 else reason(done.stdout)


def reason(output: str) -> str:
    """Why pip failed, from what it printed, on one line."""
    if OFFLINE.search(output):
        return "no connection to the package index"
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")] or lines
    return errors[-1][:300] if errors else "pip failed and did not say why"


def add(needs: list[str], constraints: list[str]) -> dict[str, str]:
    """Add `needs` together or, if they do not go together, each alone; need -> why it failed."""
    why = run_pip(needs, constraints)
    if not why:
        return {}
    if len(needs) == 1 or OFFLINE.search(why):
        return dict.fromkeys(needs, why)
    failed: dict[str, str] = {}
    for need in needs:
        why = run_pip([need], pins(installed_versions()))
        if why:
            failed[need] = why
    return failed


def main() -> int:
    """Always 0: what LoRA Cook lacks is no reason to stop a WebUI."""
    lacking = missing(NEEDS)
    if not lacking:
        return 0
    if not is_there("torch"):
        print("LoRA Cook: this Python has no torch, so it is not the WebUI's; nothing was added.")
        return 0
    versions = installed_versions()
    needs = [fit_to_torch(need, versions.get("torch", "")) for need in lacking.values()]
    failed = add(needs, pins(versions))
    added = [need for need in needs if need not in failed]
    if added:
        print(f"LoRA Cook: added {', '.join(added)}.")
    if failed:
        whys = "; ".join(dict.fromkeys(failed.values()))
        print(f"LoRA Cook: could not add {', '.join(failed)} ({whys}). Nothing else was altered.")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Exception as error:  # whatever it is, the WebUI must start
        print(f"LoRA Cook: could not look for missing packages ({error}).")
        sys.exit(0)
