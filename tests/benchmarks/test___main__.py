"""The benchmarks by name."""

from __future__ import annotations

import pytest

from benchmarks.__main__ import known, main


def test_all_that_can_be_run_are_told_with_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    told = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in told] == list(known())
    assert {"train", "tagger", "duplicates", "captions", "mfu"} <= set(known())
    assert all(len(line.split()) > 4 for line in told)


def test_a_name_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trian"]) == 1
    assert "There are: adapters, " in capsys.readouterr().out
