"""Run files: what is read, what is refused, and in which words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import toml
from hypothesis import given, settings
from hypothesis import strategies as st

from lib_lora_cook.config import SubsetConfig, TrainingConfig
from lib_lora_cook.config_file import GROUP_OF, config_of, read_run, run_text
from lib_lora_cook.errors import UserError

GUIDE = """
version = 1
pretrained_model_name_or_path = "models/toy"
output_dir = "loras"
output_name = "kafka"
network_type = "LoRA"
network_dim = 16
network_alpha = 8
resolution = 512
train_batch_size = 2
max_train_epochs = 10
unet_lr = 5e-4
text_encoder_lr = 1e-4
optimizer_type = "AdamW"
optimizer_args = ["weight_decay=0.1", "betas=[0.9,0.99]"]
lr_scheduler = "cosine_with_restarts"
lr_scheduler_num_cycles = 3
min_snr_gamma = 5.0
clip_skip = 2
max_token_length = 225
mixed_precision = "no"
seed = 42

[[subsets]]
image_dir = "datasets/kafka"
num_repeats = 3
keep_tokens = 1
shuffle_caption = true
"""


def wrong(text: str | dict[str, Any], folder: Path = Path("/runs")) -> list[str]:
    """What is wrong with a table, or with a subset's if it starts with [[subsets]]."""
    table = toml.loads(text) if isinstance(text, str) else text
    return config_of(table, folder)[1]


def test_the_guide_s_run_is_read_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text(GUIDE)
    config = read_run(tmp_path / "run.toml")
    assert config.model.pretrained_model_name_or_path == str(tmp_path / "models/toy")
    assert config.save.output_dir == str(tmp_path / "loras")
    assert (config.network.network_dim, config.network.network_alpha) == (16, 8.0)
    assert config.bucket.resolution == (512, 512)
    assert config.optimizer.optimizer_args == ["weight_decay=0.1", "betas=[0.9,0.99]"]
    assert config.subsets == (
        SubsetConfig(
            image_dir=str(tmp_path / "datasets/kafka"), num_repeats=3, keep_tokens=1,
            shuffle_caption=True,
        ),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("given_path", "read"),
    [("a/b", "/runs/a/b"), ("/abs/x", "/abs/x"), ("../x", "/runs/../x"), ("host", "host")],
)
def test_paths_are_taken_from_the_run_file(given_path: str, read: str) -> None:
    config, _ = config_of({"pretrained_model_name_or_path": given_path}, Path("/runs"))
    assert config.model.pretrained_model_name_or_path == read


def test_the_person_s_home_is_known() -> None:
    config, _ = config_of({"output_dir": "~/loras"}, Path("/runs"))
    assert config.save.output_dir == str(Path.home() / "loras")


def test_a_subset_s_setting_on_top_holds_for_all_that_do_not_say_otherwise() -> None:
    subsets = [{"image_dir": "a"}, {"image_dir": "b", "num_repeats": 2}]
    table = {"num_repeats": 4, "subsets": subsets}
    config, problems = config_of(table, Path("/runs"))
    assert problems == []
    assert [it.num_repeats for it in config.subsets] == [4, 2]


def test_a_run_written_out_is_the_same_when_read(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text(GUIDE)
    config = read_run(tmp_path / "run.toml")
    (tmp_path / "again.toml").write_text(run_text(config))
    assert read_run(tmp_path / "again.toml") == config
    assert run_text(read_run(tmp_path / "again.toml")) == run_text(config)


def test_the_defaults_written_out_are_the_same_when_read() -> None:
    """To the letter: a saved state is known by this text, and 0 is written another way than 0.0."""
    table = toml.loads(run_text(TrainingConfig()))
    written = {key: table.pop(key) for key in ("pretrained_model_name_or_path", "output_dir")}
    config, problems = config_of(table, Path("/"))
    assert toml.loads(run_text(config)) == table | written | {"output_dir": str(Path("/loras"))}
    beside = replace(config, save=replace(config.save, output_dir="loras"))
    assert config.save.output_dir == str(Path("/loras")), "a path like every other"
    assert run_text(beside) == run_text(TrainingConfig())
    assert problems == []
    assert config.network == TrainingConfig().network
    assert config.bucket == TrainingConfig().bucket


@pytest.mark.parametrize(
    ("key", "nearest"),
    [
        ("netwrok_dim", "network_dim"), ("unet-lr", "unet_lr"), ("Resolution", "resolution"),
        ("max_train_epoch", "max_train_epochs"), ("subset", "subsets"),
        ("num_repeat", "num_repeats"),
    ],
)  # fmt: skip
def test_an_unknown_key_names_the_nearest_known(key: str, nearest: str) -> None:
    (problem,) = wrong({key: 1})
    assert key in problem and f"did you mean {nearest}?" in problem


@pytest.mark.parametrize("key", ["color_aug", "face_crop_aug_range", "resize_interpolation"])
def test_a_setting_of_kohya_s_that_is_not_here_says_why(tmp_path: Path, key: str) -> None:
    _, problems = config_of({"subsets": [{"image_dir": "a", key: True}]}, tmp_path)
    assert len(problems) == 1 and f"subset 1: {key} is not a setting here: " in problems[0]
    assert config_of({key: True}, tmp_path)[1][0].startswith(f"{key} is not a setting here: ")


def test_a_key_like_no_other_is_just_unknown() -> None:
    assert wrong({"xqzzy": 1}) == ["xqzzy is not a setting"]


def test_an_unknown_key_of_a_subset_names_the_subset() -> None:
    table = {"subsets": [{"image_dir": "a"}, {"image_dir": "b", "num_repeat": 3}]}
    (problem,) = wrong(table)
    assert problem == "subset 2: num_repeat is not a setting, did you mean num_repeats?"


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"network_dim": "16"}, "network_dim is '16', and should be a whole number"),
        ({"network_dim": 16.5}, "network_dim is 16.5, and should be a whole number"),
        ({"network_dim": True}, "network_dim is True, and should be a whole number"),
        ({"unet_lr": "1e-4"}, "unet_lr is '1e-4', and should be a number"),
        ({"unet_lr": [1.0]}, "unet_lr is [1.0], and should be a number"),
        ({"enable_bucket": 1}, "enable_bucket is 1, and should be true or false"),
        ({"output_name": 5}, "output_name is 5, and should be a text"),
        ({"optimizer_args": "a=1"}, "optimizer_args is 'a=1', and should be a list of texts"),
        ({"optimizer_args": [1]}, "optimizer_args is [1], and should be a list of texts"),
        ({"resolution": [1, 2, 3]}, "resolution is [1, 2, 3], and should be a number or"),
        ({"resolution": "big"}, "resolution is 'big', and should be a number or"),
        ({"resolution": 512.5}, "resolution is 512.5, and should be a number or"),
        ({"resolution": True}, "resolution is True, and should be a number or"),
        ({"resolution": {}}, "resolution is {}, and should be a number or"),
        ({"subsets": "a"}, "subsets must be tables"),
        ({"subsets": ["a"]}, "subsets must be tables"),
        ({"subsets": [{"num_repeats": "3"}]}, "subset 1: num_repeats is '3'"),
        ({"version": 2}, "version is 2, and this program knows 1"),
        ({"version": "1"}, "version is '1', and this program knows 1"),
    ],
)
def test_a_value_of_the_wrong_type_is_said_with_the_right_one(
    table: dict[str, Any], words: str
) -> None:
    (problem,) = wrong(table)
    assert problem.startswith(words)


@pytest.mark.parametrize(
    ("table", "name"),
    [
        ({"network_dim": -1}, "network_dim"), ({"network_dim": 0}, "network_dim"),
        ({"unet_lr": -1e-4}, "unet_lr"), ({"network_dropout": 1.5}, "network_dropout"),
        ({"network_type": "Lora"}, "network_type"), ({"lr_scheduler": "cosin"}, "lr_scheduler"),
        ({"mixed_precision": "fp8"}, "mixed_precision"), ({"clip_skip": 0}, "clip_skip"),
        ({"unet_lr": float("nan")}, "unet_lr"), ({"network_alpha": float("inf")}, "network_alpha"),
        ({"adaptive_noise_scale": float("nan")}, "adaptive_noise_scale"),
        ({"subsets": [{"image_dir": "a", "num_repeats": 0}]}, "num_repeats"),
        ({"subsets": [{"image_dir": "a", "caption_dropout_rate": 2.0}]}, "caption_dropout_rate"),
    ],
)  # fmt: skip
def test_a_value_out_of_bounds_is_refused_by_name(table: dict[str, Any], name: str) -> None:
    (problem,) = wrong(table)
    assert problem.startswith(f"{name} is ")


@pytest.mark.parametrize(
    ("value", "size"),
    [(512, (512, 512)), ([512, 768], (512, 768)), ("512,768", (512, 768)), ("640", (640, 640)),
     ([96], (96, 96))],
)  # fmt: skip
def test_a_resolution_is_spelt_as_kohya_spells_it(value: Any, size: tuple[int, int]) -> None:
    config, problems = config_of({"resolution": value}, Path("/"))
    assert problems == []
    assert config.bucket.resolution == size


def test_all_problems_are_told_at_once_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(
        'netwrok_dim = 4\nunet_lr = "x"\nnetwork_alpha = -1\n[[subsets]]\nnum_repeats = 0\n'
    )
    with pytest.raises(UserError) as caught:
        read_run(path)
    text = str(caught.value)
    assert "\n" not in text and str(path) in text
    for word in ("netwrok_dim", "unet_lr", "network_alpha", "num_repeats"):
        assert word in text


@pytest.mark.parametrize(
    "data",
    [b"a = ", b"= 3", b"[a\n", b"a = 1\na = 2", b"\xff\xfe\x00", b"[[subsets]\nx=1", b"\x00" * 9,
     b"a = [1, 'b']", b"{}", b"\x89PNG\r\n", b"a.b.c = {", b'a = "', b"[a]\n[a]", b"a = 2020-99-99",
     b"[[a]]\n[a]", b"subsets = [[1]]", b"just words"],
)  # fmt: skip
def test_what_is_not_toml_is_one_clear_line(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "run.toml"
    path.write_bytes(data)
    with pytest.raises(UserError) as caught:
        read_run(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


@settings(deadline=None)
@given(text=st.text(alphabet='abn_=[]{}"\'\n .#,1-"', max_size=40))
def test_no_text_at_all_breaks_the_reader(
    text: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.toml"
    path.write_text(text, encoding="utf-8")
    try:
        read_run(path)
    except UserError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize("make", [False, True])
def test_a_run_file_that_is_not_there_or_a_folder(tmp_path: Path, make: bool) -> None:
    if make:
        (tmp_path / "run.toml").mkdir()
    with pytest.raises(UserError, match="cannot be read"):
        read_run(tmp_path / "run.toml")


def test_a_mark_at_the_start_of_the_file_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(GUIDE, encoding="utf-8-sig")
    assert read_run(path).save.output_name == "kafka"


def test_no_two_groups_share_a_setting() -> None:
    assert len(GROUP_OF) == len(set(GROUP_OF))
    assert "image_dir" not in GROUP_OF
