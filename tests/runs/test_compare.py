"""What two runs do not share, and a run with something changed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lib_lora_cook.config import NetworkConfig, SubsetConfig, TrainingConfig
from lib_lora_cook.errors import UserError
from lib_lora_cook.runs.compare import changed, differences

RUN = TrainingConfig(subsets=(SubsetConfig(image_dir="/kafka"), SubsetConfig(image_dir="/himeko")))


def test_every_difference_is_named_once() -> None:
    other = replace(
        RUN,
        network=NetworkConfig(network_dim=32),
        subsets=(replace(RUN.subsets[0], keep_tokens=1),),
    )
    assert differences(RUN, other) == [
        ("network_dim", 16, 32),
        ("subsets[1].keep_tokens", 0, 1),
        ("subsets[2]", "/himeko", None),
    ]
    assert differences(RUN, RUN) == []


def test_a_change_is_read_as_in_a_run_file() -> None:
    again = changed(RUN, {"network_dim": 32, "resolution": 768, "keep_tokens": 1})
    assert [name for name, _, _ in differences(RUN, again)] == [
        "resolution", "network_dim", "subsets[1].keep_tokens", "subsets[2].keep_tokens",
    ]  # fmt: skip
    assert again.bucket.resolution == (768, 768)
    assert again.subsets[1].image_dir == "/himeko"


def test_wrong_changes_are_told_together() -> None:
    with pytest.raises(UserError) as caught:
        changed(RUN, {"netwrk_dim": 3, "network_alpha": -1.0})
    assert "did you mean network_dim?" in str(caught.value)
    assert "network_alpha is -1.0" in str(caught.value)
