"""A sheet of pictures."""

from __future__ import annotations

from dataclasses import dataclass

from .settings import setting


@dataclass(frozen=True, kw_only=True)
class SweepConfig:
    """A sheet of pictures: epoch x weight x prompt x seed."""

    loras: tuple[str, ...] = setting((), "LoRA files, one an epoch")
    weights: tuple[float, ...] = setting((0.0, 0.4, 0.6, 0.8, 1.0), "Weights to try")
    prompts: tuple[str, ...] = setting((), "Prompts to try")
    negative_prompt: str = setting("", "What to keep out of every picture")
    seeds: tuple[int, ...] = setting((1,), "One picture a seed in every cell")
    steps: int = setting(20, "Sampling steps", low=1)
    cfg_scale: float = setting(7.0, "How closely to follow the prompt", low=1)
    width: int = setting(0, "Picture width in pixels; 0: the model's own", low=0)
    height: int = setting(0, "Picture height in pixels; 0: the model's own", low=0)
    batch_size: int = setting(8, "Pictures drawn at once; halved where memory runs out", low=1)
