"""install.py adds what is missing and alters nothing; a fake pip, then a real one in a new venv."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

import install

if sys.version_info >= (3, 11):
    import tomllib
else:
    import toml as tomllib


class FakePip:
    """Stands for subprocess.run: keeps commands and constraints, and fails as it is told."""

    def __init__(self, fails: tuple[str, ...] = (), says: str = "ERROR: no") -> None:
        self.fails = fails
        self.says = says
        self.commands: list[list[str]] = []
        self.constraints: list[str] = []

    def __call__(self, command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        self.commands.append(command)
        path = Path(command[command.index("--constraint") + 1])
        self.constraints = path.read_text(encoding="utf-8").split()
        bad = any(need.startswith(self.fails) for need in command) if self.fails else False
        return subprocess.CompletedProcess(command, int(bad), stdout=self.says if bad else "")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A Python with an old torch and numpy, and nothing else that is needed; name -> version."""
    versions = {"torch": "2.1.2+cu121", "numpy": "1.26.2", "odd": "2.0-final"}
    monkeypatch.setattr(install, "is_there", versions.__contains__)
    monkeypatch.setattr(install, "installed_versions", lambda: versions)
    return versions


def use(pip: FakePip, monkeypatch: pytest.MonkeyPatch) -> FakePip:
    monkeypatch.setattr(install.subprocess, "run", pip)
    return pip


def test_needs_are_those_of_the_package(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert sorted(install.NEEDS.values()) == sorted(project["dependencies"])


def test_a_present_package_is_not_asked_for(
    world: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pip = use(FakePip(), monkeypatch)
    assert install.main() == 0
    asked = pip.commands[0]
    assert len(pip.commands) == 1
    assert not [need for need in asked if need.startswith("numpy")]
    assert "opencv-python-headless>=4.8" in asked
    assert pip.constraints == ["numpy==1.26.2", "odd===2.0-final", "torch==2.1.2+cu121"]
    assert "--only-binary=:all:" in asked
    assert not {"-U", "--upgrade", "--force-reinstall"} & set(asked)


@pytest.mark.parametrize(
    ("torch", "need"),
    [
        ("2.1.2+cu121", "lycoris-lora>=3.4,<4"),
        ("2.3.1", "lycoris-lora>=3.4,<4"),
        ("1.13.1", "lycoris-lora>=3.4,<4"),
        ("2.4.0", "lycoris-lora>=3.4"),
        ("2.13.0+cpu", "lycoris-lora>=3.4"),
        ("3.0.0", "lycoris-lora>=3.4"),
    ],
)
def test_lycoris_fits_the_hosts_torch(torch: str, need: str) -> None:
    assert install.fit_to_torch(install.NEEDS["lycoris"], torch) == need


def test_one_that_does_not_go_leaves_the_others(
    world: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use(FakePip(fails=("onnxruntime",), says="ERROR: No matching distribution"), monkeypatch)
    assert install.main() == 0
    added, failed = capsys.readouterr().out.splitlines()
    assert "opencv-python-headless" in added
    assert "onnxruntime" not in added
    assert "onnxruntime>=1.16 (ERROR: No matching distribution)" in failed


def test_without_a_network_pip_is_run_once_and_one_line_printed(
    world: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    says = "WARNING: Retrying (Retry(total=0)) after connection broken\nERROR: No matching"
    pip = use(FakePip(fails=("toml",), says=says), monkeypatch)
    assert install.main() == 0
    assert len(pip.commands) == 1
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_a_pip_that_is_not_there_is_one_line(
    world: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_pip(*_: object, **__: object) -> None:
        raise subprocess.TimeoutExpired("pip", install.PIP_SECONDS)

    monkeypatch.setattr(install.subprocess, "run", no_pip)
    assert install.main() == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_without_torch_nothing_is_added(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(install, "is_there", lambda module: False)
    pip = use(FakePip(), monkeypatch)
    assert install.main() == 0
    assert pip.commands == []
    assert "torch" in capsys.readouterr().out


def test_the_webuis_own_index_is_used(
    world: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INDEX_URL", "http://127.0.0.1:9/simple")
    pip = use(FakePip(), monkeypatch)
    install.main()
    assert pip.commands[0][pip.commands[0].index("--index-url") + 1] == "http://127.0.0.1:9/simple"


def test_a_stray_folder_is_not_the_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "stray_lycoris").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    assert not install.is_there("stray_lycoris")


def test_nothing_missing_costs_nothing(root: Path) -> None:
    """Neither torch nor pip is imported, no process started; the time is that of Python's start."""
    script = (
        "import runpy, subprocess, sys\n"
        "subprocess.Popen = None\n"
        "try: runpy.run_path('install.py', run_name='__main__')\n"
        "except SystemExit as stop: assert stop.code == 0\n"
        "assert not {'torch', 'numpy', 'pip', 'importlib.metadata'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert fastest([sys.executable, "install.py"], root) < 0.2 + fastest(
        [sys.executable, "-c", ""], root
    )


def fastest(command: list[str], folder: Path, tries: int = 5) -> float:
    """Seconds of the fastest of some runs."""
    seconds = []
    for _ in range(tries):
        start = time.perf_counter()
        subprocess.run(command, cwd=folder, check=True)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def wheel(folder: Path, name: str, version: str, requires: str = "") -> None:
    """A pure-Python wheel with one module and at most one requirement."""
    info = f"{name}-{version}.dist-info"
    needs = f"Requires-Dist: {requires}\n" if requires else ""
    files = {
        f"{name}.py": f"version = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(path, text)


class Venv:
    """A new virtual environment whose pip sees one folder of wheels and no network."""

    def __init__(self, folder: Path, wheels: Path) -> None:
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        scripts = "Scripts" if os.name == "nt" else "bin"
        self.python = str(folder / scripts / "python")
        cleared = ("PIP_", "PYTHON", "INDEX_URL")
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(cleared)} | {
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(wheels),
        }

    def run(self, *arguments: str, cwd: Path | None = None) -> str:
        """What a Python command prints; it must end well."""
        done = subprocess.run(
            [self.python, *arguments],
            cwd=cwd, env=self.env, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout

    def freeze(self) -> list[str]:
        return self.run("-m", "pip", "freeze", "--all", "--disable-pip-version-check").splitlines()


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Venv:
    """A host with an old torch and the thread of today; wheels offer newer ones of both."""
    wheels = tmp_path_factory.mktemp("wheels")
    wheel(wheels, "torch", "2.1.2+cu121")
    wheel(wheels, "torch", "2.13.0")
    wheel(wheels, "thread", "1.0")
    wheel(wheels, "thread", "2.0")
    wheel(wheels, "needle", "1.0", "thread>=1")
    wheel(wheels, "needle", "2.0", "thread>=2")
    wheel(wheels, "knot", "2.0", "thread>=2")
    wheel(wheels, "cloth", "1.0", "torch")
    made = Venv(tmp_path_factory.mktemp("host") / "venv", wheels)
    made.run("-m", "pip", "install", "-q", "torch==2.1.2+cu121", "thread==1.0")
    return made


def install_in(venv: Venv, root: Path, needs: dict[str, str]) -> str:
    return venv.run("-c", f"import install; install.NEEDS = {needs}; install.main()", cwd=root)


@pytest.mark.slow
def test_a_real_pip_only_adds_lines(venv: Venv, root: Path) -> None:
    before = venv.freeze()
    printed = install_in(venv, root, {"needle": "needle>=1.0", "cloth": "cloth"})
    after = venv.freeze()
    assert sorted(set(after) - set(before)) == ["cloth==1.0", "needle==1.0"]
    assert set(before) <= set(after)
    assert printed.splitlines() == ["LoRA Cook: added needle>=1.0, cloth."]
    assert install_in(venv, root, {"needle": "needle>=1.0", "cloth": "cloth"}) == ""


@pytest.mark.slow
def test_a_need_that_would_alter_the_host_is_left_out(venv: Venv, root: Path) -> None:
    before = venv.freeze()
    printed = install_in(venv, root, {"knot": "knot"})
    assert venv.freeze() == before
    assert re.fullmatch(r"LoRA Cook: could not add knot \(.+\)\. .+\n", printed)


@pytest.mark.slow
def test_an_index_out_of_reach_alters_nothing(venv: Venv, root: Path) -> None:
    before, env = venv.freeze(), venv.env
    venv.env = {k: v for k, v in env.items() if k not in ("PIP_NO_INDEX", "PIP_FIND_LINKS")}
    venv.env["INDEX_URL"] = "http://127.0.0.1:9/simple"
    try:
        printed = install_in(venv, root, {"silk": "silk"})
    finally:
        venv.env = env
    assert venv.freeze() == before
    assert printed.splitlines() == [
        "LoRA Cook: could not add silk (no connection to the package index)."
        " Nothing else was altered."
    ]
