"""The text encoders of LDM models: a host's own, read by kohya's rules (KOHYA 3.5, 3.6)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from .ldm_layers import SplitAttention, clip_layers, open_clip_layers
from .text import final_norm, hidden_states, last_states, pooled_at_eos
from .trainable import Layer

Encode = Callable[[Tensor, int, bool], tuple[Tensor, "Tensor | None"]]
"""(ids [N, 77], layers to leave out, whether to put the final norm behind) ->
(states [N, 77, C], pooled [N, P] or None)."""


@dataclass(frozen=True)
class TextEncoder:
    """One live text encoder."""

    module: nn.Module
    tokenizer: Any
    encode: Encode
    layers: Callable[[], list[Layer]]
    splits: list[SplitAttention] = field(default_factory=list)
    """What `layers` put on; taken off by the model's release."""


class RepaddedTokenizer:
    """A CLIP tokenizer that pads with another id than the one it wraps (SD2, SDXL's second)."""

    def __init__(self, tokenizer: Any, pad_token_id: int = 0) -> None:
        self._tokenizer, self.pad_token_id = tokenizer, pad_token_id
        self.bos_token_id: int = tokenizer.bos_token_id
        self.eos_token_id: int = tokenizer.eos_token_id

    def __call__(self, captions: Sequence[str], **options: Any) -> SimpleNamespace:
        """`input_ids` [B, T], padded behind the first EOS."""
        ids: Tensor = self._tokenizer(captions, **options).input_ids
        behind = (ids == self.eos_token_id).long().cumsum(-1) - (ids == self.eos_token_id).long()
        padded = torch.where(behind > 0, torch.full_like(ids, self.pad_token_id), ids)
        return SimpleNamespace(input_ids=padded)


class IdTokenizer:
    """A host's function of texts to bare ids, called as transformers' tokenizers are."""

    def __init__(
        self, ids_of: Callable[[list[str]], list[list[int]]], bos: int, eos: int, pad: int
    ) -> None:
        self._ids_of = ids_of
        self.bos_token_id, self.eos_token_id, self.pad_token_id = bos, eos, pad

    def __call__(
        self, captions: Sequence[str], *, max_length: int, padding: str = "", **options: Any
    ) -> SimpleNamespace:
        """`input_ids` [B, T], cut off at max_length; padded to it where `padding` says so."""
        inner = [ids[: max_length - 2] for ids in self._ids_of(list(captions))]
        rows = [[self.bos_token_id, *ids, self.eos_token_id] for ids in inner]
        width = max_length if padding == "max_length" else max(map(len, rows))
        padded = [row + [self.pad_token_id] * (width - len(row)) for row in rows]
        return SimpleNamespace(input_ids=torch.tensor(padded))


def clip_encoder(
    module: nn.Module,
    tokenizer: Any,
    prefix: str,
    projection: Callable[[Tensor], Tensor] | None = None,
) -> TextEncoder:
    """A transformers CLIP text model; projection gives SDXL's pooled state."""

    def encode(ids: Tensor, skip: int, norm: bool) -> tuple[Tensor, Tensor | None]:
        if projection is None:  # SDXL's pooled state is made of the last layer's.
            return last_states(module, ids, skip, norm=norm), None
        states, output = hidden_states(module, ids, skip, norm=norm)
        last = final_norm(module)(output.hidden_states[-1])
        return states, projection(pooled_at_eos(last, ids, tokenizer.eos_token_id))

    return TextEncoder(module, tokenizer, encode, lambda: clip_layers(module, prefix))


def open_clip_encoder(embedder: Any, tokenizer: Any, prefix: str, unread: int = 0) -> TextEncoder:
    """LDM's wrapper of open_clip's text model: it knows its own depth, norm and pooling.

    The last `unread` layers are never computed; kohya's SD2 encoder does not have them either.
    """
    splits: list[SplitAttention] = []

    def encode(ids: Tensor, skip: int, norm: bool) -> tuple[Tensor, Tensor | None]:
        output = embedder.encode_with_transformer(ids)
        if isinstance(output, Tensor):  # SD2: the penultimate states, normed
            return output, None
        return output["penultimate"], output["pooled"]

    def layers() -> list[Layer]:
        if not splits:
            blocks = embedder.model.transformer.resblocks
            splits.extend(SplitAttention(it.attn) for it in blocks[: len(blocks) - unread])
        return open_clip_layers(embedder.model, prefix, splits)

    return TextEncoder(embedder.model, tokenizer, encode, layers, splits)
