"""One piece of work at a time, seen from many threads."""

from __future__ import annotations

import errno
import threading
import time
from pathlib import Path

import pytest

from lib_lora_cook.errors import UserError
from lib_lora_cook.jobs import Cancelled, Job
from lib_lora_cook.ui import texts
from lib_lora_cook.ui.runner import (
    LOG_LINES,
    Outcome,
    Runner,
    RunningJob,
    Snapshot,
    sentence_of,
    short_home,
)

WAIT = 20.0


def test_nothing_goes_on_at_first() -> None:
    runner = Runner()
    assert runner.snapshot() == Snapshot()
    assert runner.stop() is False


def test_work_is_seen_while_it_goes_on_and_after() -> None:
    runner, go, seen = Runner(), threading.Event(), threading.Event()

    def work(job: Job) -> Outcome:
        with job.stage("cook"):
            job.report(3, 10, "epoch 1")
            seen.set()
            go.wait(WAIT)
        return Outcome("all done")

    runner.start("Cooking kafka", work)
    assert seen.wait(WAIT)
    now = runner.snapshot()
    assert (now.state, now.stage, now.done, now.total, now.text) == (
        "running", "cook", 3, 10, "epoch 1",
    )  # fmt: skip
    with pytest.raises(UserError, match="Cooking kafka"):
        runner.start("another", work)
    go.set()
    end = runner.wait(WAIT)
    assert (end.state, end.outcome, end.log) == ("done", Outcome("all done"), ("all done",))
    assert runner.start("another", work).number == 2
    runner.wait(WAIT)


def test_a_stop_is_obeyed_at_the_next_check() -> None:
    runner, ready = Runner(), threading.Event()

    def work(job: Job) -> Outcome:
        while True:
            ready.set()
            job.check()
            threading.Event().wait(0.001)

    runner.start("Cooking", work)
    assert ready.wait(WAIT)
    assert runner.stop() is True
    assert runner.wait(WAIT).state == "stopped"
    assert runner.stop() is False


def test_stopping_is_shown_until_it_happens() -> None:
    job = RunningJob("Cooking")
    job.cancel()
    assert (job.snapshot().state, job.snapshot().busy, job.cancelled) == ("stopping", True, True)
    with pytest.raises(Cancelled):
        job.check()


def test_work_that_kept_what_it_reached_counts_as_stopped() -> None:
    runner = Runner()
    runner.start("Cooking", lambda job: Outcome("2 files", stopped=True))
    end = runner.wait(WAIT)
    assert (end.state, end.outcome) == ("stopped", Outcome("2 files", stopped=True))


def test_a_persons_mistake_is_one_sentence() -> None:
    runner = Runner()

    def work(job: Job) -> Outcome:
        raise UserError("No pictures", Path.home() / "x", "Add some.")

    runner.start("Cooking", work)
    end = runner.wait(WAIT)
    assert (end.state, end.details) == ("failed", "")
    assert end.error.replace("\\", "/") == "No pictures: ~/x. Add some."


@pytest.mark.parametrize("error", [ValueError("one\ntwo"), SystemExit(3)])
def test_a_failure_of_the_program_has_its_traceback_folded_away(error: BaseException) -> None:
    runner = Runner()

    def work(job: Job) -> Outcome:
        raise error

    runner.start("Cooking", work)
    end = runner.wait(WAIT)
    assert end.state == "failed"
    assert "\n" not in end.error
    assert type(error).__name__ in end.error
    assert end.details.startswith("Traceback")
    assert end.details.splitlines()[-1] in end.log


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (MemoryError(), texts.OUT_OF_MEMORY),
        (type("OutOfMemoryError", (RuntimeError,), {})("CUDA"), texts.OUT_OF_MEMORY),
        (OSError(errno.ENOSPC, "No space left on device"), texts.DISK_FULL),
    ],
)
def test_known_failures_say_what_to_do(error: Exception, sentence: str) -> None:
    assert sentence_of(error) == sentence


def test_speed_and_time_left() -> None:
    moment = [100.0]
    job = RunningJob("Cooking", clock=lambda: moment[0])
    job.report(0, 40)
    assert job.snapshot().seconds_left is None
    moment[0] = 110.0
    job.report(20, 40)
    now = job.snapshot()
    assert (now.rate, now.seconds_left, now.seconds) == (2.0, 10.0, 10.0)
    job.report(0, 7)  # another count starts another measure
    assert job.snapshot().seconds_left is None


def test_a_stage_starts_the_count_anew_and_gives_the_name_back() -> None:
    job = RunningJob("Cooking")
    with job.stage("outer"):
        with job.stage("inner"):
            job.report(5, 5)
        now = job.snapshot()
    assert (now.stage, now.done, now.total) == ("outer", 0, 0)
    assert job.snapshot().stage == ""


def test_any_work_waits_at_its_next_check_until_it_may_go_on_or_is_stopped() -> None:
    runner, held, reached = Runner(), threading.Event(), []

    def work(job: Job) -> Outcome:
        held.wait(WAIT)
        reached.append("check")
        job.check()
        reached.append("end")
        return Outcome("all")

    runner.start("Fetching", work)
    runner.pause(True)
    held.set()
    time.sleep(0.3)
    assert (reached, runner.snapshot().state) == (["check"], "running")
    runner.pause(False)
    assert runner.wait(WAIT).state == "done"
    held.clear()
    runner.start("Fetching", work)
    runner.pause(True)
    runner.stop()
    held.set()
    assert runner.wait(WAIT).state == "stopped"


def test_a_pause_does_not_count_against_the_speed() -> None:
    now = [0.0]
    job = RunningJob("Fetching", clock=lambda: now[0])
    for moment, done in ((1.0, 1), (2.0, 2), (60.0, 3), (61.0, 4)):
        if moment == 60:
            job.pause(True)
            job.pause(False)
        now[0] = moment
        job.report(done, 9)
    assert (job.snapshot().rate, job.snapshot().seconds_left) == (1.0, 5.0)


def test_the_log_keeps_its_last_lines() -> None:
    job = RunningJob("Cooking")
    for line in range(LOG_LINES + 5):
        job.log(f"line {line}")
    now = job.snapshot()
    assert (len(now.log), now.log[0], now.logged) == (LOG_LINES, "line 5", LOG_LINES + 5)


def test_the_home_folder_is_shortened() -> None:
    assert short_home(f"in {Path.home()}/a and {Path.home()}") == "in ~/a and ~"


def test_the_last_sheet_outlives_the_next_run() -> None:
    runner = Runner()
    runner.start("Tasting", lambda job: Outcome("sheet", sheet=Path("s.png"), pick="this one"))
    runner.wait(WAIT)
    runner.start("Cooking", lambda job: Outcome("files"))
    runner.wait(WAIT)
    sheet = runner.last_sheet()
    assert sheet is not None
    assert sheet.outcome is not None
    assert (sheet.number, sheet.outcome.sheet, sheet.outcome.pick) == (1, Path("s.png"), "this one")


def test_a_long_curve_is_thinned_and_samples_are_kept_by_their_time(tmp_path: Path) -> None:
    runner = Runner()

    def work(job: Job) -> Outcome:
        for step in range(1, 5001):
            job.plot(step, 1 / step)
        job.plot(5001, float("nan"))
        for epoch in (1, 2):
            job.show((tmp_path / f"{epoch}.png",), f"epoch {epoch}")
        return Outcome("done")

    runner.start("plotting", work)
    seen = runner.wait(20)
    ((name, points),) = seen.curves
    assert name == "loss"
    assert 200 < len(points) <= 600
    assert points == tuple(sorted(points))
    assert [label for label, _ in seen.strip] == ["epoch 1", "epoch 2"]
    assert seen.strip[-1][1] == (tmp_path / "2.png",)
