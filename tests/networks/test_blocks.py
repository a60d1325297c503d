"""Learning rates and ranks by block: sd-scripts' numbers, and what a wrong list is told."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from lib_lora_cook.config import NetworkConfig, OptimizerConfig, Rates
from lib_lora_cook.errors import UserError
from lib_lora_cook.networks.blocks import block_of, blocks_of, group_of, problems
from lib_lora_cook.networks.targets import network_targets
from tests.real_models import real_layers

KOHYAS = json.loads((Path(__file__).parent / "blocks.json").read_text())
"""weights: [SDXL?, down_, mid_, up_lr_weight, block_lr_zero_threshold, share of each block];
blocks: layers of a LoCon by block. As sd-scripts v0.10.1 computes them."""
NAMES = {False: ["lora_unet_mid_block_a"], True: ["lora_unet_input_blocks_1_0_a"]}
LOCON = {"network_type": "LoCon", "conv_dim": 4}


@pytest.mark.parametrize("case", KOHYAS["weights"])
def test_shares_are_those_of_sd_scripts(case: list[Any]) -> None:
    sdxl, down, mid, up, threshold, expected = case
    config = NetworkConfig(
        down_lr_weight=down, mid_lr_weight=mid, up_lr_weight=up, block_lr_zero_threshold=threshold
    )
    assert problems(config) == []
    assert blocks_of(config, NAMES[sdxl]).weights == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_every_layer_is_in_the_block_that_sd_scripts_counts_it_to(family: str) -> None:
    targets = network_targets(
        real_layers(family), NetworkConfig(**LOCON), OptimizerConfig(text_encoder_lr=0.0)
    )
    found = Counter(block_of(target.name) for target in targets)
    expected = KOHYAS["blocks"][family]
    assert [found[block] for block in range(len(expected))] == expected
    assert sum(expected) == len(targets)


@pytest.mark.parametrize("name", ["lora_te_text_model_a", "lora_unet_conv_in", "lora_unet_out_2"])
def test_what_is_in_no_block_has_its_whole_rate(name: str) -> None:
    assert block_of(name) is None
    blocks = blocks_of(NetworkConfig(down_lr_weight="zeros"), [name])
    assert blocks.weight(name) == 1.0
    assert blocks.rank(name, False, (4, 2.0)) == (4, 2.0)


def test_a_block_at_0_gets_no_adapter_and_the_others_their_share() -> None:
    config = NetworkConfig(**LOCON, down_lr_weight="zeros", mid_lr_weight="0.5")
    targets = network_targets(real_layers("sd1"), config, OptimizerConfig(unet_lr=0.2))
    names = [target.name for target in targets]
    assert not [name for name in names if "down_blocks" in name]
    assert [name for name in names if "up_blocks" in name]
    blocks = blocks_of(config, names)
    rates = {group_of(it.name, it.part, Rates(0.2, 0.1, 0.1), blocks) for it in targets}
    assert {("text_encoder", 0.1), ("unet_block12", 0.1), ("unet_block24", 0.2)} <= rates


def test_the_second_text_encoder_has_a_group_of_its_own_where_its_rate_differs() -> None:
    name, blocks = "lora_te2_a", blocks_of(NetworkConfig(), [])
    assert group_of(name, "text_encoder", Rates(1, 2, 3), blocks) == ("text_encoder_2", 3)
    assert group_of(name, "text_encoder", Rates(1, 2, 2), blocks) == ("text_encoder", 2)
    assert group_of("lora_te1_a", "text_encoder", Rates(1, 2, 3), blocks) == ("text_encoder", 2)


def test_ranks_are_taken_by_block() -> None:
    dims = [4] * 23
    dims[5], dims[11] = 8, 0
    numbers = ",".join(map(str, dims))
    config = NetworkConfig(
        block_dims=numbers, conv_block_dims=numbers, block_alphas=",".join(["2.5"] * 23)
    )
    targets = network_targets(real_layers("sdxl"), config, OptimizerConfig(text_encoder_lr=0.0))
    by_block = {block_of(it.name): it for it in targets}
    assert by_block[5].dim == 8 and by_block[4].dim == 4
    assert 11 not in by_block
    alphas = {(getattr(it.module, "kernel_size", 1) == (3, 3), it.alpha) for it in targets}
    assert alphas == {(True, 1.0), (False, 2.5)}  # conv_block_alphas are 1 where not given


def test_a_rank_by_block_without_convolutions_adapts_none() -> None:
    config = NetworkConfig(block_dims=",".join(["4"] * 25))
    assert len(network_targets(real_layers("sd1"), config, OptimizerConfig())) == 264


@pytest.mark.parametrize(
    ("settings", "sdxl", "says"),
    [
        (
            {"block_dims": ",".join(["4"] * 25)},
            True,
            "block_dims has 25 numbers, and the UNet of SDXL takes 23",
        ),
        (
            {"up_lr_weight": ",".join(["1"] * 12)},
            True,
            "has 12 numbers, and the UNet of SDXL takes 9",
        ),
        ({"mid_lr_weight": "1,1,1"}, False, "has 3 numbers, and the UNet of SD1 and SD2 takes 1"),
    ],
)
def test_a_list_of_another_family_is_refused(
    settings: dict[str, str], sdxl: bool, says: str
) -> None:
    config = NetworkConfig(**settings)  # type: ignore[arg-type]
    assert problems(config) == []  # of which family the model is, is not known yet
    with pytest.raises(UserError, match=says):
        blocks_of(config, NAMES[sdxl])


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"down_lr_weight": "cosin"}, "or one of cosine, sine, linear"),
        ({"down_lr_weight": "sine+x"}, "give numbers with commas between"),
        ({"mid_lr_weight": "sine"}, "mid_lr_weight is 'sine': give numbers"),
        ({"up_lr_weight": "0,-1"}, "0 or more"),
        ({"up_lr_weight": "zeros+-1"}, "0 or more"),
        ({"block_dims": "4,4"}, "block_dims has 2 numbers: give 25 for SD1 and SD2, 23 for SDXL"),
        ({"conv_block_dims": ",".join(["4.5"] * 25)}, "give whole numbers"),
        ({"block_alphas": "nan" + ",1" * 22}, "0 or more"),
    ],
)
def test_what_cannot_be_read_is_told(settings: dict[str, str], says: str) -> None:
    found = problems(NetworkConfig(**settings))  # type: ignore[arg-type]
    assert len(found) == 1 and says in found[0]
