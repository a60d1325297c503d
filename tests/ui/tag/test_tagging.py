"""The step Tag: several taggers, thresholds, what is left out, what is fetched, the trigger."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lib_lora_cook.captioning.base import Tags
from lib_lora_cook.dataset.images import scan_captions
from lib_lora_cook.errors import UserError
from lib_lora_cook.ui import texts
from lib_lora_cook.ui.bench import Bench, Counted
from lib_lora_cook.ui.runner import Runner
from lib_lora_cook.ui.tag import tagging
from lib_lora_cook.ui.tag.tagging import Finer, Wish

from ..fake_host import FakeHost

WAIT = 60.0


class Fixed:
    """A tagger that sees the same in every picture."""

    def __init__(self, **general: float) -> None:
        self.general = general

    def predict(self, images: Any) -> list[Tags]:
        return [
            Tags(general=dict(self.general), character={"kafka_(series)": 0.9},
                 rating={"general": 0.8}, more={"artist": {"someone": 0.7}})
            for _ in images
        ]  # fmt: skip


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    (tmp_path / "set").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "set" / "a.png")
    host: Any = FakeHost(tmp_path / "home")
    taggers = {"one": Fixed(long_hair=0.9, smile=0.4), "two": Fixed(long_hair=0.5, smile=0.1)}
    monkeypatch.setattr(host, "taggers", lambda: taggers)
    return Bench(host, Runner())


def tagged(bench: Bench, tmp_path: Path, wish: Wish, finer: Finer = Finer()) -> str:  # noqa: B008
    bench.start("Tagging", tagging.tag_work(tmp_path / "set", wish, finer, bench))
    bench.runner.wait(WAIT)
    assert bench.runner.snapshot().state == "done", bench.runner.snapshot().error
    return (tmp_path / "set" / "a.txt").read_text(encoding="utf-8")


def test_several_taggers_are_averaged(bench: Bench, tmp_path: Path) -> None:
    one = Wish(("one",), "0.35", "overwrite", "character", "")
    assert tagged(bench, tmp_path, one) == "kafka (series), long hair, smile"
    both = Wish(("one", "two"), "0.35", "overwrite", "character", "")
    assert tagged(bench, tmp_path, both) == "kafka (series), long hair"


@pytest.mark.parametrize(
    ("finer", "caption"),
    [
        (Finer(character="none"), "long hair"),
        (Finer(character="0.95"), "long hair"),
        (Finer(further="artist=0.5"), "kafka (series), someone, long hair"),
        (Finer(rating="last", leave_out="long hair"), "kafka (series), general"),
        (Finer(expand=True, characters_first=True), "kafka, series, long hair"),
        (Finer(underscores=True, character="none"), "long_hair"),
    ],
)
def test_what_is_taken_of_what_is_seen(
    bench: Bench, tmp_path: Path, finer: Finer, caption: str
) -> None:
    wish = Wish(("two",), "0.35", "overwrite", "character", "")
    assert tagged(bench, tmp_path, wish, finer) == caption


@pytest.mark.parametrize(
    ("wish", "finer", "words"),
    [
        (Wish((), "", "append", "character", ""), Finer(), texts.NO_TAGGER_CHOSEN),
        (Wish(("one",), "2", "append", "character", ""), Finer(), texts.NO_THRESHOLD),
        (Wish(("one",), "", "append", "character", ""), Finer(further="x=1"), texts.NO_CATEGORY),
        (Wish(("one",), "", "append", "character", ""), Finer(further="artist"),
         texts.NO_THRESHOLD),
    ],
)  # fmt: skip
def test_what_makes_no_sense_starts_nothing(
    bench: Bench, tmp_path: Path, wish: Wish, finer: Finer, words: str
) -> None:
    with pytest.raises(UserError, match=words):
        tagging.tag_work(tmp_path / "set", wish, finer, bench)


def test_what_is_not_at_hand_is_fetched_into_the_host_s_folder(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = next(iter(tagging.KNOWN))
    assert tagging.to_fetch(["one", name, "nobody"], bench.host) == [name]
    into: list[Path] = []
    monkeypatch.setattr(
        "lib_lora_cook.captioning.fetch.fetch_tagger",
        lambda known, folder, job: into.append(folder),
    )
    bench.start("Fetching", tagging.fetch_work([name], bench.host))
    bench.runner.wait(WAIT)
    assert into == [bench.host.tagger_dir / name]


def test_a_trigger_is_looked_at_before_it_is_put_anywhere(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text("penguin, hat", encoding="utf-8")
    there = Counted(tuple(scan_captions(tmp_path, [])))
    said = tagging.listed(there, Wish((), "", "append", "character", "penguin tag999"))
    assert "has a meaning of its own" in said
    assert "a tag already" in tagging.listed(
        there, Wish((), "", "append", "character", "red hair"), ["red hair"]
    )
    good = tagging.listed(there, Wish((), "", "append", "character", "qxzy"))
    assert "nothing speaks against it" in good
    assert "needs no trigger" in tagging.listed(there, Wish((), "", "append", "style", "qxzy"))
