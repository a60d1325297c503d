"""Sheets, as far as they need no model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image

from lib_lora_cook.compare.grid import Cell
from lib_lora_cook.compare.pick import Pick
from lib_lora_cook.compare.score import Score
from lib_lora_cook.config import ModelConfig, SaveConfig, SubsetConfig, SweepConfig, TrainingConfig
from lib_lora_cook.jobs import Cancelled, Job, null_job
from lib_lora_cook.ui import texts
from lib_lora_cook.ui.runner import Outcome
from lib_lora_cook.ui.taste import tasting
from lib_lora_cook.ui.tray import Tray


def test_the_pick_says_what_to_write() -> None:
    pick = Pick(Cell(Path("kafka-000007.safetensors"), 0.8, "kafka", (1,)), Score(1.0, {}), "best")
    told = tasting.pick_sentence(pick)
    assert "<lora:kafka-000007:0.8>" in told
    assert told.endswith("Why: best.")
    assert tasting.pick_sentence(None) == texts.NO_PICK


def test_the_prompt_is_the_trigger_or_the_name() -> None:
    config = TrainingConfig(save=SaveConfig(output_name="kafka_v2"))
    assert tasting.trigger_of(config) == "kafka_v2"
    config = TrainingConfig(subsets=(SubsetConfig(), SubsetConfig(class_tokens="kafka")))
    assert tasting.trigger_of(config) == "kafka"


class Easel:
    """A host that draws one plain picture a prompt."""

    def __init__(self, folder: Path) -> None:
        self.output_dirs = [folder]

    def taggers(self) -> dict[str, Any]:
        return {"interrogator": object()}  # the WebUI's own, whose model may not be there

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

    def save_grid(self, grid: Image.Image, infotext: str) -> None:
        self.grids = [*getattr(self, "grids", []), infotext]


def test_a_sheet_is_drawn_without_a_tagger(tmp_path: Path) -> None:
    host: Any = Easel(tmp_path)
    folder = tasting.sheet_folder(host, "kafka <1>")
    assert folder.parent == tmp_path / "lora-cook"
    assert not set(folder.name) & set("<> ")
    config = SweepConfig(loras=("a.safetensors",), weights=(0.0, 1.0), prompts=("kafka",))
    outcome = tasting.taste_work(tasting.Tasting("kafka", config, ModelConfig(), folder), host)(
        null_job
    )
    assert outcome.sheet == folder / "sheet.png"
    assert outcome.sheet.is_file()
    assert outcome.pick == texts.NO_PICK


class Watch(Job):
    """Keeps what is laid out."""

    def __init__(self) -> None:
        self.trays: list[Tray] = []

    def lay_out(self, sheet: Tray) -> None:
        self.trays.append(sheet)


def test_cells_are_laid_out_one_after_another_as_they_are_drawn(tmp_path: Path) -> None:
    config = SweepConfig(
        loras=("kafka-000001.safetensors", "kafka.safetensors"), weights=(0.0, 1.0),
        prompts=("kafka",),
    )  # fmt: skip
    watch, host = Watch(), Easel(tmp_path)
    wish: Any = tasting.Tasting("kafka", config, ModelConfig(), tmp_path / "sheet")
    tasting.taste_work(wish, host)(watch)  # type: ignore[arg-type]
    assert [len(it.tiles) for it in watch.trays] == [1, 2, 3, 3]
    last = watch.trays[-1]
    assert last.names == ("epoch 1", "last epoch")
    assert [(it.lora and it.lora.stem, it.weight) for it in last.tiles] == [
        (None, 0.0), ("kafka-000001", 1.0), ("kafka", 1.0),
    ]  # fmt: skip
    assert all(it.picture.is_file() for it in last.tiles)
    assert "<lora:kafka:1>" in last.tiles[2].parameters
    assert last.picked == 0


def test_prompts_that_test_a_run_come_from_its_captions(tmp_path: Path) -> None:
    found = tasting.proposed_prompts(pictures_of_kafka(tmp_path))
    assert found[0] == "kafka"
    assert "kafka, 1girl, smile" in found
    assert any(not it.startswith("kafka") for it in found)
    gone = TrainingConfig(
        subsets=(SubsetConfig(image_dir=str(tmp_path / "none"), class_tokens="kafka"),)
    )
    assert tasting.proposed_prompts(gone) == tasting.deciding_prompts(gone) == ["kafka"]


def pictures_of_kafka(folder: Path) -> TrainingConfig:
    for number in range(3):
        Image.new("RGB", (64, 64)).save(folder / f"{number}.png")
        (folder / f"{number}.txt").write_text("kafka, 1girl, smile", encoding="utf-8")
    subset = SubsetConfig(image_dir=str(folder), class_tokens="kafka")
    return TrainingConfig(subsets=(subset,), save=SaveConfig(output_name="kafka"))


def test_when_a_run_ends_its_sheet_is_drawn(tmp_path: Path) -> None:
    config, watch, host = pictures_of_kafka(tmp_path), Watch(), Easel(tmp_path / "out")
    loras = (Path("kafka-000001.safetensors"), Path("kafka.safetensors"))
    done = Outcome("2 LoRA files", loras)
    sweep = SweepConfig(loras=("-",), prompts=("-",), weights=(0.0, 1.0), seeds=(3,))
    outcome = tasting.taste_after(done, config, sweep, host, watch)  # type: ignore[arg-type]
    assert outcome.loras == loras
    assert outcome.sheet is not None and outcome.sheet.is_file()
    assert outcome.text.startswith("2 LoRA files; 9 cells, the sheet is ")
    prompts = watch.trays[-1].prompts
    assert prompts[:2] == ("kafka", "kafka, 1girl, smile")
    assert len(prompts) == 3 and not prompts[2].startswith("kafka")
    assert {it.lora for it in watch.trays[-1].tiles} == {None, *loras}


def test_no_sheet_follows_a_run_that_was_stopped_and_none_that_fails_spoils_one(
    tmp_path: Path,
) -> None:
    config, host = pictures_of_kafka(tmp_path), Easel(tmp_path / "out")
    loras = (Path("kafka.safetensors"),)

    def ends(cooked: Outcome) -> Outcome:
        return tasting.taste_after(cooked, config, SweepConfig(), host, null_job)  # type: ignore[arg-type]

    stopped = Outcome("1 LoRA file", loras, stopped=True)
    assert ends(stopped) is stopped
    assert ends(Outcome("none")).sheet is None

    def fail(request: Any) -> Any:
        raise MemoryError("no room")

    def cancel(request: Any) -> Any:
        raise Cancelled

    host.generate = fail  # type: ignore[method-assign]
    failed = ends(Outcome("1 LoRA file", loras))
    assert (failed.loras, failed.stopped) == (loras, False)
    assert failed.text == f"1 LoRA file. {texts.OUT_OF_MEMORY}"
    host.generate = cancel  # type: ignore[method-assign]
    assert ends(Outcome("1 LoRA file", loras)) == Outcome("1 LoRA file", loras, stopped=True)


def test_a_pick_that_is_not_sure_says_so() -> None:
    cells = [Cell(Path(f"kafka-00000{it}.safetensors"), 0.8, "kafka", (1, 2)) for it in (6, 7)]
    pick = Pick(cells[0], Score(1.0, {}), "best", cells[1], sure=False)
    told = tasting.pick_sentence(pick)
    assert told.startswith("Cannot tell for certain; the pick: kafka-000006 at weight 0.8")
    assert "Cannot tell" not in tasting.pick_sentence(replace(pick, sure=True))


def test_tags_without_a_tagger_are_a_mistake() -> None:
    assert tasting.tasting_problems("kafka", None) == [texts.NO_TAGGER_FOR_TAGS]
    assert tasting.tasting_problems(" ", None) == []
    assert tasting.tasting_problems("kafka", Path("toy")) == []
