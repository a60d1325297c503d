"""The card beside a LoRA file."""

from __future__ import annotations

import json
from pathlib import Path

from lib_lora_cook.networks.card import (
    LoraCard,
    drop_lora,
    note_pick,
    preview_path,
    read_card,
    write_card,
)

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
    note_pick(lora, 0.8, b"picture")
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


def test_a_sure_pick_takes_the_place_of_what_was_there(tmp_path: Path) -> None:
    lora = tmp_path / "toy.safetensors"
    write_card(lora, CARD)
    note_pick(lora, 0.8, b"old", "epoch 2 at 1")
    note_pick(lora, 0.6, b"new")
    card = read_card(lora)
    assert (card["preferred weight"], card["notes"]) == (0.6, "Epoch 3")
    assert preview_path(lora).read_bytes() == b"new"


def test_a_pick_that_cannot_be_told_fills_what_is_empty_and_says_so(tmp_path: Path) -> None:
    lora = tmp_path / "toy.safetensors"
    write_card(lora, CARD)
    note_pick(lora, 0.8, b"first", "epoch 2 at 1")
    card = read_card(lora)
    assert card["preferred weight"] == 0.8
    first, doubt = card["notes"].splitlines()
    assert first == "Epoch 3" and "0.8" in doubt and "epoch 2 at 1" in doubt
    assert preview_path(lora).read_bytes() == b"first"
    note_pick(lora, 0.7, b"second", "epoch 4 at 1")
    card = read_card(lora)
    assert card["preferred weight"] == 0.7
    assert card["notes"].count("\n") == 1 and "epoch 4" in card["notes"]
    assert preview_path(lora).read_bytes() == b"first"


def test_a_pick_that_cannot_be_told_leaves_what_a_person_has_set(tmp_path: Path) -> None:
    lora = tmp_path / "toy.safetensors"
    (tmp_path / "toy.json").write_text('{"preferred weight": 0.9, "notes": "mine"}')
    preview_path(lora).write_bytes(b"mine")
    note_pick(lora, 0.6, b"other", "epoch 2 at 1")
    assert read_card(lora) == {"preferred weight": 0.9, "notes": "mine"}
    assert preview_path(lora).read_bytes() == b"mine"
