"""What a profile of a step says: counted on a toy, and on a GPU's events written by hand."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from torch.autograd import DeviceType

from benchmarks.cases import Case
from benchmarks.gaps import STEP, main, profiled, summed, together

CASE = Case("sd1", "LoRA", "no", "off", 64, 1, 2, "on", True)


@dataclass
class Event:
    """As torch's profiler tells one; start and end in microseconds."""

    name: str
    start: float
    end: float
    device_type: DeviceType = DeviceType.CPU
    cpu_children: list[Any] = field(default_factory=list)

    @property
    def time_range(self) -> Any:
        """When it was."""
        return SimpleNamespace(start=self.start, end=self.end)


def test_on_a_gpu_kernels_are_counted_and_what_is_between_them() -> None:
    gpu = DeviceType.CUDA
    found = summed([
        Event("gemm", 0, 50, gpu),  # of the step before
        Event(STEP, 100, 1100),
        Event(STEP, 100, 1100, gpu),  # the same, as the GPU saw it
        Event("aten::mm", 110, 130), Event("aten::item", 900, 1000),
        Event("gemm", 200, 500, gpu), Event("gemm", 400, 600, gpu), Event("add", 800, 900, gpu),
        Event("cudaStreamSynchronize", 700, 900), Event("cudaDeviceSynchronize", 1000, 1090),
    ])  # fmt: skip
    assert (found.kernels, found.waits, found.seconds) == (3, 1, 0.001)
    assert found.idle == pytest.approx(0.5)
    assert found.most == {"gemm": 2, "add": 1}


def test_on_a_cpu_operators_stand_for_kernels() -> None:
    inner = Event("aten::mm", 300, 400)
    found = summed([
        Event(STEP, 0, 1000), Event("aten::linear", 200, 450, cpu_children=[inner]), inner,
        Event("aten::view", 500, 600),  # computes nothing
        Event("aten::_local_scalar_dense", 900, 950), Event("autograd::engine", 0, 800),
    ])  # fmt: skip
    assert (found.kernels, found.waits) == (2, 1)
    assert found.idle == pytest.approx(0.7)


def test_spans_that_overlap_are_one() -> None:
    assert list(together([(5, 6), (0, 2), (1, 4), (3, 3.5), (6, 7)])) == [(0, 4), (5, 7)]
    assert list(together([])) == []


def test_a_step_of_the_toy_is_mostly_operators() -> None:
    one = profiled(CASE)
    assert one.kernels > 1000
    assert 0 < one.idle < 1
    assert {"aten::mm", "aten::add"} <= one.most.keys()


def test_the_command_tells_a_line_a_case(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--tiny", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert told["kernels"] > 1000
    assert told["network"] == "LoRA"
