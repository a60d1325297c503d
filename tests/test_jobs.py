"""Watchers: the one that says nothing, and the one on a console."""

import io

import pytest

from lib_lora_cook import jobs
from lib_lora_cook.jobs import Cancelled, ConsoleJob, clock, null_job, speed


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(jobs, "time", clock)
    return clock


def test_the_null_job_takes_everything_and_never_cancels() -> None:
    with null_job.stage("1/2 clean"):
        null_job.report(1, 2, "x")
        null_job.log("hello")
        null_job.check()
    assert not null_job.cancelled


def test_without_a_terminal_there_is_a_line_every_two_seconds_and_one_at_the_end(
    time: Clock,
) -> None:
    stream = io.StringIO()
    job = ConsoleJob(stream)
    with job.stage("1/2 clean"):
        for done in range(1, 101):
            time.now += 0.1
            job.report(done, 100)
    lines = stream.getvalue().splitlines()
    assert 5 <= len(lines) <= 6
    assert lines[0].startswith("1/2 clean [#####") and "10.0/s, 0:08 left" in lines[0]
    assert "100/100" in lines[-1] and "0:10 in all" in lines[-1]
    assert "\r" not in stream.getvalue()


def test_another_total_is_another_count_with_a_clock_of_its_own(time: Clock) -> None:
    stream = io.StringIO()
    job = ConsoleJob(stream)
    for done, total in ((1, 100), (2, 8), (8, 8), (2, 100), (3, 100)):
        time.now += 3
        job.report(done, total)
    lines = stream.getvalue().splitlines()
    assert "2.0/s, 0:03 in all" in lines[2] and "3.0 s each, 4:51 left" in lines[-1]


def test_on_a_terminal_one_line_is_rewritten_and_closed(time: Clock) -> None:
    stream = Terminal()
    job = ConsoleJob(stream)
    with job.stage("2/2 cook"):
        for done in range(1, 6):
            time.now += 1
            job.report(done, 10, "a long remark" if done == 1 else "")
    text = stream.getvalue()
    assert text.count("\n") == 1 and text.endswith("\n")
    assert text.count("\r") == 5
    widths = [len(line) for line in text.rstrip("\n").split("\r")[1:]]
    assert widths[1] == widths[0] > widths[2], "a shorter line covers the longer one before it"


def test_a_log_line_ends_the_bar_and_stays(time: Clock) -> None:
    stream = Terminal()
    job = ConsoleJob(stream)
    time.now += 1
    job.report(1, 10)
    job.log("a.png: broken")
    last = stream.getvalue().split("\r")[-1]
    assert last.rstrip(" \n") == "a.png: broken" and last.endswith("\n")


def test_speed_starts_anew_with_each_round(time: Clock) -> None:
    stream = Terminal()
    job = ConsoleJob(stream)
    time.now += 1000
    job.report(10, 10)
    time.now += 1
    job.report(0, 10)
    time.now += 10
    job.report(5, 10)
    assert "2.0 s each, 0:10 left" in stream.getvalue()


def test_names_that_the_console_cannot_write_do_not_stop_the_work() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", newline="")
    ConsoleJob(stream).log("caf\udce9 ネコ")
    stream.flush()
    assert stream.buffer.getvalue() == b"caf? ??\n"


def test_a_cancelled_job_stops_at_its_next_check() -> None:
    job = ConsoleJob(io.StringIO())
    job.check()
    job.cancel()
    with pytest.raises(Cancelled):
        job.check()


def test_times_are_written_as_clocks() -> None:
    assert [clock(0), clock(61), clock(3723)] == ["0:00", "1:01", "1:02:03"]
    assert speed(0, 5, 1) == "" and speed(1, 0, 2) == "2.0 s each, 0:02 in all"
