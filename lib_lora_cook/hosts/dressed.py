"""Several weights of one LoRA in one batch: the WebUIs encode equal prompts only once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from .base import GenerateRequest

if TYPE_CHECKING:
    from ..networks.wardrobe import LoraWardrobe

PIXELS = 8 * 512 * 512
"""Drawn at once at most."""
SEVERAL_IN_ONE = re.compile(r"\bAND\b")
"""Where this stands in a prompt, a picture is several places of the UNet's batch."""


def batches(
    request: GenerateRequest, weights: Sequence[float] | None, side: int
) -> Iterator[slice]:
    """The pictures that are drawn at once: few enough, and of one weight where they must be.

    side: pixels where the request names none.
    """
    count = len(request.prompts)
    most = max(1, PIXELS // ((request.width or side) * (request.height or side)))
    alike = weights is not None and any(map(SEVERAL_IN_ONE.search, request.prompts))
    each = list(weights) if alike and weights is not None else [0.0] * count
    start = 0
    for _, group in groupby(each):
        end = start + len(list(group))
        for first in range(start, end, most):
            yield slice(first, min(first + most, end))
        start = end


def encode_apart(task: Any, wardrobe: LoraWardrobe, forget: Callable[[], None]) -> None:
    """Have a task's prompts told to the text encoder at each weight by itself.

    The WebUIs encode equal prompts once and keep the result by prompt alone; `forget` empties that.
    What belongs to the pictures comes out in their order, and they are then worn at their weights.
    """
    encode, (lora, weights) = task.setup_conds, wardrobe.worn
    if not isinstance(weights, Sequence):
        return

    def setup_conds() -> None:
        prompts, negative = list(task.prompts), list(task.negative_prompts)
        told: list[Any] = [None] * len(prompts)
        against: list[Any] = [None] * len(prompts)
        for weight in dict.fromkeys(weights):
            places = [place for place, it in enumerate(weights) if it == weight]
            task.prompts = [prompts[it] for it in places]
            task.negative_prompts = [negative[it] for it in places]
            wardrobe.wear(lora, weight)
            forget()
            encode()
            for place, one in zip(places, task.c.batch, strict=True):
                told[place] = one
            for place, one in zip(places, task.uc or (), strict=bool(task.uc)):
                against[place] = one
        forget()
        task.prompts, task.negative_prompts = prompts, negative
        task.c = type(task.c)((len(prompts),), told)
        task.uc = against if task.uc else None  # Forge asks for none at a CFG scale of 1
        wardrobe.wear(lora, weights)

    task.setup_conds = setup_conds
