"""A fresh clone: the lock fits every Python and system, README and CI agree, wheels are whole."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from lib_lora_cook.ui import page

if sys.version_info >= (3, 11):
    import tomllib
else:
    import toml as tomllib

PYTHONS = ("3.10.13", "3.11.7", "3.12.1", "3.13.0")
SYSTEMS = {
    "linux": {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64"},
    "win32": {"sys_platform": "win32", "platform_system": "Windows", "platform_machine": "AMD64"},
    "darwin": {"sys_platform": "darwin", "platform_system": "Darwin", "platform_machine": "arm64"},
}
PAGE = (page.STYLE, *page.SCRIPTS)
"""What of the page lies beside the package."""
LOCKED_EXTRAS = ("standalone", "test", "build", "upscale", "bnb", "optimizers", "ui", "gather")


@pytest.fixture(scope="module")
def project(root: Path) -> dict[str, Any]:
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def lock(root: Path) -> list[str]:
    """The lines of requirements.lock that pin something."""
    lines = (root / "requirements.lock").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def environment(python: str, system: str) -> dict[str, str]:
    """The markers of one Python on one system."""
    return SYSTEMS[system] | {
        "python_version": python.rpartition(".")[0],
        "python_full_version": python,
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "os_name": "nt" if system == "win32" else "posix",
    }


def pins(lock: list[str], markers: dict[str, str]) -> dict[str, Version]:
    """Name -> version that the lock holds it at there; a name may come once."""
    found: dict[str, Version] = {}
    for requirement in map(Requirement, lock):
        if requirement.marker is None or requirement.marker.evaluate(markers):
            name = canonicalize_name(requirement.name)
            assert name not in found, f"{name} is pinned twice"
            (only,) = requirement.specifier
            assert only.operator == "=="
            found[name] = Version(only.version)
    return found


def test_the_lock_is_a_constraints_file(lock: list[str]) -> None:
    """No hashes, extras, addresses or options: `pip install -c` takes none of them."""
    for line in lock:
        requirement = Requirement(line)
        assert not requirement.extras
        assert requirement.url is None


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("python", PYTHONS)
def test_the_lock_pins_what_the_project_asks_for(
    project: dict[str, Any], lock: list[str], python: str, system: str
) -> None:
    extras = project["optional-dependencies"]
    assert sorted(extras) == sorted(LOCKED_EXTRAS)
    held = pins(lock, environment(python, system))
    for need in [*project["dependencies"], *(need for extra in extras.values() for need in extra)]:
        requirement = Requirement(need)
        if requirement.name == project["name"]:  # one extra in another
            assert requirement.extras <= set(extras)
            continue
        assert held[canonicalize_name(requirement.name)] in requirement.specifier, need
    assert held["torch"] == Version("2.13.0")


def test_the_pythons_are_those_of_the_readme(project: dict[str, Any], root: Path) -> None:
    supported = SpecifierSet(project["requires-python"])
    assert all(python in supported for python in PYTHONS)
    assert "3.9.18" not in supported
    assert "3.14.0" not in supported
    assert "Python 3.10 to 3.13" in (root / "README.md").read_text(encoding="utf-8")


def installed_closure(needs: list[str]) -> Iterator[tuple[str, str]]:
    """(name, version) of everything that is installed because of `needs`."""
    seen: set[str] = set()
    waiting = [(Requirement(need), "") for need in needs]
    while waiting:
        requirement, extra = waiting.pop()
        name = canonicalize_name(requirement.name)
        marker = requirement.marker
        if name in seen or (marker is not None and not marker.evaluate({"extra": extra})):
            continue
        seen.add(name)
        try:
            found = distribution(name)
        except PackageNotFoundError:
            continue
        yield name, found.version
        for extra in requirement.extras or {""}:
            waiting += [(Requirement(line), extra) for line in found.requires or []]


def test_what_is_installed_is_what_is_locked(project: dict[str, Any], lock: list[str]) -> None:
    extras = project["optional-dependencies"]
    tests = [need for need in extras["test"] if not need.startswith(project["name"])]
    needs = [*project["dependencies"], *extras["standalone"], *extras["optimizers"], *tests]
    pinned: dict[str, set[str]] = {}
    for requirement in map(Requirement, lock):
        (only,) = requirement.specifier
        pinned.setdefault(canonicalize_name(requirement.name), set()).add(only.version)
    strays = [
        f"{name} {version}"
        for name, version in installed_closure(needs)
        if version.partition("+")[0] not in pinned.get(name, set())
    ]
    assert strays == []


def commands(text: str, language: str) -> list[str]:
    """The lines of the fenced blocks of one language."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [line for block in blocks for line in block.splitlines()]


def test_the_two_commands_stand_on_the_first_screen(root: Path) -> None:
    screen = "\n".join((root / "README.md").read_text(encoding="utf-8").splitlines()[:30])
    demo, test = commands(screen, "sh")
    assert demo.endswith("lora-cook demo")
    assert test.endswith("pytest")
    for unix, windows in zip((demo, test), commands(screen, "bat"), strict=True):
        expected = unix.replace("python3 -m venv", "py -m venv").replace(
            ".venv/bin/", ".venv\\Scripts\\"
        )
        assert windows == expected


def test_ci_runs_the_readmes_test_command(root: Path) -> None:
    _, test = commands((root / "README.md").read_text(encoding="utf-8"), "sh")
    script = (root / ".ci" / "run").read_text(encoding="utf-8")
    assert f"\ntest_command='{test}'\n" in script
    assert 'bash -c "$test_command"' in script


def test_the_licence_is_whole(root: Path) -> None:
    text = (root / "LICENSE").read_text(encoding="utf-8")
    assert "GNU AFFERO GENERAL PUBLIC LICENSE\n                       Version 3" in text
    numbers = [int(n) for n in re.findall(r"^  (\d+)\. [A-Z]", text, re.MULTILINE)]
    assert numbers == list(range(18))
    assert text.rstrip().endswith("<https://www.gnu.org/licenses/>.")


def test_every_folder_of_modules_is_a_package(root: Path) -> None:
    folders = {path.parent for path in (root / "lib_lora_cook").rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []


def assets(root: Path) -> set[str]:
    """The files of the toy checkpoint and its companions, relative to the source."""
    folder = root / "lib_lora_cook" / "demo" / "assets"
    return {path.relative_to(root).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_git_keeps_the_assets(root: Path) -> None:
    if not (root / ".git").exists() or shutil.which("git") is None or not assets(root):
        pytest.skip("not a clone with assets")
    ask = ["git", "check-ignore", "--no-index", "--stdin"]
    done = subprocess.run(
        ask, cwd=root, input="\n".join(assets(root)), capture_output=True, text=True
    )
    assert done.stdout == ""


@pytest.mark.slow
def test_a_wheel_is_whole(root: Path, tmp_path: Path) -> None:
    """Modules, assets, licence and the command, and no tests."""
    source = tmp_path / "source"
    shutil.copytree(
        root / "lib_lora_cook",
        source / "lib_lora_cook",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    for name in ("pyproject.toml", "README.md", "LICENSE", *PAGE):
        (source / name).parent.mkdir(exist_ok=True)
        shutil.copy(root / name, source / name)
    build = "import setuptools; setuptools.setup()"
    subprocess.run(
        [sys.executable, "-c", build, "-q", "bdist_wheel", "--dist-dir", str(tmp_path)],
        cwd=source,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (entry,) = (name for name in names if name.endswith("entry_points.txt"))
        assert "lora-cook = lib_lora_cook.cli:main" in archive.read(entry).decode()
    modules = {path.relative_to(root).as_posix() for path in (root / "lib_lora_cook").rglob("*.py")}
    assert modules | assets(root) <= names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    for name in PAGE:
        assert any(it.endswith(f".data/data/share/lora-cook/{Path(name).name}") for it in names)
    ours = {name.split("/")[0] for name in names if "dist-info" not in name}
    assert {it for it in ours if not it.endswith(".data")} == {"lib_lora_cook"}
