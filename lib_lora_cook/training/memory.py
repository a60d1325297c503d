"""How much memory the run has taken."""

from __future__ import annotations

import sys

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
