"""Captions to CLIP states: chunks of 75 tokens, clip skip, gluing.

Follows sd-scripts `library/strategy_base.py` and `strategy_sd.py`: BOS, 75 tokens, EOS a chunk; the
glued states are the first BOS, 75 states of every chunk and the last state of the last chunk.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ..config import ModelConfig
from .emphasis import weighted_parts

CHUNK = 75


def caption_chunks(
    tokenizer: Any, captions: Sequence[str], config: ModelConfig
) -> tuple[Tensor, Tensor | None]:
    """(ids [B, n, 77], weights [B, n, 77] under weighted_captions, else None)."""
    if config.weighted_captions:
        return weighted_chunks(tokenizer, captions, config.max_token_length)
    return token_chunks(tokenizer, captions, config.max_token_length), None


def token_chunks(tokenizer: Any, captions: Sequence[str], max_token_length: int) -> Tensor:
    """Captions [B] to ids [B, n, 77], n = max_token_length / 75, cut off behind that."""
    rows = max(1, max_token_length // CHUNK)
    ids = tokenizer(
        list(captions), max_length=rows * CHUNK + 2, padding="max_length", truncation=True,
        return_tensors="pt",
    ).input_ids  # fmt: skip
    return _cut(ids, tokenizer)


def weighted_chunks(
    tokenizer: Any, captions: Sequence[str], max_token_length: int
) -> tuple[Tensor, Tensor]:
    """Captions [B] with emphasis to ids and weights, each [B, n, 77].

    Each part of equal weight is tokenised by itself, as sd-scripts does.
    """
    room = max(1, max_token_length // CHUNK) * CHUNK
    bos, eos, pad = tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id
    ids = torch.full((len(captions), room + 2), pad)
    weights = torch.ones(len(captions), room + 2)
    for row, caption in enumerate(captions):
        place = 1
        for text, weight in weighted_parts(caption):
            found = tokenizer([text], max_length=room + 2, truncation=True, return_tensors="pt")
            own = found.input_ids[0, 1:-1][: room + 1 - place]
            ids[row, place : place + len(own)] = own
            weights[row, place : place + len(own)] = weight
            place += len(own)
        ids[row, 0], ids[row, place] = bos, eos
    inner = weights[:, 1:-1].reshape(len(captions), -1, CHUNK)
    return _cut(ids, tokenizer), nn.functional.pad(inner, (1, 1), value=1.0)


def weighed(states: Tensor, weights: Tensor | None) -> Tensor:
    """Glued states [B, 75 n + 2, C] times their weights [B, n, 77]; the mean is not restored.

    sd-scripts once did restore it, as WebUIs do, and no longer does.
    """
    return (
        states
        if weights is None
        else states * glue(weights[..., None]).to(states, non_blocking=True)
    )


def _cut(ids: Tensor, tokenizer: Any) -> Tensor:
    """Ids [B, 75 n + 2] to chunks [B, n, 77], each with its own BOS and EOS."""
    bos, eos, pad = tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id
    inner = ids[:, 1:-1].reshape(len(ids), -1, CHUNK)
    chunks = torch.empty(*inner.shape[:2], CHUNK + 2, dtype=torch.long)
    chunks[..., 0], chunks[..., 1:-1], chunks[..., -1] = bos, inner, ids[:, -1:]
    return chunks if pad == eos else _mark_ends(chunks, eos, pad)


def _mark_ends(chunks: Tensor, eos: int, pad: int) -> Tensor:
    """Where padding is not EOS (SD2, SDXL's second encoder), every chunk still needs an EOS."""
    last_text = chunks[..., -2]
    full = (last_text != eos) & (last_text != pad)
    chunks[..., -1] = torch.where(full, torch.full_like(last_text, eos), chunks[..., -1])
    empty = chunks[..., 1] == pad
    chunks[..., 1] = torch.where(empty, torch.full_like(chunks[..., 1], eos), chunks[..., 1])
    return chunks


def glue(states: Tensor) -> Tensor:
    """States [B, n, 77, C] of n chunks to [B, 75 n + 2, C]."""
    batch, rows, _, width = states.shape
    if rows == 1:
        return states[:, 0]
    inner = states[:, :, 1:-1].reshape(batch, rows * CHUNK, width)
    return torch.cat([states[:, 0, :1], inner, states[:, -1, -1:]], dim=1)


def last_states(encoder: nn.Module, ids: Tensor, skip: int, *, norm: bool) -> Tensor:
    """States [B, T, C] `skip` layers before the end; what comes behind them is not computed."""
    with without_last_layers(encoder, skip - 1):
        return hidden_states(encoder, ids, skip, norm=norm)[0]


@contextmanager
def without_last_layers(encoder: nn.Module, count: int) -> Iterator[None]:
    """A transformers text encoder whose last layers pass on what they get, inside the block.

    They stay in their list: transformers 5 puts its hooks on what it finds there at the first call.
    """
    inner: Any = getattr(encoder, "text_model", encoder)
    layers = inner.encoder.layers
    if not 0 < count < len(layers):
        yield
        return
    tuples: list[bool] = []

    def pass_on(hidden: Tensor, *given: object, **options: object) -> Tensor | tuple[Tensor]:
        return (hidden,) if tuples[-1] else hidden  # as transformers 4 does, or 5

    last = layers[-count - 1]
    hook = last.register_forward_hook(lambda *it: tuples.append(isinstance(it[-1], tuple)))
    before = [(layer, layer.__dict__.get("forward")) for layer in layers[-count:]]
    for layer, _ in before:
        layer.forward = pass_on
    try:
        yield
    finally:
        hook.remove()
        for layer, own in before:
            del layer.forward
            if own is not None:
                layer.forward = own


def hidden_states(encoder: nn.Module, ids: Tensor, skip: int, *, norm: bool) -> tuple[Tensor, Any]:
    """(states [B, T, C] `skip` layers before the end, the encoder's whole output).

    skip 1 is the last layer; norm puts the final layer norm behind it (SD1), SDXL has none.
    """
    output = encoder(ids, output_hidden_states=True, return_dict=True)
    states = output.hidden_states[-skip]
    return (final_norm(encoder)(states) if norm else states), output


def final_norm(encoder: nn.Module) -> nn.Module:
    """The encoder's last layer norm; transformers 5 dropped the inner `text_model`."""
    inner: Any = getattr(encoder, "text_model", encoder)
    norm: nn.Module = inner.final_layer_norm
    return norm


def pooled_at_eos(states: Tensor, ids: Tensor, eos: int) -> Tensor:
    """The state [B, C] at the first EOS of each row of ids [B, T]."""
    first = (ids == eos).int().argmax(dim=-1)
    rows = torch.arange(len(states), device=states.device)
    return states[rows, first.to(states.device, non_blocking=True)]
