"""The dirty folder holds what it promises."""

from pathlib import Path

import pytest
from PIL import Image

from lib_lora_cook.demo.characters import NEW_CHARACTER_TAGS, caption
from lib_lora_cook.demo.dirty_dataset import DirtyPlan, unseen_prompts, write_dirty_dataset


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("dirty") / "set"
    write_dirty_dataset(path, seed=3)
    return path


def test_kinds_of_files(folder: Path) -> None:
    plan = DirtyPlan()
    files = [path for path in folder.iterdir() if path.suffix != ".txt"]
    sizes, modes = {}, {}
    for path in files:
        with Image.open(path) as picture:
            sizes[path.name], modes[path.name] = picture.size, picture.mode
    originals = [path for path in files if path.stem[4:].isdigit() and path.stem[:3] == "art"]
    assert 24 <= len(originals) <= 30
    assert sum(path.suffix == ".webp" for path in files) == plan.webp
    assert sum(mode == "RGBA" for mode in modes.values()) == plan.transparent
    assert sum(size[0] < 64 for size in sizes.values()) == plan.too_small
    assert sum("_copy" in path.stem for path in files) == plan.recompressed
    assert sum("_flip" in path.stem for path in files) == plan.mirrored
    assert sum(path.stem == "holiday" for path in files) == 1


def test_captions_stand_beside_a_picture_and_hide_her_features(folder: Path) -> None:
    captions = list(folder.glob("*.txt"))
    assert len(captions) == DirtyPlan().captioned
    for path in captions:
        text = path.read_text(encoding="utf-8")
        assert text.startswith("1girl, solo, ")
        assert not any(caption([tag]) in text for tag in NEW_CHARACTER_TAGS)
        assert len(list(folder.glob(path.stem + ".*"))) == 2


def test_the_same_seed_writes_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    write_dirty_dataset(tmp_path / "again", seed=3)
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    again = {path.name: path.read_bytes() for path in (tmp_path / "again").iterdir()}
    assert first == again


def test_unseen_prompts_are_deterministic_and_without_her_features() -> None:
    prompts = unseen_prompts(20, seed=5)
    assert prompts == unseen_prompts(20, seed=5) != unseen_prompts(20, seed=6)
    assert not any(caption([tag]) in prompt for prompt in prompts for tag in NEW_CHARACTER_TAGS)
