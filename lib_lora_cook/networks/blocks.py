"""Learning rates and ranks by block of the UNet, as sd-scripts `networks/lora.py` reads them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..config import NetworkConfig, Rates
from ..errors import UserError

DIFFUSERS = re.compile(r"_(up|down)_blocks_(\d+)_(resnets|attentions|\w+samplers)_(\d+)_")
LDM = re.compile(r"lora_unet_(input|middle|output)_blocks?_(\d+)_")


@dataclass(frozen=True)
class Count:
    """How many blocks a UNet has before, in and behind its middle."""

    family: str
    side: int
    middle: int
    ends: int
    """Blocks before the first and behind the last, for kohya's lists of ranks; no adapter there."""

    @property
    def total(self) -> int:
        """The length of kohya's lists of ranks."""
        return 2 * self.side + self.middle + 2 * self.ends


SD, SDXL = Count("SD1 and SD2", 12, 1, 0), Count("SDXL", 9, 3, 1)

PRESETS: dict[str, Callable[[float], float]] = {
    "cosine": lambda p: math.sin(math.pi * (1 - p) / 2),
    "sine": lambda p: math.sin(math.pi * p / 2),
    "linear": lambda p: p,
    "reverse_linear": lambda p: 1 - p,
    "zeros": lambda p: 0.0,
}
"""The share of a block at p in 0..1, from the first block of a side to its last."""


@dataclass(frozen=True)
class Blocks:
    """What a run sets by block, each as long as the UNet has blocks, or empty where not set."""

    weights: tuple[float, ...] = ()
    """Shares of unet_lr; 0: not trained."""
    dims: tuple[int, ...] = ()
    alphas: tuple[float, ...] = ()
    conv_dims: tuple[int, ...] = ()
    conv_alphas: tuple[float, ...] = ()

    def weight(self, name: str) -> float:
        """A layer's share of its part's learning rate."""
        block = block_of(name)
        return self.weights[block] if self.weights and block is not None else 1.0

    def rank(self, name: str, conv: bool, usual: tuple[int, float]) -> tuple[int, float]:
        """(dim, alpha) of a layer by its name; `usual` where its block has none of its own."""
        block = block_of(name)
        if block is None:
            return usual
        dims, alphas = (self.conv_dims, self.conv_alphas) if conv else (self.dims, self.alphas)
        return (dims[block] if dims else usual[0]), (alphas[block] if alphas else usual[1])


def blocks_of(config: NetworkConfig, names: Iterable[str]) -> Blocks:
    """The settings by block of a UNet with these layers; UserError where their number is wrong."""
    count = SDXL if any(LDM.match(name) for name in names) else SD
    ranks = []
    for name, text in _ranks(config).items():
        numbers = _numbers(text)
        if numbers and len(numbers) != count.total:
            raise _wrong_number(name, len(numbers), count.total, count)
        ranks.append(numbers)
    dims, alphas, conv_dims, conv_alphas = ranks
    if conv_dims and not conv_alphas:  # kohya's own, not the network's alpha
        conv_alphas = [1.0 if config.conv_alpha is None else config.conv_alpha] * count.total
    return Blocks(
        tuple(_weights(config, count)), tuple(map(int, dims)), tuple(alphas),
        tuple(map(int, conv_dims)), tuple(conv_alphas),
    )  # fmt: skip


def block_of(name: str) -> int | None:
    """The block of a layer by kohya's name, counted through the UNet; None outside of all."""
    if found := DIFFUSERS.search(name):
        side, block, kind, index = found.groups()
        place = 3 * int(block) + (2 if kind.endswith("samplers") else int(index))
        return place + 1 if side == "down" else SD.side + SD.middle + place
    if "_mid_block_" in name:
        return SD.side
    if found := LDM.match(name):
        starts = {
            "input": SDXL.ends, "middle": SDXL.ends + SDXL.side,
            "output": SDXL.ends + SDXL.side + SDXL.middle,
        }  # fmt: skip
        return starts[found[1]] + int(found[2])
    return None


def group_of(name: str, part: str, rates: Rates, blocks: Blocks) -> tuple[str, float]:
    """(the name of its parameter group, its learning rate) of a layer by kohya's name."""
    if part == "text_encoder":
        if name.startswith("lora_te2_") and rates.text_encoder_2 != rates.text_encoder:
            return "text_encoder_2", rates.text_encoder_2
        return "text_encoder", rates.text_encoder
    block = block_of(name)
    if not blocks.weights or block is None:
        return "unet", rates.unet
    return f"unet_block{block}", rates.unet * blocks.weight(name)


def problems(config: NetworkConfig) -> list[str]:
    """What cannot be read in the settings by block, in words that say what to do."""
    wrong, ranks = [], _ranks(config)
    for name, given in {**_shares_given(config), **ranks}.items():
        preset = name in ("down_lr_weight", "up_lr_weight")
        try:
            numbers = _shares(given, SD.side) if preset else _numbers(given)
        except ValueError:
            either = f", or one of {', '.join(PRESETS)}" if preset else ""
            wrong.append(f"{name} is {given!r}: give numbers with commas between{either}")
            continue
        if any(not math.isfinite(it) or it < 0 for it in numbers):
            wrong.append(f"{name} is {given!r}: give numbers of 0 or more")
        elif name in ranks and given and len(numbers) not in (SD.total, SDXL.total):
            wrong.append(
                f"{name} has {len(numbers)} numbers: give {SD.total} for {SD.family}, "
                f"{SDXL.total} for {SDXL.family}"
            )
        elif name.endswith("dims") and any(it % 1 for it in numbers):
            wrong.append(f"{name} is {given!r}: give whole numbers")
    return wrong


def _shares_given(config: NetworkConfig) -> dict[str, str]:
    """The shares of learning rates by the settings' names, in the order of the blocks."""
    return {
        "down_lr_weight": config.down_lr_weight, "mid_lr_weight": config.mid_lr_weight,
        "up_lr_weight": config.up_lr_weight,
    }  # fmt: skip


def _ranks(config: NetworkConfig) -> dict[str, str]:
    """The lists of ranks and alphas by the settings' names."""
    return {
        "block_dims": config.block_dims, "block_alphas": config.block_alphas,
        "conv_block_dims": config.conv_block_dims, "conv_block_alphas": config.conv_block_alphas,
    }  # fmt: skip


def _weights(config: NetworkConfig, count: Count) -> list[float]:
    """Shares of unet_lr of all blocks, empty where none is set; a short list ends in ones."""
    given = _shares_given(config)
    if not any(given.values()):
        return []
    found = [1.0] * count.ends
    for (name, text), size in zip(
        given.items(), (count.side, count.middle, count.side), strict=True
    ):
        shares = _shares(text, size)
        if len(shares) > size:
            raise _wrong_number(name, len(shares), size, count)
        kept = [it if it > config.block_lr_zero_threshold else 0.0 for it in shares]
        found += kept + [1.0] * (size - len(kept))
    return found + [1.0] * count.ends


def _shares(text: str, size: int) -> list[float]:
    """The numbers of a list, or of a preset such as `cosine+.2`; ValueError where it is neither."""
    name, _, offset = text.partition("+")
    if name.strip() in PRESETS:
        preset, more = PRESETS[name.strip()], float(offset or 0)
        return [preset(place / (size - 1)) + more for place in range(size)]
    return _numbers(text)


def _numbers(text: str) -> list[float]:
    """`0,.5,,1` as numbers, nothing between two commas being 0."""
    return [float(it) if it.strip() else 0.0 for it in text.split(",")] if text.strip() else []


def _wrong_number(name: str, given: int, wanted: int, count: Count) -> UserError:
    return UserError(
        f"{name} has {given} numbers, and the UNet of {count.family} takes {wanted}",
        "the run's settings", f"Give {wanted} numbers, or none.",
    )  # fmt: skip
