"""Encoded captions: once each, within a bound, on the model's device, and never of another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from lib_lora_cook.models.trainable import Conditioning, PictureSize
from lib_lora_cook.training.texts import EncodedTexts

SIZE, OTHER = PictureSize((64, 64), (0, 0), (64, 64)), PictureSize((9, 8), (7, 6), (5, 4))


class Encoder:
    """States made of a caption's letters; counts what it is asked."""

    device = torch.device("cpu")

    def __init__(self, pooled: bool = True) -> None:
        self.asked, self.pooled = list[str](), pooled

    def encode_text(self, captions: Sequence[str], sizes: Sequence[PictureSize]) -> Conditioning:
        self.asked += captions
        weight = torch.ones(1, requires_grad=True)
        value = weight * float(sum(map(ord, captions[0])))
        hidden, pooled = value.expand(1, 77, 4), value.expand(1, 8)
        return (
            Conditioning(hidden, pooled, torch.zeros(1, 6)) if self.pooled else Conditioning(hidden)
        )


def texts(encoder: Any, **options: Any) -> EncodedTexts:
    return EncodedTexts(encoder, **options)


def test_a_caption_is_encoded_once_and_sizes_are_those_asked_for() -> None:
    encoder = Encoder()
    kept = texts(encoder)
    kept.of(["a", ""], [SIZE, SIZE])
    found = kept.of(["", "a", "a"], [OTHER, SIZE, OTHER])
    assert encoder.asked == ["a", ""]
    assert found.hidden[:, 0, 0].tolist() == [0.0, 97.0, 97.0]
    assert found.pooled is not None and found.pooled[:, 0].tolist() == [0.0, 97.0, 97.0]
    assert found.size_ids is not None
    assert found.size_ids.tolist() == [
        [9, 8, 7, 6, 5, 4],
        [64, 64, 0, 0, 64, 64],
        [9, 8, 7, 6, 5, 4],
    ]
    assert not found.hidden.requires_grad


def test_models_without_sizes_get_none() -> None:
    found = texts(Encoder(pooled=False)).of(["a"], [SIZE])
    assert found.pooled is None and found.size_ids is None


def test_what_was_not_used_for_longest_makes_room() -> None:
    encoder = Encoder(pooled=False)
    kept = texts(encoder, most_bytes=2 * 77 * 4 * 4)
    for caption in ("a", "b", "a", "c", "a", "b"):
        kept.of([caption], [SIZE])
    assert encoder.asked == ["a", "b", "c", "b"]
    assert list(kept.kept) == ["a", "b"] and kept.bytes == 2 * 77 * 4 * 4


def test_shuffled_captions_never_pile_up() -> None:
    kept = texts(Encoder(), most_bytes=10_000)
    for index in range(200):
        kept.of([str(index), str(index + 1)], [SIZE, SIZE])
    assert kept.bytes <= 10_000
