"""kohya's metadata JSON."""

import json
from pathlib import Path

import pytest

from lib_lora_cook.dataset.images import ImageFile, scan_captions
from lib_lora_cook.dataset.kohya_metadata import read_metadata, write_metadata
from lib_lora_cook.errors import UserError

from .tree import picture, save, write


@pytest.fixture
def images(tmp_path: Path) -> list[ImageFile]:
    for number, name in enumerate("abc"):
        save(tmp_path / f"{name}.png", picture(seed=number))
        write(tmp_path / f"{name}.txt", f"solo, {name}")
    return scan_captions(tmp_path)


def found(file: Path, images: list[ImageFile]) -> dict[str, str]:
    return {path.stem: text for path, text in read_metadata(file, images).items()}


@pytest.mark.parametrize("full_path", [True, False])
@pytest.mark.parametrize("field", ["tags", "caption"])
def test_what_is_written_is_read_again(
    tmp_path: Path, images: list[ImageFile], full_path: bool, field: str
) -> None:
    file = tmp_path / "meta.json"
    assert write_metadata(file, images, field, full_path) == 3  # type: ignore[arg-type]
    assert found(file, images) == {"a": "solo, a", "b": "solo, b", "c": "solo, c"}
    keys = list(json.loads(file.read_text()))
    assert keys == ([str(it.path) for it in images] if full_path else ["a", "b", "c"])
    assert not list(tmp_path.glob("*.new"))


def test_caption_and_tags_are_joined_and_unknown_pictures_left_out(
    tmp_path: Path, images: list[ImageFile]
) -> None:
    file = tmp_path / "meta.json"
    document = {
        str(images[0].path): {
            "caption": "a girl ",
            "tags": "solo, hat",
            "train_resolution": [1, 2],
        },
        "b": {"tags": "", "caption": "only this"},
        "c.png": {"tags": "by its name"},
        "/elsewhere/a.png": {"tags": "another"},
    }
    file.write_text(json.dumps(document), encoding="utf-8-sig")
    assert found(file, images) == {"a": "a girl, solo, hat", "b": "only this", "c": "by its name"}
    write_metadata(file, images[:1])
    kept = json.loads(file.read_text())
    assert kept[str(images[0].path)] == {
        "caption": "a girl ", "tags": "solo, a", "train_resolution": [1, 2],
    }  # fmt: skip
    assert set(kept) == set(document)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": "solo"}'])
def test_another_file_is_told(tmp_path: Path, images: list[ImageFile], text: str) -> None:
    (tmp_path / "meta.json").write_text(text)
    with pytest.raises(UserError, match="no JSON|not kohya's metadata"):
        read_metadata(tmp_path / "meta.json", images)
    with pytest.raises(UserError, match="Cannot read"):
        read_metadata(tmp_path / "none.json", images)
    with pytest.raises(UserError, match="Cannot write"):
        write_metadata(tmp_path / "none" / "meta.json", images)
