"""What a click on a cell does."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from lib_lora_cook.compare.actions import TRASH, apply_moves, infotext, plan_keep
from lib_lora_cook.compare.grid import Cell
from lib_lora_cook.config import SweepConfig
from lib_lora_cook.errors import UserError

CONFIG = SweepConfig(negative_prompt="blurry", steps=12, cfg_scale=5.0, width=64, height=96)


def test_a_cell_is_told_as_txt2img_pastes_it() -> None:
    cell = Cell(Path("loras/kafka-000003.safetensors"), 0.8, "kafka, smile", (7, 8))
    assert infotext(cell, CONFIG) == (
        "kafka, smile <lora:kafka-000003:0.8>\nNegative prompt: blurry\n"
        "Steps: 12, CFG scale: 5, Seed: 7, Size: 64x96"
    )
    assert infotext(Cell(None, 0.0, "kafka", (1,)), SweepConfig()) == (
        "kafka\nNegative prompt: \nSteps: 20, CFG scale: 7, Seed: 1"
    )


def test_what_the_host_wrote_into_a_picture_counts() -> None:
    picture = Image.new("RGB", (8, 8))
    cell = Cell(Path("kafka.safetensors"), 0.6, "kafka,\nsmile", (7, 8))
    assert infotext(cell, CONFIG, picture) == infotext(cell, CONFIG)
    line = "Steps: 12, Sampler: Euler a, Schedule type: Karras, CFG scale: 5, Seed: 7, Size: 64x96"
    picture.info["parameters"] = f"kafka,\nsmile\nNegative prompt: blurry\n{line}"
    assert infotext(cell, CONFIG, picture) == (
        f"kafka,\nsmile <lora:kafka:0.6>\nNegative prompt: blurry\n{line}"
    )


@pytest.fixture
def loras(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"kafka-00000{epoch}.safetensors" for epoch in (1, 2)]
    for path in [*paths, tmp_path / "kafka.safetensors", tmp_path / "kafka-000001.json"]:
        path.write_text(path.name)
    (tmp_path / "kafka.toml").write_text("the run")
    return [*paths, tmp_path / "kafka.safetensors"]


def names(folder: Path) -> dict[str, str]:
    return {str(it.relative_to(folder)): it.read_text() for it in folder.rglob("*") if it.is_file()}


def test_one_epoch_is_kept_the_others_go_to_the_trash_and_come_back(
    tmp_path: Path, loras: list[Path]
) -> None:
    before = names(tmp_path)
    back = apply_moves(plan_keep(loras[1], loras))
    gone = {"kafka-000001.safetensors", "kafka-000001.json", "kafka.safetensors"}
    assert set(names(tmp_path)) == {it for it in before if it not in gone} | {
        f"{TRASH}/{it}" for it in gone
    }
    apply_moves(back)
    assert names(tmp_path) == before
    assert plan_keep(loras[1], [loras[1]]) == []


def test_a_name_that_is_taken_in_the_trash_moves_nothing(tmp_path: Path, loras: list[Path]) -> None:
    (tmp_path / TRASH).mkdir()
    (tmp_path / TRASH / "kafka.safetensors").write_text("older")
    before = names(tmp_path)
    with pytest.raises(UserError, match="There is a file of that name"):
        apply_moves(plan_keep(loras[1], loras))
    assert names(tmp_path) == before
