"""Parts that wait in main memory, and come back for as long as they are needed."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from lib_lora_cook.models import waiting

GPU = torch.device("cuda")


class Part(nn.Module):
    """Stands on a device that this machine need not have."""

    def __init__(self, place: torch.device) -> None:
        super().__init__()
        self.place, self.trail = place, [place.type]

    def to(self, *where: Any, **how: Any) -> Part:
        """Go there."""
        self.place = where[0]
        self.trail.append(self.place.type)
        return self


@pytest.fixture(autouse=True)
def places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "place_of", lambda part: part.place)


def test_what_waits_comes_when_it_is_called_and_goes_back_where_it_was() -> None:
    one, other = Part(GPU), Part(GPU)
    with pytest.raises(ZeroDivisionError), waiting.waiting([one, other]):
        with waiting.at_hand([one], GPU):
            assert (one.place.type, other.place.type) == ("cuda", "cpu")
        assert one.place.type == "cpu"
        raise ZeroDivisionError
    assert one.trail == ["cuda", "cpu", "cuda", "cpu", "cuda"]
    assert other.trail == ["cuda", "cpu", "cuda"]


def test_what_is_there_is_left_alone() -> None:
    part = Part(GPU)
    with waiting.waiting([]), waiting.at_hand([part], GPU), waiting.at_hand([part], GPU):
        pass
    assert part.trail == ["cuda"]


def test_where_a_part_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert waiting.place_of(nn.Linear(1, 1, device="meta")) == torch.device("meta")
    assert waiting.place_of(nn.Identity()) == torch.device("cpu")


def test_what_waits_is_left_out_of_what_is_brought() -> None:
    part = nn.Sequential(nn.Linear(1, 1), nn.BatchNorm1d(1), nn.Linear(1, 1))
    waiting.bring(part, torch.device("meta"), but=[part[2]])
    places = [it.device.type for it in (*part.parameters(), *part.buffers())]
    assert places == ["meta"] * 4 + ["cpu"] * 2 + ["meta"] * 3
