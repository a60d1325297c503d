"""Memory taken and memory left."""

from __future__ import annotations

import sys

import pytest
import torch

from lib_lora_cook.training.memory import free_bytes, peak_bytes


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_what_is_free_and_what_was_taken_are_told_in_bytes() -> None:
    free = free_bytes(torch.device("cpu"))
    assert free is not None
    assert 1 << 20 < free < 1 << 50
    assert 1 << 20 < peak_bytes() < 1 << 50
