"""Taggers by name."""

from pathlib import Path

import pytest
from PIL import Image

from lib_lora_cook.captioning import find as finding
from lib_lora_cook.captioning.base import Choice, Tags
from lib_lora_cook.captioning.find import default_choice, find_tagger
from lib_lora_cook.captioning.known import KNOWN
from lib_lora_cook.captioning.spec import PIXAI, TaggerSpec
from lib_lora_cook.errors import UserError

from .test_onnx_tagger import write_tagger

RED = Image.new("RGB", (8, 8), "red")


class HostTagger:
    def predict(self, images: object) -> list[Tags]:
        return [Tags(character={"red_(series)": 0.5})]


def test_a_folder_a_host_s_folder_and_a_host_s_own_come_through_one_door(tmp_path: Path) -> None:
    folder = write_tagger(tmp_path / "means")
    there = {"here": folder, "deepbooru": HostTagger()}
    for names, p in (([str(folder)], 1), (["here"], 1), (["deepbooru"], 0.5),
                     (["here", "deepbooru"], 0.75)):  # fmt: skip
        tagger = find_tagger(names, there, tmp_path)
        assert tagger.predict([RED])[0].character["red_(series)"] == pytest.approx(p)


def test_the_toy_tagger_comes_through_the_same_door(root: Path) -> None:
    folder = root / "lib_lora_cook" / "demo" / "assets" / "tagger"
    tagger = find_tagger(["toy"], {"toy": folder}, root)
    assert tagger.spec == TaggerSpec() and tagger.predict([RED])[0].general  # type: ignore[attr-defined]


def test_a_known_one_is_fetched_and_opened_by_its_spec(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def fetch(known: object, folder: Path, job: object) -> Path:
        asked.append(known)
        return write_tagger(folder)

    monkeypatch.setattr(finding, "fetch_tagger", fetch)
    find_tagger(["wd-swinv2-tagger-v3"], {}, tmp_path).predict([RED])
    assert asked == [KNOWN["wd-swinv2-tagger-v3"]]
    with pytest.raises(UserError, match="does not take NCHW pictures"):
        find_tagger(["pixai-tagger-v0.9"], {}, tmp_path)


def test_a_fetch_that_was_broken_off_between_two_files_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = write_tagger(tmp_path / "host" / "wd-vit-tagger-v3")
    labels = (half / "selected_tags.csv").read_text()
    (half / "selected_tags.csv").unlink()
    asked = []

    def fetch(known: object, folder: Path, job: object) -> Path:
        asked.append(folder)
        (folder / "selected_tags.csv").write_text(labels)
        return folder

    monkeypatch.setattr(finding, "fetch_tagger", fetch)
    for _ in range(2):
        find_tagger(["wd-vit-tagger-v3"], {"wd-vit-tagger-v3": half}, tmp_path).predict([RED])
    assert asked == [half], "what is whole is not fetched again"


def test_a_misspelt_one_is_told_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"No such tagger: wd-swinv2-v3\. Did you mean wd-swinv2-t"):
        find_tagger(["wd-swinv2-v3"], {"toy": tmp_path}, tmp_path)


def test_the_maker_s_thresholds_are_the_default(tmp_path: Path) -> None:
    assert default_choice(HostTagger()) == Choice()
    tagger = find_tagger([str(write_tagger(tmp_path / "m"))], {}, tmp_path)
    tagger.spec = PIXAI  # type: ignore[attr-defined]
    assert default_choice(tagger).thresholds == {"general": 0.30, "character": 0.85}
