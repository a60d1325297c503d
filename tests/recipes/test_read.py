"""Every recipe is a run that can be cooked, with the guide's values and a reason for each."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from lib_lora_cook.config_file import config_of, parse_toml
from lib_lora_cook.cook import problems_of
from lib_lora_cook.errors import UserError
from lib_lora_cook.recipes.read import Choice, choices, read_recipe, recipe_text

PARTS = ("kind", "base", "network", "optimizer", "card")


def test_the_parts_that_there_are() -> None:
    assert choices("kind") == ["character", "concept", "outfit", "outfits", "pose", "style"]
    assert choices("base") == ["illustrious", "nai", "noobai-vpred", "pony", "sd15"]
    assert choices("network") == ["locon", "loha", "lora"]
    assert choices("optimizer") == ["adamw8bit", "prodigy"]
    assert choices("card") == ["12gb", "24gb", "6gb", "8gb"]


@pytest.mark.parametrize("parts", [*itertools.product(*(choices(part) for part in PARTS[:4]))])
def test_every_recipe_can_be_cooked(tmp_path: Path, parts: tuple[str, ...]) -> None:
    recipe = read_recipe(Choice(*parts))
    assert set(recipe.why) == set(recipe.settings), "a reason beside each setting"
    given = {"output_name": 'a "b"', "output_dir": "C:\\loras"}
    text = recipe_text(recipe, [{"image_dir": "kafka"}], given)
    config, wrong = config_of(parse_toml(text, "run"), tmp_path)
    assert wrong == []
    assert problems_of(config) == []
    assert config.save.output_name == 'a "b"'
    for line in text.splitlines()[4:]:
        assert not line or line.startswith("[[") or "#" in line or "image_dir" in line


@pytest.mark.parametrize(
    ("base", "card"),
    list(itertools.product(("sd15", "pony"), choices("card"))),
)
def test_fitting_a_card_changes_memory_alone(base: str, card: str) -> None:
    plain, fitted = read_recipe(Choice(base=base)), read_recipe(Choice(base=base, card=card))
    changed = {key for key, value in fitted.settings.items() if plain.settings.get(key) != value}
    memory = {"train_batch_size", "gradient_accumulation_steps", "gradient_checkpointing",
              "mixed_precision", "text_encoder_lr", "medvram", "blocks_to_swap",
              "vae_batch_size"}  # fmt: skip
    assert changed <= memory
    batches = fitted.settings.get("gradient_accumulation_steps", 1)
    assert fitted.settings["train_batch_size"] * batches == plain.settings["train_batch_size"], (
        "a step still learns from as many pictures"
    )


@pytest.mark.parametrize("card", ["6gb", "8gb"])
@pytest.mark.parametrize("optimizer", choices("optimizer"))
def test_the_small_cards_for_sdxl_give_a_run_that_is_right(
    tmp_path: Path, optimizer: str, card: str
) -> None:
    recipe = read_recipe(Choice(base="pony", optimizer=optimizer, card=card))
    text = recipe_text(recipe, [{"image_dir": "kafka"}], {})
    config, wrong = config_of(parse_toml(text, "run"), tmp_path)
    assert wrong == [] and problems_of(config) == []
    assert config.model.medvram and config.optimizer.text_encoder_lr == 0
    assert bool(config.model.blocks_to_swap) is (card == "6gb")


def test_the_guides_values() -> None:
    nai = read_recipe(Choice(base="nai")).settings
    assert (nai["unet_lr"], nai["text_encoder_lr"], nai["clip_skip"]) == (5e-4, 1e-4, 2)
    assert (nai["lr_scheduler"], nai["lr_scheduler_num_cycles"]) == ("cosine_with_restarts", 3)
    assert (nai["network_dim"], nai["network_alpha"], nai["min_snr_gamma"]) == (16, 8, 5.0)
    assert "clip_skip" not in read_recipe(Choice(base="sd15")).settings
    xl = read_recipe(Choice(base="pony", network="locon")).settings
    assert (xl["conv_dim"], xl["unet_lr"], xl["train_batch_size"]) == (16, 3e-4, 4)
    prodigy = read_recipe(Choice(optimizer="prodigy")).settings
    assert prodigy["unet_lr"] == prodigy["text_encoder_lr"] == 0.5
    assert prodigy["network_alpha"] == prodigy["network_dim"]
    noob = read_recipe(Choice(base="noobai-vpred")).settings
    assert noob["v_parameterization"] and noob["zero_terminal_snr"]


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_is_not_there(part: str) -> None:
    with pytest.raises(UserError, match=rf"There is no {part} '\.\./x'"):
        read_recipe(Choice(**{part: "../x"}))
