"""kill -9 at every single step on disk: no file is lost or half written, undo still works."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a forked child")
@pytest.mark.parametrize(
    ("moment", "plan"),
    [
        *[("APPLY", plan) for plan in ("convert", "flatten", "trigger", "small", "trash", "add",
                                         "upscale", "crops", "stars", "aside")],
        *[("UNDO", plan) for plan in ("convert", "trigger", "trash", "add", "crops")],
        *[("RECOVER", plan) for plan in ("convert", "trigger", "add")],
    ],
)  # fmt: skip
def test_a_kill_at_any_step_loses_nothing(tmp_path: Path, moment: str, plan: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(TESTS.parent), "OPENBLAS_NUM_THREADS": "1"}
    run = subprocess.run(
        [sys.executable, "-m", "dataset.killed", str(tmp_path), moment, plan],
        cwd=TESTS, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    *wrong, kills = run.stdout.splitlines()
    assert not wrong, "\n".join(wrong)
    assert int(kills) >= 1
