"""Archives that lie, link and explode."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from lib_lora_cook.errors import UserError
from lib_lora_cook.gather import archives
from lib_lora_cook.gather.archives import Bomb, Unreadable, open_archive, outside


@pytest.mark.parametrize(
    "name",
    ["/etc/x.png", "../x.png", "a/../../x.png", "..\\x.png", "C:\\x.png", "c:x.png", "\\\\s\\x"],
)
def test_names_that_lead_out_are_seen(name: str) -> None:
    assert outside(name)


@pytest.mark.parametrize("name", ["x.png", "a/b/x.png", "..x.png", "a..b/x.png", "3_kafka\\x.png"])
def test_names_that_stay_inside_are_fine(name: str) -> None:
    assert outside(name) == ""


def linked_zip(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as packed:
        link = zipfile.ZipInfo("link.png")
        link.external_attr = 0o120777 << 16
        packed.writestr(link, "/etc/passwd")
        packed.writestr("../out.png", b"x")
        packed.writestr("folder/", b"")
        packed.writestr("a.png", b"abc")
    return path


def linked_tar(path: Path) -> Path:
    with tarfile.open(path, "w:gz") as packed:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
            link = tarfile.TarInfo("link.png")
            link.type, link.linkname = kind, "/etc/passwd"
            packed.addfile(link)
        for name, kind in (("pipe.png", tarfile.FIFOTYPE), ("../out.png", tarfile.REGTYPE)):
            member = tarfile.TarInfo(name)
            member.type = kind
            packed.addfile(member)
        member = tarfile.TarInfo("a.png")
        member.size = 3
        packed.addfile(member, io.BytesIO(b"abc"))
    return path


def test_links_and_pipes_are_not_followed(tmp_path: Path) -> None:
    for path in (linked_zip(tmp_path / "a.zip"), linked_tar(tmp_path / "a.tgz")):
        with open_archive(path) as archive:
            entries = list(archive.entries())
        assert [it.name for it in entries if not it.why_not] == ["a.png"]
        assert all(it.why_not for it in entries if "link" in it.name)
        with open_archive(path) as archive:
            good = [archive.read(it, 10) for it in archive.entries() if not it.why_not]
        assert good == [b"abc"]


def test_an_entry_that_is_larger_than_it_says_is_not_read_whole(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a.png", b"\0" * 3_000_000)
    data = (tmp_path / "a.zip").read_bytes()
    lie = data.replace((3_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    (tmp_path / "b.zip").write_bytes(lie)
    for name in ("a.zip", "b.zip"):
        with open_archive(tmp_path / name) as archive:
            (entry,) = archive.entries()
            with pytest.raises(Unreadable):
                archive.read(entry, 1_000_000)


def test_bombs_are_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "FREE_BYTES", 1_000_000)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        for number in range(20):
            packed.writestr(f"{number}.png", b"\0" * 900_000)
    with open_archive(tmp_path / "a.zip") as archive, pytest.raises(Bomb):
        for entry in archive.entries():
            archive.read(entry, 1_000_000)


def test_bombs_in_a_tar_are_stopped_also_where_nothing_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "FREE_BYTES", 1_000_000)
    with tarfile.open(tmp_path / "a.tgz", "w:gz") as packed:
        for number in range(20):
            member = tarfile.TarInfo(f"{number}.bin")
            member.size = 2_000_000
            packed.addfile(member, io.BytesIO(b"\0" * member.size))
    with open_archive(tmp_path / "a.tgz") as archive, pytest.raises(Bomb):
        list(archive.entries())


def test_too_many_files_are_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_ENTRIES", 3)
    with open_archive(linked_zip(tmp_path / "a.zip")) as archive:
        assert len(list(archive.entries())) == 3
    with zipfile.ZipFile(tmp_path / "a.zip", "a") as packed:
        packed.writestr("b.png", b"")
    with open_archive(tmp_path / "a.zip") as archive, pytest.raises(UserError, match="more than 3"):
        list(archive.entries())


def test_a_locked_entry_is_told(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr("a.png", b"abc")
    data = bytearray((tmp_path / "a.zip").read_bytes())
    data[data.index(b"PK\1\2") + 8] |= 1
    (tmp_path / "a.zip").write_bytes(data)
    with open_archive(tmp_path / "a.zip") as archive:
        assert [it.why_not for it in archive.entries()] == ["locked with a password"]


@pytest.mark.parametrize("name", ["a.rar", "a.7z", "a.txt"])
def test_other_kinds_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"Rar!")
    with pytest.raises(UserError, match="zip or tar"), open_archive(tmp_path / name):
        pass
