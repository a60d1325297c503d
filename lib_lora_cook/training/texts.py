"""Encoded captions, kept while the text encoder is not trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from ..models.trainable import Conditioning, PictureSize, TrainableModel, size_ids

MOST_BYTES = 512 * 1024**2
"""In main memory: some 250 captions of SDXL at 225 tokens, 2,000 of SD1 at 75."""


@dataclass
class EncodedTexts:
    """Conditioning by caption; what was not used for longest makes room.

    Captions are encoded one at a time, so that a caption's states do not depend on what stood
    beside it when it was first met: a resumed run, which meets others first, goes on bit for bit.
    """

    model: TrainableModel
    most_bytes: int = MOST_BYTES
    kept: dict[str, Conditioning] = field(default_factory=dict)
    bytes: int = 0

    def of(self, captions: Sequence[str], sizes: Sequence[PictureSize]) -> Conditioning:
        """What the captions [B] say, on the model's device; without gradients."""
        rows = [self._row(caption, size) for caption, size in zip(captions, sizes, strict=True)]
        pooled = [row.pooled for row in rows if row.pooled is not None]
        device = self.model.device
        hidden = torch.cat([row.hidden for row in rows]).to(device, non_blocking=True)
        if not pooled:
            return Conditioning(hidden)
        return Conditioning(
            hidden, torch.cat(pooled).to(device, non_blocking=True), size_ids(sizes, device)
        )

    @torch.no_grad()
    def _row(self, caption: str, size: PictureSize) -> Conditioning:
        row = self.kept.pop(caption, None)
        if row is None:
            encoded = self.model.encode_text([caption], [size])
            pooled = None if encoded.pooled is None else encoded.pooled.cpu()
            row = Conditioning(encoded.hidden.cpu(), pooled)
            self.bytes += _bytes_of(row)
        self.kept[caption] = row
        while self.bytes > self.most_bytes and len(self.kept) > 1:
            self.bytes -= _bytes_of(self.kept.pop(next(iter(self.kept))))
        return row


def _bytes_of(row: Conditioning) -> int:
    tensors = [row.hidden] if row.pooled is None else [row.hidden, row.pooled]
    return sum(it.numel() * it.element_size() for it in tensors)
