"""Widgets as plain data: nothing here needs gradio."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib_lora_cook.config import GROUPS, SubsetConfig, SweepConfig, TrainingConfig
from lib_lora_cook.config_file import config_of
from lib_lora_cook.ui import texts
from lib_lora_cook.ui.form import (
    MAIN,
    plain_names,
    read_sweep,
    read_training,
    shown,
    sweep_widgets,
    training_widgets,
    values_of,
)


def typed(**changes: Any) -> dict[str, Any]:
    """What the page shows at first, with changes."""
    start = {it.name: it.value for it in training_widgets()} | {"image_dir": "/pictures"}
    return start | changes


def test_every_setting_has_one_widget_with_kohyas_name_and_its_own_help() -> None:
    kinds = [*GROUPS.values(), SubsetConfig]
    settings = {item.name: item for kind in kinds for item in fields(kind)}
    widgets = training_widgets()
    assert sorted(it.name for it in widgets) == sorted(settings)
    assert all(it.help.startswith(settings[it.name].metadata["help"]) for it in widgets)
    assert all(it.elem_id.startswith("lora_cook_") for it in widgets)
    assert {it.group for it in widgets} <= texts.GROUPS.keys()


def test_the_main_settings_come_first_and_in_their_order() -> None:
    assert tuple(it.name for it in training_widgets() if it.main) == MAIN
    assert tuple(it.name for it in training_widgets()[: len(MAIN)]) == MAIN


def test_untouched_widgets_give_the_recipe() -> None:
    config, problems = read_training(typed(), Path("/"))
    assert problems == []
    assert config.loop.max_train_epochs == 10
    assert config.optimizer.unet_lr == 5e-4
    assert config.subsets[0].image_dir == "/pictures"
    assert config.subsets[0].num_repeats is None
    assert config.bucket.resolution == (512, 512)


def test_a_recipe_goes_over_the_pages_own() -> None:
    widgets = {it.name: it for it in training_widgets({"resolution": (64, 96), "unet_lr": 1e-3})}
    assert (widgets["resolution"].value, widgets["unet_lr"].value) == ("64,96", "0.001")


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("unet_lr", "5e-4", 5e-4), ("unet_lr", " 0,0005 ", 5e-4), ("unet_lr", "", None),
        ("unet_lr", "1", 1.0), ("network_dim", "32", 32), ("network_dim", "32.0", 32),
        ("resolution", "512", (512, 512)), ("resolution", "512, 768", (512, 768)),
        ("resolution", "640x512", (640, 512)), ("optimizer_args", "", []),
        ("optimizer_args", "weight_decay=0.1 betas=0.9,0.99", ["weight_decay=0.1",
                                                               "betas=0.9,0.99"]),
        ("network_type", "LoHa", "LoHa"), ("shuffle_caption", False, False),
        ("training_comment", None, ""), ("clip_skip", "2", 2),
    ],
)  # fmt: skip
def test_what_is_typed_is_read(name: str, text: Any, value: Any) -> None:
    config, problems = read_training(typed(**{name: text}), Path("/"))
    assert problems == []
    groups = [getattr(config, group) for group in GROUPS] + [config.subsets[0]]
    assert next(getattr(it, name) for it in groups if hasattr(it, name)) == value


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("network_dim", "many", "network_dim is 'many', and should be a whole number"),
        ("network_dim", "1.5", "network_dim is '1.5', and should be a whole number"),
        ("network_dim", "", "network_dim is empty, and should be a whole number"),
        ("network_dim", "0", "network_dim is 0"),
        ("unet_lr", "nan", "unet_lr is 'nan', and should be a number"),
        ("unet_lr", "1,000,5", "unet_lr is '1,000,5', and should be a number"),
        ("unet_lr", "-1", "unet_lr is -1.0"),
        ("network_type", "LyCO", "network_type is 'LyCO'"),
        ("output_name", "../up", "output_name is '../up', and must be a plain name"),
        ("output_name", "", "output_name is '', and must be a plain name"),
        ("caption_extension", "/../x", "caption_extension is '/../x', and must be a plain name"),
        ("image_dir", " ", "image_dir is empty: give the folder of your pictures"),
        ("optimizer_args", "a='b", 'optimizer_args is "a=\'b", and should be key=value pairs'),
    ],
)
def test_a_mistake_is_told_in_words(name: str, text: str, problem: str) -> None:
    _, problems = read_training(typed(**{name: text}), Path("/"))
    assert len(problems) == 1
    assert problems[0].startswith(problem)


def test_all_mistakes_are_told_at_once() -> None:
    _, problems = read_training(typed(network_dim="x", unet_lr="y", seed="-1"), Path("/"))
    assert len(problems) == 3


def test_relative_folders_are_taken_from_the_given_one() -> None:
    config, _ = read_training(typed(image_dir="kafka"), Path("/data"))
    assert Path(config.subsets[0].image_dir) == Path("/data/kafka")
    assert config.model.pretrained_model_name_or_path == "host"


def test_a_run_goes_through_the_widgets_unchanged() -> None:
    table = {
        "unet_lr": 1e-5, "optimizer_args": ["betas=(0.9, 0.99)", "x=1"], "resolution": [768, 512],
        "clip_skip": 2, "output_dir": "/loras",
        "subsets": [{"image_dir": "/a b", "flip_aug": True}],
    }  # fmt: skip
    config, problems = config_of(table, Path("/"))
    assert problems == []
    assert read_training(values_of(config), Path("/")) == (config, [])


@given(st.floats(0, 1e6) | st.integers(0, 10**9) | st.booleans())
def test_numbers_are_shown_so_that_they_are_read_back(value: float) -> None:
    assert float(shown(value)) == value


def test_every_default_is_read_back() -> None:
    config = TrainingConfig(subsets=(SubsetConfig(image_dir="/a"),))
    read, problems = read_training(values_of(config), Path("/"))
    assert problems == []
    assert read.loop == config.loop
    assert read.loss == config.loss
    assert read.optimizer == config.optimizer


def test_a_sheet_is_read() -> None:
    values = {it.name: it.value for it in sweep_widgets()}
    values |= {"prompts": "kafka\n\n kafka, smile ", "weights": "0, 0.5,1", "seeds": "1,2"}
    config, problems = read_sweep(values, ("a.safetensors",))
    assert problems == []
    assert config == SweepConfig(
        loras=("a.safetensors",), prompts=("kafka", "kafka, smile"), weights=(0.0, 0.5, 1.0),
        seeds=(1, 2),
    )  # fmt: skip


def test_a_sheet_of_nothing_is_refused() -> None:
    values = {it.name: it.value for it in sweep_widgets()} | {"weights": "", "steps": "0"}
    _, problems = read_sweep(values, ())
    assert problems == [
        texts.NO_PROMPTS, texts.NO_WEIGHTS, texts.NO_LORAS, "steps is 0: give 1 or more",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["a/b", "a\\b", "..", ".", "", "c:d", "a\0b"])
def test_a_name_that_leads_elsewhere_is_refused(name: str) -> None:
    assert len(plain_names({"output_name": name})) == 1
