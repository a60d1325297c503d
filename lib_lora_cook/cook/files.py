"""The names of a run's files."""

from __future__ import annotations


def lora_name(name: str, epoch: int, *, last: bool) -> str:
    """kohya's file names: `name-000003.safetensors`, and the last one without its epoch."""
    return f"{name}.safetensors" if last else f"{name}-{epoch:06d}.safetensors"
