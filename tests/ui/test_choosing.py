"""Recipes and other trainers' files as what the widgets show."""

from __future__ import annotations

from pathlib import Path

import pytest

from lib_lora_cook.errors import UserError
from lib_lora_cook.recipes.read import choices
from lib_lora_cook.ui import choosing, texts
from lib_lora_cook.ui.form import read_training, training_widgets

WIDGETS = training_widgets({"network_dim": 4, "image_dir": "/mine"})


def test_what_the_page_opens_with_is_a_recipe_too() -> None:
    parts = ["character", texts.AS_OPENED, "lora", "adamw8bit", texts.ANY_CARD]
    assert choosing.proposed(WIDGETS, parts)["network_dim"] == "4"
    assert choosing.reasons(parts) == {}


@pytest.mark.parametrize("kind", choices("kind"))
@pytest.mark.parametrize("base", choices("base"))
def test_every_recipe_fills_widgets_that_can_be_read_again(kind: str, base: str) -> None:
    parts = [kind, base, "lora", "adamw8bit", texts.ANY_CARD]
    values = choosing.proposed(WIDGETS, parts)
    assert set(values).isdisjoint(choosing.OWN)
    assert read_training({**values, "output_name": "x"}, Path("/"), WIDGETS)[1] == []
    assert choosing.reasons(parts)


def test_a_part_that_is_not_there_is_told() -> None:
    with pytest.raises(UserError, match="There is no base"):
        choosing.proposed(WIDGETS, ["character", "<b>", "lora", "adamw8bit", texts.ANY_CARD])


def test_the_basis_is_data_and_no_markup() -> None:
    told = choosing.basis({"network_dim": '"><script>'})
    assert "<script>" not in told
    assert "network_dim" in told


def test_another_trainers_file_fills_the_settings_and_names_the_rest(tmp_path: Path) -> None:
    file = tmp_path / "kohya.toml"
    file.write_text("network_dim = 24\nunet_lr = 0.0002\nno_such_setting = 1\n")
    values, told = choosing.imported(file)
    assert (values["network_dim"], values["unet_lr"]) == ("24", "0.0002")
    assert any("no_such_setting" in it for it in told)


def test_a_small_card_changes_what_it_must() -> None:
    parts = ["character", "illustrious", "lora", "adamw8bit"]
    small = choosing.proposed(WIDGETS, [*parts, "8gb"])
    assert small != choosing.proposed(WIDGETS, [*parts, texts.ANY_CARD])
    assert small["gradient_checkpointing"] is True
    assert choosing.choices_of("card") == [texts.ANY_CARD, "6gb", "8gb", "12gb", "24gb"]
