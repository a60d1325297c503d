"""What the buttons start, as far as it needs no model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image

from lib_lora_cook.compare.grid import Cell
from lib_lora_cook.compare.pick import Pick
from lib_lora_cook.compare.score import Score
from lib_lora_cook.config import ModelConfig, SaveConfig, SubsetConfig, SweepConfig, TrainingConfig
from lib_lora_cook.jobs import null_job
from lib_lora_cook.ui import texts, work


def test_problems_of_a_run_name_missing_folders_too(tmp_path: Path) -> None:
    config = TrainingConfig(subsets=(SubsetConfig(image_dir=str(tmp_path / "none")),))
    found = work.training_problems(config)
    assert len(found) == 1
    assert "there is no such folder" in found[0]
    assert work.is_folder(SubsetConfig(image_dir="a\0b")) is False


def test_the_pick_says_what_to_write() -> None:
    pick = Pick(Cell(Path("kafka-000007.safetensors"), 0.8, "kafka", (1,)), Score(1.0, {}), "best")
    told = work.pick_sentence(pick)
    assert "<lora:kafka-000007:0.8>" in told
    assert told.endswith("Why: best.")
    assert work.pick_sentence(None) == texts.NO_PICK


def test_the_prompt_is_the_trigger_or_the_name() -> None:
    config = TrainingConfig(save=SaveConfig(output_name="kafka_v2"))
    assert work.trigger_of(config) == "kafka_v2"
    config = TrainingConfig(subsets=(SubsetConfig(), SubsetConfig(class_tokens="kafka")))
    assert work.trigger_of(config) == "kafka"


class Easel:
    """A host that draws one plain picture a prompt."""

    def __init__(self, folder: Path) -> None:
        self.output_dirs = [folder]

    def open_wardrobe(self, loras: Any, config: ModelConfig) -> Easel:
        return self

    def __enter__(self) -> Easel:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def wears_several(self, lora: Path) -> bool:
        return False

    def wear(self, lora: Path | None, weight: float) -> None:
        pass

    def generate(self, request: Any) -> list[Image.Image]:
        return [Image.new("RGB", (64, 64), "teal") for _ in request.prompts]


def test_a_sheet_is_drawn_without_a_tagger(tmp_path: Path) -> None:
    host: Any = Easel(tmp_path)
    folder = work.sheet_folder(host, "kafka <1>")
    assert folder.parent == tmp_path / "lora-cook"
    assert not set(folder.name) & set("<> ")
    config = SweepConfig(loras=("a.safetensors",), weights=(0.0, 1.0), prompts=("kafka",))
    tasting = work.Tasting("kafka", config, ModelConfig(), folder)
    outcome = work.taste_work(tasting, host)(null_job)
    assert outcome.sheet == folder / "sheet.png"
    assert outcome.sheet.is_file()
    assert outcome.pick == texts.NO_PICK


def test_tags_without_a_tagger_are_a_mistake() -> None:
    assert work.tasting_problems("kafka", None) == [texts.NO_TAGGER_FOR_TAGS]
    assert work.tasting_problems(" ", None) == []
    assert work.tasting_problems("kafka", Path("toy")) == []
