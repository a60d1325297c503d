"""How a batch's rows are dealt out, and what a crew of one does."""

from __future__ import annotations

from itertools import accumulate

import pytest
import torch
from torch import nn

from lib_lora_cook.errors import UserError
from lib_lora_cook.training.distributed import ALONE, Crew, crew_of, ended_together


@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("most", [1, 2, 8])
@pytest.mark.parametrize("batches", [[4], [1], [2, 2], [1, 1, 1], [3, 1, 5]])
def test_every_row_is_computed_by_one_process(size: int, most: int, batches: list[int]) -> None:
    shares = []
    for rank in range(size):
        share = []
        for before, count in zip(accumulate([0, *batches]), batches, strict=False):
            for rows in Crew(rank, size).rows(before, count, most):
                chosen = list(range(count))[rows]
                assert 0 < len(chosen) <= most
                share += [before + it for it in chosen]
        shares.append(share)
    assert sorted(it for share in shares for it in share) == list(range(sum(batches)))
    lengths = [len(it) for it in shares]
    assert max(lengths) - min(lengths) <= 1


def test_alone_the_rows_are_taken_as_they_come() -> None:
    assert list(ALONE.rows(3, 5, 2)) == [slice(0, 2, 1), slice(2, 4, 1), slice(4, 5, 1)]


def test_torchrun_tells_who_is_who() -> None:
    assert crew_of({}) is ALONE
    assert crew_of({"RANK": "0", "WORLD_SIZE": "1"}) is ALONE
    assert crew_of({"RANK": "2", "WORLD_SIZE": "4"}) == Crew(2, 4)
    assert [Crew(rank, 2).leads for rank in (0, 1)] == [True, False]


def test_a_crew_of_one_changes_nothing_and_waits_for_no_one() -> None:
    parameter, loss = nn.Parameter(torch.ones(2)), torch.tensor(3.0)
    assert ALONE.sum_gradients([parameter], loss) is loss
    assert parameter.grad is None
    assert ALONE.any(True)
    assert not ALONE.any(False)
    assert ALONE.told("x") == "x"


def test_one_that_is_gone_ends_the_others_with_a_word() -> None:
    with pytest.raises(UserError, match="Another process of this run has ended"), ended_together():
        raise RuntimeError("Connection closed by peer\nat pair.cc")
