"""Captions to states: chunks, gluing, clip skip, pooling (KOHYA 3.5, 3.6)."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from lib_lora_cook.config import ModelConfig
from lib_lora_cook.models.text import (
    caption_chunks,
    final_norm,
    glue,
    hidden_states,
    pooled_at_eos,
    token_chunks,
    weighed,
    weighted_chunks,
)
from tests.tiny_models import text_config, tokenizer

VARIATIONS = json.loads(
    (Path(__file__).parent.parent / "training" / "variations.json").read_text()
)["emphasis"]


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return tokenizer(tmp_path_factory.mktemp("words"))


@pytest.fixture(scope="module")
def words_2(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Padded with "!", as SDXL's second and SD2's."""
    return tokenizer(tmp_path_factory.mktemp("words"), pad="!")


def ids_of(words: Any, count: int) -> list[int]:
    """`count` ids of the word a."""
    return [words.convert_tokens_to_ids("a</w>")] * count


@pytest.mark.parametrize(("length", "chunks"), [(75, 1), (150, 2), (225, 3)])
def test_a_caption_makes_as_many_chunks_as_its_length_asks_for(
    words: Any, length: int, chunks: int
) -> None:
    ids = token_chunks(words, ["a", "a b"], length)
    assert ids.shape == (2, chunks, 77)
    assert (ids[..., 0] == words.bos_token_id).all()
    assert (ids[..., -1] == words.eos_token_id).all()


def test_short_captions_are_the_tokenizer_s_own_ids(words: Any) -> None:
    plain = words(["a girl"], max_length=77, padding="max_length", return_tensors="pt").input_ids
    assert torch.equal(token_chunks(words, ["a girl"], 75)[:, 0], plain)


def test_a_long_caption_runs_over_into_the_next_chunks(words: Any) -> None:
    ids = token_chunks(words, [" ".join(["a"] * 80 + ["b"] * 80)], 225)[0]
    a, b = (words.convert_tokens_to_ids(f"{word}</w>") for word in "ab")
    assert ids[:, 1:-1].flatten()[:162].tolist() == [a] * 80 + [b] * 80 + [words.eos_token_id] * 2


def test_what_is_longer_than_allowed_is_cut_off(words: Any) -> None:
    ids = token_chunks(words, [" ".join(["a"] * 300)], 150)[0]
    assert ids[:, 1:-1].flatten().tolist() == ids_of(words, 150)
    assert ids[1, -1] == words.eos_token_id


def test_where_padding_is_not_the_end_every_chunk_gets_one(words_2: Any) -> None:
    eos, pad, bos = words_2.eos_token_id, words_2.pad_token_id, words_2.bos_token_id
    full, short, none = token_chunks(words_2, [" ".join(["a"] * 76)], 225)[0]
    assert full.tolist() == [bos, *ids_of(words_2, 75), eos]
    assert short.tolist() == [bos, *ids_of(words_2, 1), eos, *[pad] * 74]
    assert none.tolist() == [bos, eos, *[pad] * 75]


def test_a_chunk_filled_to_the_brim_leaves_the_next_one_with_the_end(words_2: Any) -> None:
    """75 words: sd-scripts' second chunk starts with the EOS that the tokenizer set."""
    eos, pad, bos = words_2.eos_token_id, words_2.pad_token_id, words_2.bos_token_id
    first, second = token_chunks(words_2, [" ".join(["a"] * 75)], 150)[0]
    assert first.tolist() == [bos, *ids_of(words_2, 75), eos]
    assert second.tolist() == [bos, eos, *[pad] * 75]


def test_glued_states_are_the_first_start_every_word_and_the_last_end() -> None:
    states = torch.arange(2 * 3 * 77).view(2, 3, 77, 1).float()
    glued = glue(states)
    assert glued.shape == (2, 227, 1)
    rows = states[0, :, :, 0]
    expected = [rows[0, 0], *rows[0, 1:76], *rows[1, 1:76], *rows[2, 1:76], rows[2, 76]]
    assert glued[0, :, 0].tolist() == [float(it) for it in expected]


def test_a_single_chunk_is_left_as_it_is() -> None:
    states = torch.randn(2, 1, 77, 4)
    assert torch.equal(glue(states), states[:, 0])


@pytest.fixture(scope="module")
def encoder(words: Any) -> CLIPTextModel:
    torch.manual_seed(0)
    model = CLIPTextModel(text_config(words, 16, layers=4)).eval()
    torch.nn.init.normal_(final_norm(model).weight)  # type: ignore[arg-type]
    return model


def test_without_clip_skip_states_are_the_encoder_s_own(encoder: Any, words: Any) -> None:
    ids = token_chunks(words, ["a girl"], 75)[0]
    with torch.no_grad():
        states, _ = hidden_states(encoder, ids, 1, norm=True)
        assert torch.equal(states, encoder(ids).last_hidden_state)


@pytest.mark.parametrize("skip", [2, 3])
def test_clip_skip_leaves_out_layers_and_keeps_the_final_norm(
    encoder: Any, words: Any, skip: int
) -> None:
    """The same as an encoder that never had those layers."""
    ids = token_chunks(words, ["a girl"], 75)[0]
    cut = CLIPTextModel(text_config(words, 16, layers=4 - skip + 1)).eval()
    cut.load_state_dict(encoder.state_dict(), strict=False)
    with torch.no_grad():
        states, _ = hidden_states(encoder, ids, skip, norm=True)
        torch.testing.assert_close(states, cut(ids).last_hidden_state)
        bare, _ = hidden_states(encoder, ids, skip, norm=False)
    assert not torch.allclose(bare, states)


def test_the_pooled_state_is_the_second_encoder_s_own_text_embedding(words_2: Any) -> None:
    torch.manual_seed(1)
    model: Any = CLIPTextModelWithProjection(text_config(words_2, 16)).eval()
    torch.nn.init.normal_(final_norm(model).weight)  # type: ignore[arg-type]
    ids = token_chunks(words_2, ["a girl", "a", " ".join(["a"] * 90)], 75)[:, 0]
    with torch.no_grad():
        output = model(ids, output_hidden_states=True)
        last = final_norm(model)(output.hidden_states[-1])
        pooled = model.text_projection(pooled_at_eos(last, ids, words_2.eos_token_id))
    torch.testing.assert_close(pooled, output.text_embeds)


def test_pooling_takes_the_first_end() -> None:
    ids = torch.tensor([[1, 5, 9, 9], [1, 9, 0, 9]])
    states = torch.arange(8.0).view(2, 4, 1)
    assert pooled_at_eos(states, ids, 9).flatten().tolist() == [2.0, 5.0]


class Letters:
    """A tokenizer of one id a letter, without spaces."""

    bos_token_id, eos_token_id = 1, 2

    def __init__(self, pad: int) -> None:
        self.pad_token_id = pad

    def __call__(self, captions: list[str], **options: Any) -> SimpleNamespace:
        ids = [[1, *(ord(it) for it in text if it != " "), 2] for text in captions]
        return SimpleNamespace(input_ids=torch.tensor(ids))


@pytest.mark.parametrize(
    "case", VARIATIONS, ids=lambda it: f"{it['text'][:20]} {it['pad']} {it['max_token_length']}"
)
def test_ids_and_weights_are_those_of_sd_scripts(case: dict[str, Any]) -> None:
    ids, weights = weighted_chunks(Letters(case["pad"]), [case["text"]], case["max_token_length"])
    runs = [(unit, weight) for unit, weight, count in case["runs"] for _ in range(count)]
    assert ids.flatten().tolist() == [unit for unit, _ in runs]
    assert weights.flatten().tolist() == pytest.approx([weight for _, weight in runs])


@pytest.mark.parametrize("length", [75, 225])
def test_captions_without_emphasis_are_the_same_with_and_without_it(
    words: Any, words_2: Any, length: int
) -> None:
    captions = ["a girl, red hair", "", " ".join(["a"] * 100)]
    for tokenizer_ in (words, words_2):
        ids, weights = weighted_chunks(tokenizer_, captions, length)
        assert torch.equal(ids, token_chunks(tokenizer_, captions, length))
        assert (weights == 1).all()


def test_emphasis_is_off_unless_asked_for(words: Any) -> None:
    plain, none = caption_chunks(words, ["(a)"], ModelConfig(max_token_length=75))
    weighted, weights = caption_chunks(
        words, ["(a)"], ModelConfig(max_token_length=75, weighted_captions=True)
    )
    assert none is None and weights is not None
    assert (plain != words.eos_token_id).sum() > (weighted != words.eos_token_id).sum()
    assert weights[0, 0, :3].tolist() == pytest.approx([1.0, 1.1, 1.0])


def test_states_are_multiplied_and_bos_and_eos_are_not() -> None:
    states = torch.randn(2, 3 * 75 + 2, 4)
    weights = torch.ones(2, 3, 77)
    weights[1, 2, 1:-1] = torch.arange(75.0)
    found = weighed(states, weights)
    assert torch.equal(found[0], states[0])
    assert torch.equal(found[1, :151], states[1, :151])
    assert torch.equal(found[1, 151:226], states[1, 151:226] * torch.arange(75.0)[:, None])
    assert torch.equal(found[:, -1], states[:, -1]) and weighed(states, None) is states
