"""Kernels a step, and how long the device stands idle between them, by torch's profiler.

    python -m benchmarks.gaps --family sd1 sdxl --precision bf16 --resolution 768 --batch 2

On a GPU: the kernels and copies that a step starts, the time in which none of them runs, and how
often the program waits for the GPU. On a CPU its operators stand for the kernels, and what is
outside all of them (Python, autograd, the profiler itself) for the gaps. Run it from the
repository's root.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile, record_function

from benchmarks.cases import Case, device, now, tell
from benchmarks.train import WARM_UP, set_up
from lib_lora_cook.training.train import Step, train

STEP = "a step that is looked at"
WAITS = ("cudaStreamSynchronize", "cudaDeviceSynchronize", "cudaEventSynchronize")
READS = ("aten::_local_scalar_dense", "aten::nonzero")
"""Operators that a GPU would have to be waited for. A CPU's optimizers count steps by them."""
SHAPES = {
    f"aten::{name}"
    for name in (
        "as_strided", "view", "_unsafe_view", "reshape", "alias", "detach", "to", "empty",
        "empty_strided", "empty_like", "resolve_conj", "resolve_neg", "t", "transpose", "permute",
        "expand", "unsqueeze", "squeeze", "slice", "select",
    )
}  # fmt: skip
"""Operators that only say how a tensor lies in memory: a GPU has no kernel for them."""
MOST = 8
HEADER = "kernels  waits   s/step    idle"
Span = tuple[float, float]


@dataclass(frozen=True)
class Profiled:
    """One step."""

    kernels: int
    """Kernels and copies on a GPU; on a CPU operators that call no others."""
    waits: int
    """How often the program waits for the GPU; on a CPU how often it reads a number back."""
    seconds: float
    idle: float
    """The share of the step, 0..1, in which the device computes nothing."""
    most: dict[str, int]
    """The kernels that are started most often."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Profile every combination; a table, or JSON Lines with --json."""
    tell("benchmarks.gaps", __doc__, profiled, HEADER, row, arguments)


def profiled(case: Case) -> Profiled:
    """The step behind those in which allocators fill and kernels are chosen."""
    activities = [ProfilerActivity.CPU, *[ProfilerActivity.CUDA] * (device() == "cuda")]
    with set_up(case) as (trainer, _):
        steps = (event for event in train(trainer) if isinstance(event, Step))
        list(islice(steps, WARM_UP))
        now()
        with profile(activities=activities) as found, record_function(STEP):
            next(steps)
            now()
    return summed(found.events() or ())


def summed(events: Iterable[Any]) -> Profiled:
    """What a profile says of the one step in it."""
    events = list(events)
    step = next(it for it in events if it.name == STEP and it.device_type == DeviceType.CPU)
    inside = [it for it in events if it is not step and span(step)[0] <= it.time_range.start
              and it.time_range.end <= span(step)[1]]  # fmt: skip
    on_gpu = [it for it in inside if it.device_type == DeviceType.CUDA and it.name != STEP]
    operators = [it for it in inside if is_operator(it)]
    kernels = on_gpu or [it for it in operators if not any(map(is_operator, it.cpu_children))]
    waits = sum(it.name in WAITS for it in inside) - 1  # `now` asks for one
    if not on_gpu:
        waits = sum(it.name in READS for it in inside)
    length = span(step)[1] - span(step)[0]
    busy = sum(end - start for start, end in together(map(span, on_gpu or operators)))
    most = dict(Counter(it.name for it in kernels).most_common(MOST))
    return Profiled(len(kernels), waits, length / 1e6, 1 - busy / length, most)


def is_operator(event: Any) -> bool:
    """Whether an event is one of torch's operators that compute."""
    return event.name.startswith("aten::") and event.name not in SHAPES


def span(event: Any) -> Span:
    """An event's start and end in microseconds."""
    return event.time_range.start, event.time_range.end


def together(spans: Iterable[Span]) -> Iterator[Span]:
    """Spans that overlap as one."""
    start = end = float("-inf")
    for one, other in sorted(spans):
        if one > end:
            if end > start:
                yield start, end
            start, end = one, other
        end = max(end, other)
    if end > start:
        yield start, end


def row(found: Profiled) -> str:
    """What stands below HEADER."""
    return f"{found.kernels:7}  {found.waits:5}  {found.seconds:7.3f}  {found.idle:6.1%}"


if __name__ == "__main__":
    main()
