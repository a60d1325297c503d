"""The card beside a LoRA file."""

from __future__ import annotations

import json
from pathlib import Path

from lib_lora_cook.networks.card import LoraCard, drop_lora, note_weight, read_card, write_card

CARD = LoraCard("xyz", "Epoch 3", "sdxl")


def test_the_webui_s_names(tmp_path: Path) -> None:
    lora = tmp_path / "v1.5 toy.safetensors"
    write_card(lora, CARD)
    assert json.loads((tmp_path / "v1.5 toy.json").read_text(encoding="utf-8")) == {
        "activation text": "xyz", "notes": "Epoch 3", "sd version": "SDXL", "preferred weight": 0,
    }  # fmt: skip


def test_what_others_wrote_stays_and_an_old_weight_goes(tmp_path: Path) -> None:
    lora = tmp_path / "toy.safetensors"
    (tmp_path / "toy.json").write_text('{"description": "mine", "notes": "old"}')
    write_card(lora, CARD)
    note_weight(lora, 0.8)
    assert read_card(lora)["preferred weight"] == 0.8
    write_card(lora, LoraCard(notes="new"))
    assert read_card(lora) == {
        "description": "mine", "notes": "new", "activation text": "xyz", "sd version": "SDXL",
        "preferred weight": 0,
    }  # fmt: skip


def test_a_broken_card_is_none(tmp_path: Path) -> None:
    (tmp_path / "toy.json").write_text("{")
    assert read_card(tmp_path / "toy.safetensors") == {}
    (tmp_path / "toy.json").write_text("[]")
    assert read_card(tmp_path / "toy.safetensors") == {}


def test_a_file_goes_with_all_that_belongs_to_it(tmp_path: Path) -> None:
    for name in ("toy.safetensors", "toy.json", "toy.png", "toy.toml"):
        (tmp_path / name).touch()
    drop_lora(tmp_path / "toy.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["toy.toml"]
