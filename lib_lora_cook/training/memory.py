"""How much memory the run has taken, and how much there is."""

from __future__ import annotations

import sys
from pathlib import Path

import torch


def peak_bytes() -> int:
    """The most bytes in use so far: on the GPU if there is one, else of the process; 0 unknown."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)


def free_bytes(device: torch.device) -> int | None:
    """Bytes that a run on a device can still take; None where nobody tells (CPU, not Linux)."""
    if device.type == "cuda":
        ours = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + ours
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    told = dict(line.split(":", 1) for line in lines)
    return int(told["MemAvailable"].split()[0]) * 1024 if "MemAvailable" in told else None
