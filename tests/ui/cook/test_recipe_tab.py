"""What fills the settings in, one or all of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("gradio")

from lib_lora_cook.ui import remembered, texts
from lib_lora_cook.ui.bench import Bench
from lib_lora_cook.ui.cook.recipe_tab import KEEP, RecipeHandlers
from lib_lora_cook.ui.form import training_widgets
from lib_lora_cook.ui.runner import Runner

from ..fake_host import FakeHost

pytestmark = pytest.mark.filterwarnings("ignore")
PARTS = ["character", "nai", "lora", "prodigy", texts.ANY_CARD]


@pytest.fixture
def recipes(tmp_path: Path) -> RecipeHandlers:
    return RecipeHandlers(Bench(FakeHost(tmp_path), Runner()), training_widgets())


def test_a_recipe_fills_its_settings_in_and_says_why(recipes: RecipeHandlers) -> None:
    basis, why, *values = recipes.on_recipe(*PARTS)
    shown = dict(zip((it.name for it in recipes.widgets), values, strict=True))
    assert str(shown["optimizer_type"]).lower() == "prodigy"
    assert shown["clip_skip"] == "2"
    assert shown["image_dir"] == KEEP
    assert "data-basis" in basis
    assert "optimizer_type" in why
    assert recipes.parts() == PARTS


def test_one_setting_is_put_back_and_the_others_stay(recipes: RecipeHandlers) -> None:
    said = json.dumps({"act": "put_back", "name": "clip_skip"})
    values = recipes.on_put_back(said, *PARTS)
    shown = dict(zip((it.name for it in recipes.widgets), values, strict=True))
    assert shown.pop("clip_skip") == "2"
    assert all(value == KEEP for value in shown.values())
    assert recipes.on_put_back("{", *PARTS) == [KEEP] * len(recipes.widgets)


def test_what_is_typed_is_kept(recipes: RecipeHandlers) -> None:
    recipes.on_remember(*("7" if it.name == "seed" else it.value for it in recipes.widgets))
    cache = recipes.bench.host.cache_dir
    assert remembered.read_remembered(cache, "training")["seed"] == "7"


def test_a_file_that_is_none_is_told(recipes: RecipeHandlers, tmp_path: Path) -> None:
    told, *values = recipes.on_import(str(tmp_path / "none.toml"))
    assert "none.toml" in told
    assert values == [KEEP] * len(recipes.widgets)
