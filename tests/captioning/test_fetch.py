"""Fetching, with a hub that is played."""

import hashlib
import sys
import types
from collections.abc import Callable
from pathlib import Path

import pytest

from lib_lora_cook.captioning import fetch
from lib_lora_cook.captioning.fetch import fetch_tagger
from lib_lora_cook.captioning.known import KNOWN, Known, Remote
from lib_lora_cook.errors import UserError
from lib_lora_cook.jobs import Cancelled, Job

DATA = {"a/model.onnx": b"m" * (3 << 20), "tags.csv": b"name"}
HUB = Known(
    "someone/tagger",
    tuple(Remote(p, len(d), hashlib.sha256(d).hexdigest()) for p, d in DATA.items()),
    revision="r1",
)
Download = Callable[[Path, str], None]


def written(folder: Path, path: str) -> None:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_bytes(DATA[path])


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Callable[[Download], list[str]]:
    """A huggingface_hub that downloads by a function; what it was asked for."""

    def play(download: Download) -> list[str]:
        asked: list[str] = []

        def hf_hub_download(repo_id: str, path: str, *, revision: str, local_dir: Path) -> None:
            asked.append(f"{repo_id}@{revision}/{path}")
            download(local_dir, path)

        module = types.ModuleType("huggingface_hub")
        utils = types.ModuleType("huggingface_hub.utils")
        module.hf_hub_download = hf_hub_download  # type: ignore[attr-defined]
        utils.disable_progress_bars = lambda: None  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "huggingface_hub", module)
        monkeypatch.setitem(sys.modules, "huggingface_hub.utils", utils)
        monkeypatch.setattr(fetch, "_LOOK", 0.01)
        return asked

    return play


class Watch(Job):
    def __init__(self, stop: bool = False) -> None:
        self.told: list[tuple[int, int]] = []
        self.stop = stop

    @property
    def cancelled(self) -> bool:
        return self.stop

    def report(self, done: int, total: int, text: str = "") -> None:
        self.told.append((done, total))


def test_files_come_once_into_one_folder_with_a_bar(
    tmp_path: Path, hub: Callable[[Download], list[str]]
) -> None:
    asked, job = hub(written), Watch()
    assert fetch_tagger(HUB, tmp_path / "t", job) == tmp_path / "t"
    assert asked == ["someone/tagger@r1/a/model.onnx", "someone/tagger@r1/tags.csv"]
    assert (tmp_path / "t" / "model.onnx").read_bytes() == DATA["a/model.onnx"]
    assert job.told[-1] == (3, 3) and all(total == 3 for _, total in job.told)
    (tmp_path / "t" / "tags.csv").write_bytes(b"na")  # broken off
    fetch_tagger(HUB, tmp_path / "t", job)
    assert asked[2:] == ["someone/tagger@r1/tags.csv"]


@pytest.mark.parametrize(
    ("data", "wrong"), [(b"nam", "3 bytes instead of 4"), (b"nome", "another checksum")]
)
def test_what_comes_is_checked(
    tmp_path: Path, hub: Callable[[Download], list[str]], data: bytes, wrong: str
) -> None:
    def broken(folder: Path, path: str) -> None:
        written(folder, path)
        if path == "tags.csv":
            (folder / path).write_bytes(data)

    hub(broken)
    with pytest.raises(UserError, match=wrong):
        fetch_tagger(HUB, tmp_path)
    assert (tmp_path / "model.onnx").exists() and not (tmp_path / "tags.csv").exists()


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("LocalEntryNotFoundError", "there is no network.*Put a/model.onnx, tags.csv of"),
        ("ConnectionError", "there is no network"),
        ("GatedRepoError", "asked first.*Accept the terms"),
        ("RepositoryNotFoundError", "not there any more"),
    ],
)
def test_each_trouble_is_one_clear_line(
    tmp_path: Path, hub: Callable[[Download], list[str]], kind: str, message: str
) -> None:
    def fail(folder: Path, path: str) -> None:
        raise type(kind, (Exception,), {})("no")

    hub(fail)
    with pytest.raises(UserError, match=message):
        fetch_tagger(HUB, tmp_path)


def test_a_full_disk_is_not_taken_for_a_missing_network(
    tmp_path: Path, hub: Callable[[Download], list[str]]
) -> None:
    def full(folder: Path, path: str) -> None:
        raise OSError(28, "No space left on device", str(folder / path))

    hub(full)
    with pytest.raises(UserError, match="Cannot write this .No space left"):
        fetch_tagger(HUB, tmp_path)


def test_it_can_be_stopped(tmp_path: Path, hub: Callable[[Download], list[str]]) -> None:
    hub(written)
    with pytest.raises(Cancelled):
        fetch_tagger(HUB, tmp_path, Watch(stop=True))


def test_without_the_hub_s_client_the_files_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(UserError, match="not installed.*Put a/model.onnx, tags.csv"):
        fetch_tagger(HUB, tmp_path)


def test_the_real_client_without_a_network_is_one_clear_line(tmp_path: Path) -> None:
    pytest.importorskip("huggingface_hub")
    with pytest.raises(UserError, match="there is no network.*SmilingWolf/wd-vit-tagger-v3"):
        fetch_tagger(KNOWN["wd-vit-tagger-v3"], tmp_path)
