"""The small parts from which the assets are made."""

import random

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lib_lora_cook.demo.build import pictures, report, tagger, text, unet, vae  # noqa: E402
from lib_lora_cook.demo.characters import (  # noqa: E402
    NEW_CHARACTER_TAGS,
    caption,
    random_character,
)


def test_drawings_are_the_same_for_the_same_seed() -> None:
    one, other = (pictures.make_drawings(pictures.mixed_sample, 6, 5, workers=1) for _ in "ab")
    assert (one.pixels == other.pixels).all() and one.tags == other.tags
    assert one.pixels.shape == (6, 64, 64, 3)


def test_what_the_checkpoint_learns_from_has_none_of_the_new_features() -> None:
    rng = random.Random(1)
    seen = {tag for _ in range(40) for tag in pictures.base_sample(rng)[1]}
    assert not seen & set(NEW_CHARACTER_TAGS)
    seen = {tag for _ in range(40) for tag in pictures.new_sample(rng)[1]}
    assert set(NEW_CHARACTER_TAGS) <= seen


def test_tokens_put_together_are_the_tokenizers() -> None:
    tokenizer = text.build_tokenizer()
    tokens, rng = text.CaptionTokens(tokenizer), random.Random(2)
    assert tokenizer.pad_token_id == tokenizer.eos_token_id == len(tokenizer) - 1
    for _ in range(5):
        tags = unet.training_tags(random_character(rng).tags(), rng)
        whole = tokenizer(caption(tags), padding="max_length", truncation=True, max_length=77)
        assert whole.input_ids == tokens.row(tags)[0]


def test_a_tenth_of_the_captions_is_empty() -> None:
    rng = random.Random(3)
    empty = sum(not unet.training_tags(["a", "b", "c", "d"], rng) for _ in range(2000))
    assert 160 < empty < 280


def test_the_learning_rate_rises_and_falls_to_its_floor() -> None:
    factors = [vae.one_cycle(step, 1000) for step in range(1000)]
    assert factors[0] == 0.01 and max(factors) == 1.0
    assert factors[-1] == pytest.approx(0.02, abs=1e-3)


def test_cells_of_the_face_weigh_more_but_the_mean_is_one() -> None:
    weights = unet.cell_weights(2.5)
    assert weights.mean() == pytest.approx(1.0)
    assert weights[0, 0, 3, 3] == pytest.approx(2.5 * float(weights[0, 0, 0, 0]))


def test_folding_the_scale_changes_the_latents_and_not_the_pictures() -> None:
    torch.manual_seed(0)
    model = vae.build_vae().eval()
    pixels = pictures.make_drawings(pictures.mixed_sample, 16, 7, workers=1).pixels
    before = vae.round_trip(model, pixels)
    vae.fold_scale(model, pixels)
    latents = vae.encode(model, pixels)
    assert float(latents.std()) == pytest.approx(1.0, abs=1e-3)
    assert np.abs(vae.round_trip(model, pixels).astype(int) - before).max() <= 1


def test_labels_mark_the_true_tags_and_the_rating() -> None:
    (row,) = tagger.label_rows([["1girl", "halo"]])
    marked = {label for label, value in zip(tagger.LABELS, row, strict=True) if value}
    assert marked == {"general", "1girl", "halo"}


def test_worse_pictures_keep_their_size() -> None:
    pixels = pictures.make_drawings(pictures.base_sample, 4, 9, workers=1).pixels
    batch = tagger.augmented(pixels, random.Random(0))
    assert batch.shape == (4, 64, 64, 3) and batch.min() >= 0 and batch.max() <= 255


def test_the_readme_shows_every_figure() -> None:
    figures = {
        "megabytes": {"checkpoint": 18.0, "tagger": 1.9},
        "seconds": {"vae": 12},
        "vae_psnr_db": {"base": 27.1},
        "tagger_f1": {"base": 0.991},
        "tagger_f1_after_vae": {"base": 0.981},
        "checkpoint": {
            "prompts": 8,
            "steps": 20,
            "guidance": 3.0,
            "recall": {"all": 0.911},
            "new_features_when_named": {"halo": 0.012},
            "new_features_unasked": {"halo": 0.013},
        },
    }
    page = report.readme(figures, 0.35, 16)
    for figure in ("18.0", "vae 12 s", "27.1", "0.991", "0.981", "0.911", "0.012", "0.013"):
        assert figure in page
