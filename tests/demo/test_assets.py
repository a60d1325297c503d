"""The shipped assets keep what their README says, on a small sample."""

import csv
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

torch = pytest.importorskip("torch")

from lib_lora_cook.demo.build import evaluate  # noqa: E402
from lib_lora_cook.demo.characters import (  # noqa: E402
    NEW_CHARACTER_TAGS,
    SUBJECT_TAGS,
    TAG_GROUPS,
    all_tags,
    caption,
)

ASSETS = Path(evaluate.__file__).parents[1] / "assets"
LIMIT_MB = 24


@pytest.fixture(scope="module")
def tagger() -> evaluate.AssetTagger:
    return evaluate.AssetTagger(ASSETS / "tagger")


@pytest.fixture(scope="module")
def pipeline() -> object:
    return evaluate.load_checkpoint(ASSETS / "checkpoint")


def test_together_they_are_small_enough() -> None:
    total = sum(path.stat().st_size for path in ASSETS.rglob("*") if path.is_file())
    assert total <= LIMIT_MB * 1_000_000


def test_no_file_says_on_whose_machine_it_was_made() -> None:
    texts = [path.read_text(encoding="utf-8") for path in ASSETS.rglob("*.json")]
    assert texts
    assert not [text for text in texts if "_name_or_path" in text]


def test_the_tagger_follows_wd14() -> None:
    session = onnxruntime.InferenceSession(str(ASSETS / "tagger" / "model.onnx"))
    (source,) = session.get_inputs()
    (result,) = session.get_outputs()
    assert source.type == "tensor(float)" and source.shape[1:] == [64, 64, 3]
    assert not isinstance(source.shape[0], int)
    with (ASSETS / "tagger" / "selected_tags.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["tag_id", "name", "category", "count"]
    assert [row["name"] for row in rows[:4]] == [
        "general",
        "sensitive",
        "questionable",
        "explicit",
    ]
    assert [row["category"] for row in rows] == ["9"] * 4 + ["0"] * (len(rows) - 4)
    assert [row["name"] for row in rows[4:]] == all_tags()
    out = session.run(None, {source.name: np.full((2, 64, 64, 3), 128, np.float32)})[0]
    assert out.shape == (2, len(rows)) == (2, result.shape[1])
    assert out.min() >= 0 and out.max() <= 1 and (out[:, 0] > out[:, 1:4].max(1)).all()


def test_the_vae_and_the_tagger_on_fresh_drawings(
    pipeline: object, tagger: evaluate.AssetTagger
) -> None:
    figures = evaluate.judge_vae_and_tagger(pipeline.vae, tagger, 32)  # type: ignore[attr-defined]
    assert all(f1 >= 0.97 for f1 in figures["tagger_f1"].values()), figures
    assert all(f1 >= 0.97 for f1 in figures["tagger_f1_after_vae"].values()), figures
    assert min(figures["vae_psnr_db"].values()) > 23


def test_the_checkpoint_is_sd1s_kind(pipeline: object) -> None:
    unet, vae = pipeline.unet, pipeline.vae  # type: ignore[attr-defined]
    assert vae.config.scaling_factor == 0.18215
    assert vae.config.latent_channels == unet.config.in_channels == 4
    assert unet.config.sample_size == 8 and pipeline.tokenizer.model_max_length == 77
    assert pipeline.tokenizer.pad_token == pipeline.tokenizer.eos_token
    assert pipeline.scheduler.config.prediction_type == "epsilon"


def test_it_loads_and_draws_with_no_option_given() -> None:
    plain = evaluate.StableDiffusionPipeline.from_pretrained(str(ASSETS / "checkpoint"))
    assert plain.unet.dtype == plain.text_encoder.dtype == plain.vae.dtype == torch.float32
    assert evaluate.generate(plain, ["1girl"], steps=2).shape == (1, 64, 64, 3)


def test_the_checkpoint_draws_what_it_is_told(
    pipeline: object, tagger: evaluate.AssetTagger
) -> None:
    prompted = evaluate.base_prompts(16, seed=501)
    pictures = evaluate.generate(pipeline, [caption(tags) for tags in prompted], seed=1)
    wanted = [[tag for tag in tags if tag not in SUBJECT_TAGS] for tags in prompted]
    seen = tagger.tags(pictures)
    recall = evaluate.recall_of_groups(seen, wanted)
    assert recall["all"] > 0.75 and set(recall) == {"all", *TAG_GROUPS}
    for tag in NEW_CHARACTER_TAGS:
        assert sum(tag in tags for tags in seen) / len(seen) < 0.35


def test_the_checkpoint_does_not_know_the_new_character(
    pipeline: object, tagger: evaluate.AssetTagger
) -> None:
    prompt = caption([*SUBJECT_TAGS, *NEW_CHARACTER_TAGS])
    seen = tagger.tags(evaluate.generate(pipeline, [prompt] * 8, seed=2))
    recalled = sum(tag in tags for tags in seen for tag in NEW_CHARACTER_TAGS)
    assert recalled / (8 * len(NEW_CHARACTER_TAGS)) < 0.35
