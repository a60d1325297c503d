"""Two programs at one dataset: the second is told, and neither's death leaves it locked."""

import subprocess
import sys
from pathlib import Path

import pytest

from lib_lora_cook.cli import main
from lib_lora_cook.dataset import journal
from lib_lora_cook.dataset.changes import plan_convert
from lib_lora_cook.dataset.images import scan_subset
from lib_lora_cook.errors import UserError

from .tree import dirty_folder, snapshot

HOLDER = """
import sys
from pathlib import Path
from lib_lora_cook.dataset import journal
with journal.opened(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_second_program_is_told_and_goes_on_when_the_first_is_gone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = dirty_folder(tmp_path)
    before = snapshot(folder)
    changes = plan_convert(scan_subset(folder))
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], text=True, cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as other:  # fmt: skip
        assert other.stdout is not None and other.stdout.readline() == "held\n"
        with pytest.raises(UserError, match="Another program is changing this dataset"):
            journal.apply_changes(folder, changes)
        assert main(["convert", str(folder)]) == 2
        assert capsys.readouterr().err.count("Another program is changing this dataset") == 1
        assert snapshot(folder) == before
        other.kill()
    assert len(journal.apply_changes(folder, changes).applied) == 2
    journal.undo(folder)
    assert snapshot(folder) == before
