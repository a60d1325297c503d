"""A run that suddenly takes several times as long and stays so, noticed by its step times.

On Windows a full GPU goes on in the machine's shared memory, at a fraction of the speed, and
says nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

WARM_UP, SEEN, LASTING = 2, 8, 6
"""Steps left out, steps that tell what is usual, steps that must all be slow."""
SLOWER = 2.5
"""How many times as long as usual the quickest of them must take."""
TO_DO = {
    "cuda": "the GPU's memory may have spilled into shared memory: close what else uses it, turn "
            "on gradient_checkpointing, or lower train_batch_size or the resolution",
    "cpu": "another program may be at work, or memory may be swapped to the disk",
}  # fmt: skip


def slowdown(times: Sequence[float]) -> float | None:
    """How many times as long as usual the last steps take (seconds each); None where they do not.

    Usual is the median of all before them; the quickest of the last ones counts, so that a pause or
    a large picture alone is none.
    """
    usual, last = times[WARM_UP:-LASTING], times[-LASTING:]
    if len(usual) < SEEN:
        return None
    factor = min(last) / median(usual)
    return factor if factor >= SLOWER else None


@dataclass
class Watchdog:
    """Looks at every step's time, and barks once."""

    device: str
    """cuda or cpu: what the advice depends on."""
    times: list[float] = field(default_factory=list)
    silent: bool = False

    def look(self, seconds: float) -> str | None:
        """What to tell behind a step; None mostly."""
        if self.silent:
            return None
        self.times.append(seconds)
        factor = slowdown(self.times)
        if factor is None:
            return None
        self.silent = True
        to_do = TO_DO.get(self.device, TO_DO["cpu"])
        return f"a step takes {factor:.1f} times as long as before ({seconds:.1f} s): {to_do}"
