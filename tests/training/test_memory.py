"""Memory taken and memory left."""

from __future__ import annotations

import sys

import pytest
import torch

from lib_lora_cook.training.memory import Living, bytes_in_use, free_bytes, most_taken, peak_bytes


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_what_is_free_and_what_was_taken_are_told_in_bytes() -> None:
    free = free_bytes(torch.device("cpu"))
    assert free is not None
    assert 1 << 20 < free < 1 << 50
    assert 1 << 20 < peak_bytes() < 1 << 50
    assert 1 << 20 < bytes_in_use(torch.device("cpu")) < 1 << 50


def test_what_is_gone_is_not_counted() -> None:
    living = Living()
    with living:
        first = torch.ones(1000)
        view = first[:10]
        assert (living.bytes, living.most) == (4000, 4000)
        del first
        assert living.bytes == 4000, "a view keeps it"
        del view
        assert (living.bytes, living.most) == (0, 4000)


def test_what_a_block_takes_is_counted_beyond_what_was_there() -> None:
    before = torch.ones(1000)
    with most_taken(torch.device("cpu")) as taken:
        (before[:500].view(500) + before[500:]).sum()
    assert taken.most == 2004
