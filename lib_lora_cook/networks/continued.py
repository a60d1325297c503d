"""Going on from a LoRA file: its adapters, trained or kept, and fresh ones beside them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from ..config import NetworkConfig, OptimizerConfig, learning_rates
from ..errors import UserError
from .attach import Network, make_adapter, set_dropouts
from .blocks import blocks_of, group_of
from .targets import KOHYAS_OWN, AdaptableLayer, network_targets
from .weights import kind_of_tensors, network_of_file, read_file

RANKED = ("lora_down.weight", "hada_w1_b", "lokr_w2_b")
"""Tensors whose first side is the rank."""
CONVOLUTION = re.compile(r"_(conv\d?|conv_in|conv_out|in_layers_2|out_layers_3|op)$")
"""Names of 3x3 convolutions; LoHa's tensors do not tell them from others by their shape."""


def with_ranks_of_file(config: NetworkConfig) -> NetworkConfig:
    """The settings with the ranks and alphas of `network_weights`, if there is one.

    UserError where the file cannot be read or is of another kind than `network_type`.
    """
    if not config.network_weights:
        return config
    tensors, _ = read_file(Path(config.network_weights))
    kind = kind_of_tensors(tensors)
    if kind and kind != config.network_type and not {kind, config.network_type} <= set(KOHYAS_OWN):
        raise UserError(
            f"This file is a {kind}, and network_type is {config.network_type}",
            config.network_weights, f'Set network_type = "{kind}", or choose another file.',
        )  # fmt: skip
    found: dict[str, Any] = {}
    for prefix, conv in (("network", False), ("conv", True)):
        ranks = _ranks(tensors, conv)
        if ranks:
            dim, alpha = ranks.most_common(1)[0][0]
            found |= {f"{prefix}_dim": dim, f"{prefix}_alpha": alpha}
    return replace(config, **found)


def continued_network(
    layers: Sequence[AdaptableLayer], network: NetworkConfig, optimizer: OptimizerConfig
) -> Network:
    """The network of `network_weights` with the dropouts of the run.

    Where the learning rate is 0, the file's adapters are kept as they are. Layers that the run
    adapts and the file does not get fresh ones, as with sd-scripts, unless `dim_from_weights`.
    """
    read = network_of_file(Path(network.network_weights), layers)
    adapters: dict[str, Any] = {it.name: (it, read.adapters[it.name]) for it in read.targets}
    for _, adapter in adapters.values():
        set_dropouts(adapter, network)
    if not network.dim_from_weights:
        for target in network_targets(layers, network, optimizer):
            if target.name not in adapters:
                adapters[target.name] = (target, make_adapter(target, network))
    whole = Network(adapters[layer.name] for layer in layers if layer.name in adapters)
    rates = learning_rates(optimizer)
    blocks = blocks_of(network, (layer.name for layer in layers))
    whole.freeze(
        it.name for it in whole.targets if group_of(it.name, it.part, rates, blocks)[1] == 0
    )
    return whole


def _ranks(tensors: dict[str, Tensor], conv: bool) -> Counter[tuple[int, float]]:
    """How many modules have which (dim, alpha), of the 3x3 convolutions or of the others."""
    found: Counter[tuple[int, float]] = Counter()
    for key, value in tensors.items():
        name, _, end = key.partition(".")
        if end in RANKED and bool(CONVOLUTION.search(name)) == conv:
            dim = value.shape[0]
            found[dim, float(tensors.get(f"{name}.alpha", dim))] += 1
    return found
