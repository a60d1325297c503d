"""Files as people have them, one of every kind, and what becomes of each of their settings."""

from __future__ import annotations

import itertools
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
import toml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lib_lora_cook.config_file import config_of
from lib_lora_cook.errors import UserError
from lib_lora_cook.formats.arguments import Translated
from lib_lora_cook.formats.read import read_foreign

if sys.version_info >= (3, 11):
    import tomllib
else:
    import toml as tomllib

KOHYA = """
# saved by hand
[model_arguments]
pretrained_model_name_or_path = "D:\\models\\anime.safetensors"
v2 = false
[additional_network_arguments]
unet_lr = "5e-4"          # a number as text
text_encoder_lr = 1e-4
network_module = "networks.lora"
network_dim = "16"
network_args = ["conv_dim=8", "conv_alpha=4"]
[optimizer_arguments]
optimizer_type = "AdamW8bit"
lr_scheduler = "cosine_with_restarts"
lr_scheduler_num_cycles = 3
lr_warmup_steps = 75
[training_arguments]
max_train_epochs = 10
xformers = true
clip_skip = 2
seed = 42
frobnicate = 7
lowram = true
"""
DATASET = """
[general]
resolution = 640
shuffle_caption = true
keep_tokens = 1

[[datasets]]
batch_size = 4
min_bucket_reso = 320
[[datasets.subsets]]
image_dir = '..\\pictures\\good'
num_repeats = 3
[[datasets.subsets]]
image_dir = "reg"
is_reg = true
keep_tokens = 0
metadata_file = "meta.json"

[[datasets]]
resolution = [768, 768]
batch_size = 4
[[datasets.subsets]]
image_dir = "large"
"""
EASY_TOML = """
[[subsets]]
num_repeats = 10
keep_tokens = 1
caption_extension = ".txt"
shuffle_caption = true
flip_aug = false
name = "kafka"
image_dir = "F:/data/10_kafka"

[train_mode]
train_mode = "lora"
[noise_args]
[general_args.args]
pretrained_model_name_or_path = "F:/models/nai.safetensors"
mixed_precision = "bf16"
seed = 23
xformers = true
max_token_length = 225
max_train_epochs = 2
[general_args.dataset_args]
resolution = [768, 768]
batch_size = 2
[network_args.args]
network_dim = 8
network_alpha = 1.0
[network_args.args.network_args]
algo = "loha"
conv_dim = 4
[optimizer_args.args]
optimizer_type = "Prodigy"
lr_scheduler = "rex"
learning_rate = 1
warmup_ratio = 0.05
[optimizer_args.args.optimizer_args]
weight_decay = "0.1"
betas = "0.9,0.99"
[saving_args.args]
output_dir = "F:/out"
output_name = "kafka"
save_toml = true
[bucket_args.dataset_args]
enable_bucket = true
max_bucket_reso = 1024
"""
EASY_JSON: dict[str, Any] = {
    "base_model": "C:\\models\\nai.safetensors", "img_folder": "C:\\data", "net_dim": 32,
    "alpha": 16.0, "train_resolution": 512, "height_resolution": 768, "batch_size": "2",
    "num_epochs": 5, "scheduler": "cosine", "cosine_restarts": 1, "warmup_lr_ratio": 0.1,
    "learning_rate": 1e-4, "unet_lr": None, "unet_only": True, "clip_skip": 2, "test_seed": 23,
    "optimizer_type": "AdamW8bit", "optimizer_args": {"weight_decay": "0.1", "betas": "0.9,0.99"},
    "shuffle_captions": True, "keep_tokens": 1, "buckets": True, "lyco": True, "xformers": True,
    "network_args": {"conv_dim": 16, "algo": "lora"}, "save_json_folder": "C:\\out",
    "token_warmup_step": 0.25,
}  # fmt: skip
GUI: dict[str, Any] = {
    "LoRA_type": "LyCORIS/LoHa", "max_resolution": "512,640", "epoch": 8, "max_train_epochs": "",
    "train_batch_size": 2, "lr_warmup": 10, "learning_rate": 0.0001, "unet_lr": 0.0001,
    "text_encoder_lr": 5e-05, "network_dim": 16, "network_alpha": 8, "conv_dim": 4,
    "conv_alpha": 2, "optimizer": "AdamW", "optimizer_args": "weight_decay=0.1 betas=0.9,0.99",
    "lr_scheduler": "cosine", "num_cpu_threads_per_process": 2, "min_snr_gamma": 0, "seed": "",
    "sdxl": False, "flux1_checkbox": False, "guidance_scale": 3.5, "xformers": "xformers",
    "noise_offset_type": "Multires", "noise_offset": 0.1, "multires_noise_iterations": 8,
    "train_data_dir": "", "additional_parameters": "--zero_terminal_snr --fancy 3",
}  # fmt: skip
ONETRAINER: dict[str, Any] = {
    "training_method": "LORA", "base_model_name": "models/sdxl.safetensors", "epochs": 20,
    "batch_size": 4, "learning_rate": 0.0003, "resolution": "1024", "lora_rank": 32,
    "lora_alpha": 1.0, "learning_rate_scheduler": "COSINE", "learning_rate_warmup_steps": 100,
    "optimizer": {"optimizer": "PRODIGY", "beta1": 0.9, "beta2": 0.99, "d_coef": 1.0},
    "text_encoder": {"train": False}, "unet": {"train": True, "learning_rate": None},
    "loss_weight_fn": "MIN_SNR_GAMMA", "loss_weight_strength": 5.0, "train_dtype": "BFLOAT_16",
    "output_model_destination": "C:\\out\\kafka.safetensors", "ema": "GPU",
    "concepts": [
        {"path": "C:\\data\\kafka", "balancing": 3.0, "text": {"enable_tag_shuffling": True},
         "image": {"enable_random_flip": True, "enable_random_hue": True}},
        {"path": "off", "enabled": False, "text": {}, "image": {}},
    ],
}  # fmt: skip
CELL = '''#@markdown ### Several folders
!pip install something
custom_dataset = """
[[datasets]]

[[datasets.subsets]]
image_dir = "/content/drive/MyDrive/Loras/example/dataset/good_images"
num_repeats = 3

[[datasets.subsets]]
image_dir = "/content/drive/MyDrive/Loras/example/dataset/normal_images"
num_repeats = 1

"""
'''
MAIN_CELL = """
project_name = "kafka" #@param {type:"string"}
folder_structure = "Organize by project (MyDrive/Loras/project_name/dataset)" #@param ["a", "b"]
training_model = "Anime (animefull-final-pruned-fp16.safetensors)" #@param ["Anime"]
resolution = 512 #@param {type:"slider", min:512, max:1024, step:128}
activation_tags = "1" #@param [0,1,2,3]
num_repeats = 10 #@param {type:"number"}
preferred_unit = "Epochs" #@param ["Epochs", "Steps"]
how_many = 10 #@param {type:"number"}
max_train_epochs = how_many if preferred_unit == "Epochs" else None
train_batch_size = 2 #@param {type:"slider", min:1, max:8, step:1}
unet_lr = 5e-4 #@param {type:"number"}
lr_scheduler = "cosine_with_restarts" #@param ["constant"]
lr_scheduler_number = 3 #@param {type:"number"}
lr_warmup_ratio = 0.05 #@param {type:"slider", min:0.0, max:0.5, step:0.01}
lr_warmup_steps = 0
min_snr_gamma = True #@param {type:"boolean"}
lora_type = "LoCon" #@param ["LoRA", "LoCon"]
network_dim = 16 #@param {type:"slider"}
conv_dim = 8 #@param {type:"slider"}
conv_alpha = 4 #@param {type:"slider"}
if optimizer.lower() == "prodigy":
    unet_lr = 0.5
"""
XL_CELL = """
training_model = "NoobAI V-Pred 1.0" #@param ["Pony Diffusion V6 XL"]
resolution = 1024
unet_lr = 3e-4 #@param {type:"number"}
min_snr_gamma_enabled = True #@param {type:"boolean"}
min_snr_gamma = 8.0 #@param {type:"slider"}
ip_noise_gamma_enabled = False #@param {type:"boolean"}
ip_noise_gamma = 0.05 #@param {type:"slider"}
multinoise = True #@param {type:"boolean"}
network_dim = 8 #@param {type:"slider"}
optimizer = "Prodigy" #@param ["AdamW8bit"]
recommended_values = True #@param {type:"boolean"}
"""


def read(tmp_path: Path, name: str, content: object) -> Translated:
    path = tmp_path / name
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_text(text, encoding="utf-8")
    done = read_foreign(path)
    config, wrong = config_of(done.table, tmp_path)
    assert wrong == [], "what is written can be read again"
    assert len(config.subsets) == len(done.table["subsets"])
    return done


def test_a_training_file_of_sd_scripts(tmp_path: Path) -> None:
    done = read(tmp_path, "config.toml", KOHYA)
    expected = {
        "pretrained_model_name_or_path": r"D:\models\anime.safetensors", "unet_lr": 5e-4,
        "text_encoder_lr": 1e-4, "network_type": "LoCon", "network_dim": 16, "conv_dim": 8,
        "conv_alpha": 4.0, "optimizer_type": "AdamW8bit", "lr_scheduler_num_cycles": 3,
        "lr_warmup_steps": 75.0, "max_train_epochs": 10, "clip_skip": 2, "seed": 42,
        # what the file leaves out is what sd-scripts would have taken
        "network_alpha": 1.0, "train_batch_size": 1, "learning_rate": 2e-6, "max_token_length": 75,
    }  # fmt: skip
    assert {key: done.table.get(key) for key in expected} == expected
    assert done.unknown == ["frobnicate"]
    assert set(done.not_needed) == {"xformers", "lowram"}


def test_a_dataset_file(tmp_path: Path) -> None:
    done = read(tmp_path, "dataset.toml", DATASET)
    assert done.table["resolution"] == [640, 640]
    assert done.table["train_batch_size"] == 4
    assert done.table["min_bucket_reso"] == 320
    first, second, third = done.table["subsets"]
    assert first == {
        "image_dir": r"..\pictures\good", "num_repeats": 3, "shuffle_caption": True,
        "keep_tokens": 1,
    }  # fmt: skip
    assert (second["is_reg"], second["keep_tokens"]) == (True, 0)
    assert third["image_dir"] == "large"
    assert done.unknown == ["datasets[2].resolution = [768, 768]", "metadata_file"]


def test_a_training_file_with_its_dataset_file(tmp_path: Path) -> None:
    (tmp_path / "dataset.toml").write_text(DATASET, encoding="utf-8")
    done = read(tmp_path, "config.toml", 'network_dim = 8\ndataset_config = "dataset.toml"\n')
    assert len(done.table["subsets"]) == 3
    assert done.table["train_batch_size"] == 4
    assert done.table["subsets"][0]["caption_extension"] == ".caption", "as sd-scripts"
    gone = read(tmp_path, "other.toml", 'network_dim = 8\ndataset_config = "gone.toml"\n')
    assert gone.unknown == ["dataset_config = gone.toml (there is no such file)"]


def test_a_train_data_dir_with_its_folders(tmp_path: Path) -> None:
    for name in ("img/3_kafka", "img/notes", "reg/1_1girl"):
        (tmp_path / name).mkdir(parents=True)
    done = read(
        tmp_path, "config.toml", 'train_data_dir = "img"\nreg_data_dir = "reg"\nnetwork_dim = 4\n'
    )
    kafka, girl = done.table["subsets"]
    assert Path(kafka["image_dir"]) == Path("img/3_kafka")
    assert (kafka["num_repeats"], kafka["class_tokens"]) == (3, "kafka")
    assert (girl["num_repeats"], girl["is_reg"]) == (1, True)


def test_a_toml_of_easy_training_scripts(tmp_path: Path) -> None:
    done = read(tmp_path, "easy.toml", EASY_TOML)
    expected = {
        "network_type": "LoHa", "network_dim": 8, "conv_dim": 4, "optimizer_type": "Prodigy",
        "optimizer_args": ["weight_decay=0.1", "betas=0.9,0.99"], "lr_warmup_steps": 0.05,
        "resolution": [768, 768], "train_batch_size": 2, "learning_rate": 1.0,
        "output_name": "kafka", "max_bucket_reso": 1024, "mixed_precision": "bf16",
    }  # fmt: skip
    assert {key: done.table.get(key) for key in expected} == expected
    assert done.table["subsets"][0]["num_repeats"] == 10
    assert done.unknown == ["lr_scheduler = rex"]


def test_a_json_of_easy_training_scripts(tmp_path: Path) -> None:
    done = read(tmp_path, "easy.json", EASY_JSON)
    expected = {
        "pretrained_model_name_or_path": r"C:\models\nai.safetensors", "network_dim": 32,
        "network_alpha": 16.0, "resolution": [512, 768], "train_batch_size": 2,
        "max_train_epochs": 5, "lr_warmup_steps": 0.1, "text_encoder_lr": 0.0,
        "network_type": "LoCon", "conv_dim": 16, "seed": 23, "enable_bucket": True,
    }  # fmt: skip
    assert {key: done.table.get(key) for key in expected} == expected
    (subset,) = done.table["subsets"]
    assert (subset["image_dir"], subset["shuffle_caption"]) == (r"C:\data", True)
    assert [it for it in done.unknown if "token_warmup" not in it] == []


def test_a_json_of_kohya_ss(tmp_path: Path) -> None:
    done = read(tmp_path, "gui.json", GUI)
    expected = {
        "network_type": "LoHa", "conv_dim": 4, "conv_alpha": 2.0, "resolution": [512, 640],
        "max_train_epochs": 8, "lr_warmup_steps": 0.1, "optimizer_type": "AdamW",
        "optimizer_args": ["weight_decay=0.1", "betas=0.9,0.99"], "zero_terminal_snr": True,
        "multires_noise_iterations": 8,
    }  # fmt: skip
    assert {key: done.table.get(key) for key in expected} == expected
    assert "noise_offset" not in done.table, "its page shows the number of the kind not chosen"
    assert "min_snr_gamma" not in done.table, "its 0 means off"
    assert done.unknown == ["fancy"]


def test_a_config_of_onetrainer(tmp_path: Path) -> None:
    done = read(tmp_path, "config.json", ONETRAINER)
    expected = {
        "network_dim": 32, "max_train_epochs": 20, "train_batch_size": 4, "resolution": [1024] * 2,
        "lr_scheduler": "cosine", "optimizer_type": "Prodigy", "text_encoder_lr": 0.0,
        "optimizer_args": ["d_coef=1.0", "betas=0.9,0.99"], "min_snr_gamma": 5.0,
        "mixed_precision": "bf16", "output_name": "kafka", "output_dir": "C:/out",
        "gradient_checkpointing": True, "save_precision": "float",
    }  # fmt: skip
    assert {key: done.table.get(key) for key in expected} == expected
    (subset,) = done.table["subsets"]
    assert (subset["num_repeats"], subset["keep_tokens"], subset["flip_aug"]) == (3, 1, True)
    assert done.unknown == ["ema", r"concept C:\data\kafka: enable_random_hue"]


def test_concepts_of_onetrainer_beside_or_alone(tmp_path: Path) -> None:
    concepts = ONETRAINER["concepts"]
    alone = read(tmp_path, "concepts.json", concepts)
    assert len(alone.table["subsets"]) == 1
    named = {**ONETRAINER, "concept_file_name": "training_concepts/concepts.json"}
    del named["concepts"]
    assert read(tmp_path, "config.json", named).table["subsets"] == alone.table["subsets"]


def test_a_cell_of_the_colab_as_it_is_pasted(tmp_path: Path) -> None:
    done = read(tmp_path, "cell.txt", CELL)
    folders = [(Path(it["image_dir"]).name, it["num_repeats"]) for it in done.table["subsets"]]
    assert folders == [("good_images", 3), ("normal_images", 1)]
    assert done.unknown == []


def test_the_colabs_main_cell(tmp_path: Path) -> None:
    done = read(tmp_path, "cell.py", MAIN_CELL)
    expected = {
        "output_name": "kafka", "pretrained_model_name_or_path":
        "animefull-final-pruned-fp16.safetensors", "max_train_epochs": 10, "unet_lr": 5e-4,
        "lr_scheduler_num_cycles": 3, "lr_warmup_steps": 0.05, "min_snr_gamma": 5.0,
        "network_type": "LoCon", "conv_dim": 8, "clip_skip": 2, "optimizer_type": "AdamW8bit",
        "seed": 42, "max_token_length": 225,
    }  # fmt: skip
    assert {key: done.table.get(key) for key in expected} == expected
    (subset,) = done.table["subsets"]
    assert subset["image_dir"] == "/content/drive/MyDrive/Loras/kafka/dataset"
    assert (subset["num_repeats"], subset["keep_tokens"]) == (10, 1)


def test_the_newer_colab_with_a_v_prediction_model(tmp_path: Path) -> None:
    done = read(tmp_path, "cell.txt", XL_CELL)
    expected = {
        "v_parameterization": True, "zero_terminal_snr": True, "min_snr_gamma": 8.0,
        "scale_v_pred_loss_like_noise_pred": True, "multires_noise_iterations": 6,
        "unet_lr": 0.75, "network_alpha": 8.0, "optimizer_type": "Prodigy",
    }  # fmt: skip
    assert {key: done.table.get(key) for key in expected} == expected
    assert "ip_noise_gamma" not in done.table
    assert "clip_skip" not in done.table


def test_a_whole_notebook(tmp_path: Path) -> None:
    cells = [
        {"cell_type": "markdown", "source": ["unet_lr = 3"]},
        {"cell_type": "code", "source": [line + "\n" for line in MAIN_CELL.splitlines()]},
        {"cell_type": "code", "source": ['optimizer = "Prodigy"']},
    ]
    done = read(tmp_path, "Trainer.ipynb", {"cells": cells})
    assert (done.table["unet_lr"], done.table["optimizer_type"]) == (5e-4, "AdamW8bit")


def lora_file(path: Path, metadata: dict[str, str]) -> None:
    header = json.dumps({"__metadata__": metadata}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header)


def test_cook_like_this_lora(tmp_path: Path) -> None:
    subset = {"image_dir": "3_kafka", "num_repeats": 3, "keep_tokens": 1, "shuffle_caption": True}
    datasets = [{"resolution": [512, 768], "batch_size_per_device": 2, "subsets": [subset]}]
    lora_file(tmp_path / "kafka.safetensors", {
        "ss_network_module": "lycoris.kohya", "ss_network_dim": "16", "ss_network_alpha": "8.0",
        "ss_network_args": json.dumps({"algo": "loha", "conv_dim": "4"}), "ss_unet_lr": "0.0005",
        "ss_text_encoder_lr": "None", "ss_learning_rate": "0.0005", "ss_num_epochs": "10",
        "ss_optimizer": "bitsandbytes.optim.adamw.AdamW8bit(weight_decay=0.1,betas=(0.9, 0.99))",
        "ss_clip_skip": "2", "ss_sd_model_name": "nai.safetensors", "ss_seed": "42",
        "ss_datasets": json.dumps(datasets), "ss_min_snr_gamma": "5.0", "ss_steps": "100",
    })  # fmt: skip
    done = read_foreign(tmp_path / "kafka.safetensors")
    expected = {
        "network_type": "LoHa", "network_dim": 16, "conv_dim": 4, "unet_lr": 5e-4,
        "optimizer_type": "AdamW8bit", "optimizer_args": ["weight_decay=0.1", "betas=0.9,0.99"],
        "max_train_epochs": 10, "clip_skip": 2, "resolution": [512, 768], "train_batch_size": 2,
        "pretrained_model_name_or_path": "nai.safetensors", "min_snr_gamma": 5.0,
    }  # fmt: skip
    assert {key: done.table.get(key) for key in expected} == expected
    assert done.table["subsets"] == [subset]


def test_an_older_lora_that_names_only_its_folders(tmp_path: Path) -> None:
    folders = {"10_kafka": {"n_repeats": 10, "img_count": 20}}
    lora_file(tmp_path / "old.safetensors", {
        "ss_network_dim": "8", "ss_resolution": "(512, 512)",
        "ss_dataset_dirs": json.dumps(folders),
    })  # fmt: skip
    done = read_foreign(tmp_path / "old.safetensors")
    assert done.table["subsets"][0] == {"image_dir": "10_kafka", "num_repeats": 10, "is_reg": False}
    assert done.table["resolution"] == [512, 512]


def test_a_byte_order_mark_and_a_run_of_our_own(tmp_path: Path) -> None:
    text = '\ufeffversion = 1\nnetwork_dim = 8\n[[subsets]]\nimage_dir = "kafka"\n'
    done = read(tmp_path, "run.toml", text)
    assert "network_alpha" not in done.table, "its gaps are filled by our own defaults"
    assert done.table["subsets"] == [{"image_dir": "kafka"}]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.toml", "network_dim = 16\nalpha = = 3\n", "line 2, column"),
        ("a.json", '{"LoRA_type": "Standard",\n "epoch": }', "line 2, column 11"),
        ("a.json", "{}", "No trainer that is known here"),
        ("a.json", '[1, 2]', "No trainer that is known here"),
        ("a.toml", "", "nothing in this file"),
        ("a.ipynb", "{}", "no notebook"),
        ("cell.txt", 'custom_dataset = """\n[[datasets]\n"""', "line 2, column"),
        ("cell.txt", "custom_dataset = None", "No setting of the notebook"),
        ("a.safetensors", "text", "no safetensors file"),
        ("a.json", "null", "line 1, column"),
        ("a.toml", "network_dim = 16\nalpha", "line 2, column"),
        ("a.toml", "datasets = 3", "datasets must be tables"),
    ],
)  # fmt: skip
def test_a_broken_file_is_one_line_with_its_place(
    tmp_path: Path, name: str, text: str, expected: str
) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=expected) as caught:
        read_foreign(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_files_that_are_no_text_or_not_there(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="no text"):
        read_foreign(tmp_path / "a.toml")
    with pytest.raises(UserError, match="cannot be read"):
        read_foreign(tmp_path / "gone.toml")
    lora_file(tmp_path / "bare.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match="does not say how it was trained"):
        read_foreign(tmp_path / "bare.safetensors")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_files_as_windows_writes_them(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.toml").write_bytes(KOHYA.replace("\n", "\r\n").encode(encoding))
    (tmp_path / "b.toml").write_text(KOHYA, encoding="utf-8")
    assert read_foreign(tmp_path / "a.toml") == read_foreign(tmp_path / "b.toml")


def test_a_file_in_another_encoding_is_told_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes('network_dim = 4\noutput_name = "café"'.encode("latin-1"))
    with pytest.raises(UserError, match="line 2, column 19: not UTF-8"):
        read_foreign(tmp_path / "a.toml")


def test_a_switch_is_no_number_and_a_single_table_is_a_list_of_one(tmp_path: Path) -> None:
    text = 'network_dim = true\n[datasets]\nresolution = 512\n[datasets.subsets]\nimage_dir = "x"\n'
    (tmp_path / "a.toml").write_text(text, encoding="utf-8")
    assert "network_dim" not in read_foreign(tmp_path / "a.toml").table
    (tmp_path / "b.toml").write_text(text.partition("\n")[2], encoding="utf-8")
    done = read_foreign(tmp_path / "b.toml")
    assert (done.table["resolution"], done.table["subsets"]) == ([512, 512], [{"image_dir": "x"}])


def test_an_indented_cell_and_a_concept_that_is_switched_off(tmp_path: Path) -> None:
    cell = "    unet_lr = 3e-4 #@param\n    num_repeats = 7 #@param\n"
    (tmp_path / "cell.txt").write_text(cell, encoding="utf-8")
    assert read_foreign(tmp_path / "cell.txt").table["unet_lr"] == 3e-4
    concepts = [{"path": "a", "text": {}}, {"path": "", "enabled": False}]
    (tmp_path / "c.json").write_text(json.dumps(concepts), encoding="utf-8")
    assert [it["image_dir"] for it in read_foreign(tmp_path / "c.json").table["subsets"]] == ["a"]


def test_a_lora_whose_metadata_is_cut_off_names_what_is_lost(tmp_path: Path) -> None:
    told = {"ss_network_dim": "16", "ss_dataset_dirs": "{cut", "ss_network_args": '{"conv_d'}
    lora_file(tmp_path / "a.safetensors", told)
    done = read_foreign(tmp_path / "a.safetensors")
    assert done.table["network_dim"] == 16
    assert {"ss_dataset_dirs", "ss_network_args"} <= set(done.unknown)


def mangled(value: Any, places: list[int], junk: Any) -> Any:
    """A table with junk at some places, counted through all of it."""
    count = itertools.count()

    def walk(it: Any) -> Any:
        if next(count) in places:
            return junk
        if isinstance(it, dict):
            return {key: walk(inner) for key, inner in it.items()}
        return [walk(inner) for inner in it] if isinstance(it, list) else it

    return walk(value)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([EASY_JSON, GUI, ONETRAINER, tomllib.loads(EASY_TOML), tomllib.loads(DATASET)]),
    st.lists(st.integers(1, 60), min_size=1, max_size=3),
    st.sampled_from([None, "x", -1, 1e99, [], {}, [{}], {"a": [1]}, True, "1,2,3"]),
)
def test_junk_in_a_file_is_a_sentence_not_a_traceback(
    table: dict[str, Any], places: list[int], junk: Any
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        broken = mangled(table, places, junk)
        path = Path(folder) / "a.json"
        path.write_text(json.dumps(broken), encoding="utf-8")
        if "datasets" in table or "subsets" in table:
            try:
                text = toml.dumps(broken)
            except (TypeError, ValueError, AttributeError):
                assume(False)  # what TOML cannot write, no file holds
            path = path.with_suffix(".toml")
            path.write_text(text, encoding="utf-8")
        try:
            done = read_foreign(path)
        except UserError as error:
            assert "\n" not in str(error)
            return
        assert config_of(done.table, Path(folder))[1] == []
