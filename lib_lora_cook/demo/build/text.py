"""The text encoder: its own small BPE, the CLIP model, and a first lesson alone."""

from __future__ import annotations

import json
import random
import time
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from ..characters import SUBJECT_TAGS, TAG_GROUPS, caption, random_character

CONTEXT = 77
VOCABULARY = 624
_BOS, _EOS = "<|startoftext|>", "<|endoftext|>"


def build_tokenizer(seed: int = 33) -> CLIPTokenizer:
    """CLIP's tokenizer with merges learnt from captions of the base world alone."""
    rng = random.Random(seed)
    corpus = [caption(random_character(rng).tags()) for _ in range(5000)]
    learner = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    learner.normalizer = normalizers.Lowercase()
    learner.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.Punctuation(),
            pre_tokenizers.WhitespaceSplit(),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, show_progress=False, end_of_word_suffix="</w>"
    )
    learner.train_from_iterator(corpus, trainer)
    merges = [tuple(pair) for pair in _merges(learner)]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = [*letters, *(letter + "</w>" for letter in letters)]
    merges = merges[: VOCABULARY - 2 - len(pieces)]
    pieces += [left + right for left, right in merges]
    known = dict.fromkeys([*pieces, _BOS, _EOS])
    vocabulary = {piece: number for number, piece in enumerate(known)}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=CONTEXT)


def _merges(learner: Tokenizer) -> list[list[str]]:
    model = json.loads(learner.to_str())["model"]
    return [pair if isinstance(pair, list) else pair.split(" ") for pair in model["merges"]]


def build_text_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """Width 128, 2 layers, 4 heads, 77 positions."""
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=512,
        projection_dim=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=CONTEXT,
        hidden_act="quick_gelu",
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return CLIPTextModel(config)


class CaptionTokens:
    """Token rows of captions, put together from the tags' own tokens (the same as the
    tokenizer's)."""

    def __init__(self, tokenizer: CLIPTokenizer) -> None:
        self.bos, self.eos = tokenizer.bos_token_id, tokenizer.eos_token_id
        tags = [*SUBJECT_TAGS, *(tag for group in TAG_GROUPS.values() for tag in group)]
        self.comma = self._ids(tokenizer, ",")
        self.of_tag = {tag: self._ids(tokenizer, tag.replace("_", " ")) for tag in tags}

    @staticmethod
    def _ids(tokenizer: CLIPTokenizer, text: str) -> list[int]:
        ids: list[int] = tokenizer(text, add_special_tokens=False).input_ids
        return ids

    def row(self, tags: list[str]) -> tuple[list[int], list[int]]:
        """77 token ids, and the place of each tag's last token."""
        ids, ends = [self.bos], []
        for tag in tags:
            ids += [*(self.comma if len(ids) > 1 else []), *self.of_tag[tag]]
            ends.append(len(ids) - 1)
        ids = ids[: CONTEXT - 1]
        return ids + [self.eos] * (CONTEXT - len(ids)), [min(end, CONTEXT - 2) for end in ends]


@dataclass(frozen=True)
class TextRun:
    """The first lesson's length."""

    steps: int = 400
    batch: int = 32
    learning_rate: float = 2e-3
    seed: int = 44
    device: str = "cpu"


def teach_tags(encoder: CLIPTextModel, tokens: CaptionTokens, run: TextRun) -> float:
    """Let each tag's last token name its tag (so that "blue eyes" is not "blue dress"); the
    accuracy over the last steps. The naming layer is thrown away."""
    torch.manual_seed(run.seed)
    rng = random.Random(run.seed)
    number = {tag: index for index, tag in enumerate(tokens.of_tag)}
    head = nn.Linear(encoder.config.hidden_size, len(number)).to(run.device)
    encoder.to(run.device).train()
    optimizer = torch.optim.AdamW([*encoder.parameters(), *head.parameters()], run.learning_rate)
    start, accuracy = time.time(), 0.0
    for _ in range(run.steps):
        rows, places, names = [], [], []
        for index in range(run.batch):
            tags = random_character(rng).tags()
            rng.shuffle(tags)
            row, ends = tokens.row(tags)
            rows.append(row)
            places += [(index, end) for end in ends]
            names += [number[tag] for tag in tags]
        hidden: Tensor = encoder(torch.tensor(rows, device=run.device)).last_hidden_state
        row_of, place_of = torch.tensor(places, device=run.device).T
        logits = head(hidden[row_of, place_of])
        target = torch.tensor(names, device=run.device)
        loss = F.cross_entropy(logits, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        right = float((logits.argmax(1) == target).float().mean())
        accuracy = 0.95 * accuracy + 0.05 * right
    print(f"text encoder names {accuracy:.3f} of the tags, {time.time() - start:.0f} s", flush=True)
    return accuracy
